"""Every study of the paper is reported, from its catalogue entry's schedules to figures and verdicts."""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analysis
from analysis.figures.courses import course_figure, with_errors
from analysis.figures.intrinsic_lr import accuracy_by_arm, prediction_distances, recovery_times
from analysis.intrinsic_lr.effective_lr import courses
from analysis.intrinsic_lr.recovery import recoveries
from analysis.intrinsic_lr.reports import STUDIES
from search_spaces import intrinsic_lr
from search_spaces.intrinsic_lr_points import drawn
from search_spaces.intrinsic_lr_rates import RATES
from tests.analysis.drawing import draw

pytestmark = pytest.mark.usefixtures("quick_figures")

LENGTHS = {"equilibrium": 22, "recovery": 80, "decay_kind": 21, "full_batch": 40}


def points(name: str) -> list[Any]:
    """Every point of a study at smoke scale with its schedule, over few epochs."""
    kind = next(kind for kind in intrinsic_lr.SCHEDULES if name.startswith(kind))
    epochs = LENGTHS.get(kind, 20)
    values = drawn("smoke", epochs)[kind]
    configs = [dict(zip(values, each, strict=True)) for each in product(*values.values())]
    schedule = partial(intrinsic_lr.SCHEDULES[kind], rates=RATES["smoke"], epochs=epochs)
    return [(config, schedule(config)) for config in configs]


def test_every_study_has_an_analysis_and_every_analysis_a_study() -> None:
    assert set(STUDIES) == set(intrinsic_lr.STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_reported_with_the_claims_of_its_entry(
    simulated: Callable, store: Callable, tmp_path: Path, name: str
) -> None:
    results = store(simulated(points(name), seeds=2), f"intrinsic_lr.{name}")
    report = analysis.analyse(results)
    judged = {verdict.claim[:5] for verdict in report.verdicts}
    assert judged == set(intrinsic_lr.STUDIES[name].claims)
    text = Path(report.write(tmp_path / "report")[0]).read_text()
    assert all(f"| {verdict.claim} |" in text for verdict in report.verdicts)
    assert all(plate.caption for plate in report.plates)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_in_which_nothing_completed_is_reported_as_undecided(
    simulated: Callable, store: Callable, name: str
) -> None:
    trials, epochs = simulated(points(name)[:1], seeds=1)
    results = store((trials.assign(status="diverged", final_test_accuracy=None), epochs), f"intrinsic_lr.{name}")
    report = analysis.analyse(results)
    assert {verdict.verdict for verdict in report.verdicts} == {"undecided"}
    for figure in report.figures.values():
        draw(figure)


def test_the_same_study_on_other_tasks_is_judged_with_it(simulated: Callable, store: Callable) -> None:
    tables = simulated(points("equilibrium"), seeds=2)
    own = store(tables, "intrinsic_lr.equilibrium")
    network, data = (store(tables, "intrinsic_lr.equilibrium", task, task) for task in ("digits/cnn", "mnist/mlp"))
    by_claim = {verdict.claim: verdict for verdict in analysis.analyse(own, [network, data]).verdicts}
    assert (by_claim["P4-34"].n, by_claim["P4-35"].n) == ({"parts": 1}, {"parts": 1})


def test_initialisations_are_judged_together(simulated: Callable, store: Callable) -> None:
    tables = simulated(points("initialisation_ntk"), seeds=3)
    names = [f"intrinsic_lr.initialisation_{name}" for name in ("ntk", "kaiming")]
    own, other = (store(tables, name, name) for name in names)
    assert analysis.analyse(own, [other]).verdicts[-1].verdict == "holds"
    assert analysis.analyse(own).verdicts[-1].verdict == "undecided"


def test_courses_have_a_panel_per_column_and_a_line_per_arm(simulated: Callable) -> None:
    rows = courses(*simulated(points("decay_kind"), seeds=2))
    figure = course_figure(rows, "config.decays", {"lr": "by lr", "weight_decay": "by decay"}, marks=[5])
    assert draw(figure) == ["by lr", "by decay"]
    assert [axes.get_ylabel() for axes in figure.axes][2:] == ["norm of the weights", "effective learning rate"]
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "linear", "log", "log"]
    assert all(len(axes.lines) == 3 for axes in figure.axes)


def test_a_band_holds_all_runs_of_an_arm(simulated: Callable) -> None:
    rows = courses(*simulated(points("decay_kind"), seeds=4, noise=0.05))
    figure = course_figure(rows, "config.decays", {"lr": "by lr"}, ["test_accuracy"])
    band = figure.axes[0].collections[0].get_datalim(figure.axes[0].transData)
    own = rows[rows["config.decays"] == "lr"]["test_accuracy"]
    assert (band.y0, band.y1) == pytest.approx((own.min(), own.max()))


def test_errors_are_drawn_in_percent(simulated: Callable) -> None:
    rows = with_errors(courses(*simulated(points("predictions"), seeds=2)))
    labels = draw(course_figure(rows, "config.schedule", {"const": "constant"}, ("test_error",)))
    assert labels == ["constant"]


def test_recovery_times_show_runs_beside_the_prediction(simulated: Callable) -> None:
    labels = draw(recovery_times(recoveries(*simulated(points("recovery"), seeds=2))))
    assert {"effective lr", "1.29 / intrinsic lr", "square root"} <= set(labels)
    draw(recovery_times(recoveries(*simulated(points("recovery"), seeds=1)).iloc[:0]))


def test_figures_without_anything_to_draw_say_so() -> None:
    assert draw(prediction_distances([], {})) == []
    assert draw(accuracy_by_arm({}, "lr")) == []


def test_what_an_earlier_version_did_not_record_is_said_in_its_panel(simulated: Callable) -> None:
    trials, epochs = simulated(points("decay_kind"), seeds=1)
    rows = courses(trials, epochs.drop(columns=["weight_norm", "steps"]))
    figure = course_figure(rows, "config.decays", {"lr": "by lr"})
    said = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert said == [[], [], ["nothing recorded"], ["nothing recorded"]]
    assert isinstance(rows, pd.DataFrame)
