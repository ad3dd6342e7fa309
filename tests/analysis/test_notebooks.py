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
@pytest.mark.parametrize("study", ["transition_epoch", "lr_momentum"])
def test_the_notebook_of_the_two_regimes_shows_verdicts_and_figures(
    transition_tables: Callable,
    sweep_tables: Callable,
    store: Callable,
    monkeypatch: pytest.MonkeyPatch,
    study: str,
) -> None:
    tables = {"transition_epoch": transition_tables(points=2, seeds=2), "lr_momentum": sweep_tables(points=5, seeds=1)}
    results = store(tables[study], f"two_regimes.{study}")
    outputs = execute(NOTEBOOKS[0], results.storage.path(), monkeypatch)
    shown = [output.get("data", {}) for output in outputs]
    assert sum("image/png" in data for data in shown) >= 3
    claim = {"transition_epoch": "P0-18", "lr_momentum": "P0-13"}[study]
    assert any(claim in data.get("text/html", "") for data in shown)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(notebook: Path) -> None:
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
