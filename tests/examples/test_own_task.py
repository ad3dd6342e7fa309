"""The example of a user's own task runs, and is as short as promised."""

import inspect
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tune_regimes.tasks import spec

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_task.py"


def test_the_example_trains_two_epochs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(spec, "_registered", {})
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["epoch 1", "epoch 2"]


def test_a_task_of_ones_own_takes_fewer_than_fifteen_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    # Run as a script in this process it would keep the name from whoever imports the example afterwards.
    monkeypatch.setattr(spec, "_registered", {})
    spirals = runpy.run_path(str(EXAMPLE))["spirals"]
    lines = [line for line in inspect.getsource(spirals).splitlines() if line.strip()]
    assert len(lines) < 15


@pytest.mark.slow
def test_the_example_searches_on_a_task_that_only_its_script_defines(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    ran = subprocess.run([sys.executable, str(EXAMPLE), str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert [line.split(":")[0] for line in ran.stdout.splitlines()] == ["epoch 1", "epoch 2", "best"]
    assert "best: {'transition_epoch': " in ran.stdout
    assert len(list((tmp_path / "spirals" / "trials").glob("*.parquet"))) == 8
