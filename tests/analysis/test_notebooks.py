from collections.abc import Callable
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "analysis" / "notebooks").glob("*.ipynb"))


def execute(notebook: Path, study: Path, monkeypatch: pytest.MonkeyPatch) -> list[nbformat.NotebookNode]:
    """Run a notebook on the study in a folder; its outputs."""
    monkeypatch.setenv("TUNE_REGIMES_STUDY", str(study))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    content = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(content, timeout=300, kernel_name="python3").execute()
    return [output for cell in content.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.mark.slow
def test_the_notebook_shows_verdicts_and_figures_of_a_sweep(
    sweep_tables: Callable, store: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = store(sweep_tables(points=5, seeds=1), "two_regimes.lr_momentum")
    shown = [output.get("data", {}) for output in execute(NOTEBOOKS[0], results.storage.path(), monkeypatch)]
    assert sum("image/png" in data for data in shown) == 6
    assert any("P0-13" in data.get("text/html", "") for data in shown)


@pytest.mark.slow
def test_the_notebook_runs_on_the_results_of_a_real_study(smoke_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [output.get("data", {}) for output in execute(NOTEBOOKS[0], smoke_study, monkeypatch)]
    assert sum("image/png" in data for data in shown) == 4
    tables = " ".join(data.get("text/html", "") for data in shown)
    assert all(claim in tables for claim in ("P0-18", "P0-19", "P0-20", "P0-21"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(notebook: Path) -> None:
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
