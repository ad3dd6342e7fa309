"""Every study of the paper is reported, from its catalogue entry's points to figures and verdicts."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.break_even.curvature_runs import LARGEST, SPAN
from analysis.break_even.reports import STUDIES
from analysis.figures.curvature import curvature_courses, maxima_by_setting
from search_spaces import break_even
from search_spaces.break_even_points import GRIDS, drawn
from tests.analysis.drawing import draw

pytestmark = pytest.mark.usefixtures("quick_figures")

GRID = {f"batch_norm_{size}": "batch_norm_batch" for size in (10, 32, 100, 320)}
KINDS = {"batch_size": "batch_size", "resnet32_batch_size": "batch_size", "momentum": "momentum"}
PARTNERS = {"batch_norm": ["no_batch_norm"], "batch_norm_10": ["batch_norm_32", "batch_norm_100"]}
PARTNERS |= {"single_example": ["mini_batch"], "mini_batch": ["single_example"]}


def configs(name: str) -> list[dict[str, Any]]:
    """Every point of a study at smoke scale."""
    values = drawn(KINDS.get(name, "lr"), GRIDS["smoke"][GRID.get(name, name)])
    return [dict(zip(values, each, strict=True)) for each in product(*values.values())]


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_reported_with_the_claims_of_its_entry(
    curved: Callable, looked: Callable, store_looks: Callable, store: Callable, tmp_path: Path, name: str
) -> None:
    tables = curved(configs(name), seeds=2)
    study = f"break_even.{name}"
    results = store_looks(tables, *looked(tables), study) if name == "early" else store(tables, study)
    others = [store(curved(configs(each), seeds=2), f"break_even.{each}", each) for each in PARTNERS.get(name, [])]
    report = analysis.analyse(results, others)
    assert {verdict.claim[:5] for verdict in report.verdicts} == set(break_even.STUDIES[name].claims)
    text = Path(report.write(tmp_path / "report")[0]).read_text()
    assert all(f"| {verdict.claim} |" in text for verdict in report.verdicts)
    assert all(plate.caption for plate in report.plates)
    assert "## Maxima, means over seeds" in text


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_in_which_nothing_completed_is_reported_as_undecided(
    curved: Callable, store: Callable, name: str
) -> None:
    trials, epochs = curved(configs(name)[:1], seeds=1, diverged=lambda config: True)
    report = analysis.analyse(store((trials, epochs), f"break_even.{name}"))
    assert {verdict.verdict for verdict in report.verdicts} == {"undecided"}
    for figure in report.figures.values():
        draw(figure)


def test_courses_have_a_line_per_value_and_the_limits(curved: Callable) -> None:
    tables = curved([{"lr": lr} for lr in (0.3, 0.1)])
    figure = curvature_courses(*tables)
    assert draw(figure) == ["lr 0.1", "lr 0.3"]
    largest, *_, hessian, stability, accuracy = figure.axes
    solid = [line for line in largest.lines if line.get_linestyle() == "-"]
    assert len(solid) == 2
    dashed = [line for line in hessian.lines if line.get_linestyle() == "--"]
    assert sorted(line.get_ydata()[0] for line in dashed) == pytest.approx([2 / 0.3, 2 / 0.1])
    assert [axes.get_yscale() for axes in (largest, stability, accuracy)] == ["log", "log", "linear"]


def test_curves_are_medians_of_moving_averages(curved: Callable) -> None:
    trials, epochs = curved([{"lr": 0.1}], seeds=3)
    figure = curvature_courses(trials, epochs, (LARGEST,))
    middle = epochs[epochs["epoch"].between(9, 11)].groupby("trial_id")[LARGEST].mean().median()
    assert figure.axes[0].lines[0].get_ydata()[9] == pytest.approx(middle)


def test_what_was_not_recorded_is_said_in_its_panel(curved: Callable) -> None:
    trials, epochs = curved([{"lr": 0.1}], seeds=1)
    figure = curvature_courses(trials, epochs.assign(**{SPAN: np.nan}), (LARGEST, SPAN))
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [[], ["nothing recorded"]]
    draw(figure)


@pytest.mark.parametrize("setting", ["lr", "batch_size", "momentum"])
def test_maxima_are_drawn_against_what_is_varied(curved: Callable, setting: str) -> None:
    figure = maxima_by_setting(*curved([{setting: value} for value in (0.1, 0.5)], lr=0.05))
    assert ("2 (1 + momentum) / lr" if setting == "momentum" else "2 / lr") in draw(figure)
    assert {axes.get_xlabel() for axes in figure.axes} == {setting.replace("_", " ")}
    means = figure.axes[0].lines[1].get_ydata()
    assert len(means) == 2
    assert isinstance(means, np.ndarray | pd.Series)
