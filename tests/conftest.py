"""What all tests share: one thread per process, no display, and one smoke study run by the real command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# Ray runs its workers at a low priority, where the other tests would leave them no processor.
os.environ.setdefault("RAY_worker_niceness", "0")
# What the tests write lies in memory where there is room: every state and table is flushed to the disk, which waits.
_MEMORY = "/dev/shm"
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _MEMORY)
# How long an example takes says nothing on a machine that does other work too.
settings.register_profile("suite", deadline=None, max_examples=50)
settings.load_profile("suite")


# The files whose tests start Ray, in their order. A cluster takes all processors, and yet waits for most of its time:
# two side by side are faster than one after the other, and three are not. The first of each start the cluster that the
# later ones use.
_ON_RAY = {
    "tests/search/test_running.py": "ray 1",
    "tests/search/test_fork.py": "ray 1",
    "tests/search/test_regime_asha.py": "ray 1",
    "tests/search/test_kills.py": "ray 2",
    "tests/search/test_cluster.py": "ray 2",
    "tests/cli/test_smoke.py": "ray 2",
    "tests/analysis/test_notebooks.py": "ray 2",
    "tests/examples/test_own_task.py": "ray 2",
}


def pytest_collection_modifyitems(items):
    """Tests on Ray first: side by side with the others they take the longest."""
    order = {file: number for number, file in enumerate(_ON_RAY)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Where tests run side by side: those on Ray one after another in two processes, the others file by file."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return _ON_RAY.get(file, file)

    return ByFile(config, log)


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """The finished process of ``tune-regimes run two_regimes.transition_epoch`` at smoke scale, with few samples."""
    command = [sys.executable, "-m", "tune_regimes", "run", "two_regimes.transition_epoch", "--scale", "smoke"]
    options = ["--samples", "3", "--seeds", "2", "--storage", tmp_path_factory.mktemp("studies"), "--json"]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=1200, check=False)


@pytest.fixture(scope="session")
def smoke_study(smoke_run) -> Path:
    """The folder of that study, shared by all tests: read it, write elsewhere."""
    assert smoke_run.returncode == 0, smoke_run.stderr
    return Path(json.loads(smoke_run.stdout)["path"])
