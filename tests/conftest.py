"""What all tests share: one thread per process, no display, and one smoke study run by the real command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# How long an example takes says nothing on a machine that does other work too.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


_ON_RAY = {"ray_cluster", "smoke_run", "smoke_study"}
_STARTS_RAY = ("tests/search/test_cluster.py", "tests/examples/", "tests/cli/test_smoke.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Where tests run side by side: those on Ray first and one after another, the others file by file."""
    for item in items:
        on_ray = _ON_RAY & set(getattr(item, "fixturenames", ())) or item.nodeid.startswith(_STARTS_RAY)
        item.add_marker(pytest.mark.xdist_group("ray" if on_ray else item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: item.get_closest_marker("xdist_group").args[0] != "ray")


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
