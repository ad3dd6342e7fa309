import os
import sys

import pytest

from tune_regimes.training.memory import keep_freed_memory

linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc only")


@linux
def test_freed_memory_is_kept_where_the_environment_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    keep_freed_memory.cache_clear()
    assert keep_freed_memory() == ("glibc" in os.confstr("CS_GNU_LIBC_VERSION"))


@linux
def test_settings_of_the_allocator_that_the_user_made_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    keep_freed_memory.cache_clear()
    assert not keep_freed_memory()
    keep_freed_memory.cache_clear()
