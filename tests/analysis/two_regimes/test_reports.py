"""Figures and reports of the studies ``momentum`` and ``gradient_descent``."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.figures.momentum_regimes import loss_courses, momentum_courses
from analysis.two_regimes.momentum_regimes import SCALE
from search_spaces import find_study
from tests.analysis.drawing import draw

pytestmark = pytest.mark.usefixtures("quick_figures")

MOMENTA = ["momentum 0", "momentum 0.5", "momentum 0.9"]


@pytest.mark.parametrize(
    ("name", "figures", "section"),
    [
        ("momentum", ["loss_courses", "momentum_courses"], "Alignment and scale"),
        ("gradient_descent", ["loss_courses", "accuracy_by_lr"], "Where the regimes lie"),
    ],
)
def test_a_study_is_reported_with_the_claims_of_its_entry(
    regime_tables: Callable,
    descent_tables: Callable,
    store: Callable,
    tmp_path: Path,
    name: str,
    figures: list[str],
    section: str,
) -> None:
    tables = regime_tables() if name == "momentum" else descent_tables()
    report = analysis.analyse(store(tables, f"two_regimes.{name}"))
    entry = find_study(f"two_regimes.{name}")
    assert {verdict.claim[:5] for verdict in report.verdicts} == set(entry.claims)
    paths = report.write(tmp_path / "report")
    assert [Path(path).stem for path in paths] == ["report", *figures, "best_schedule", "stage_tree"]
    text = Path(paths[0]).read_text()
    assert f"## {section}" in text
    assert all(f"| {verdict.claim} |" in text for verdict in report.verdicts)


def test_the_loss_of_the_speed_claim_is_that_of_the_scale(regime_tables: Callable, store: Callable) -> None:
    report = analysis.analyse(store(regime_tables(), "two_regimes.momentum"))
    assert "loss 0.1" in draw(report.figures["loss_courses"])


def test_each_regime_has_a_panel_with_its_learning_rate_and_a_line_per_momentum(regime_tables: Callable) -> None:
    figure = loss_courses(*regime_tables())
    assert [axes.get_title() for axes in figure.axes] == ["A: large steps, lr 0.1", "B: small steps, lr 0.001"]
    assert draw(figure) == MOMENTA
    thick = [[line for line in axes.lines if line.get_label() in MOMENTA] for axes in figure.axes]
    assert [len(lines) for lines in thick] == [3, 3]


def test_lines_of_losses_are_geometric_means_over_seeds(regime_tables: Callable) -> None:
    trials, epochs = regime_tables(seeds=2, noise=0.5)
    line = next(line for line in loss_courses(trials, epochs).axes[0].lines if line.get_label() == "momentum 0")
    first = epochs[epochs["trial_id"].isin(["00000-s0", "00000-s1"])]
    assert line.get_ydata()[-1] == pytest.approx(np.sqrt(first[first["epoch"] == 20]["train_loss"].prod()))


def test_scale_and_alignment_are_drawn_in_both_regimes_with_their_limits(regime_tables: Callable) -> None:
    figure = momentum_courses(*regime_tables())
    assert draw(figure) == MOMENTA
    dotted = [[line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"] for axes in figure.axes]
    assert dotted == [pytest.approx([1, 2, 10])] * 2 + [[0.0]] * 2


@pytest.mark.parametrize("spoil", ["none completed", "one regime", "no looks"])
def test_figures_are_drawn_whatever_is_missing(regime_tables: Callable, spoil: str) -> None:
    trials, epochs = regime_tables(seeds=1)
    if spoil == "none completed":
        trials = trials.assign(status="diverged")
    if spoil == "one regime":
        trials = trials[trials["config.regime"] == "large"]
    if spoil == "no looks":
        epochs = epochs.assign(**{SCALE: np.nan})
    for figure in (loss_courses(trials, epochs), momentum_courses(trials, epochs)):
        draw(figure)


def test_a_study_in_which_nothing_completed_is_undecided(descent_tables: Callable, store: Callable) -> None:
    trials, epochs = descent_tables()
    trials = trials.assign(status="diverged", final_test_accuracy=None)
    report = analysis.analyse(store((trials, epochs), "two_regimes.gradient_descent"))
    assert {verdict.verdict for verdict in report.verdicts} == {"undecided"}
    for figure in report.figures.values():
        figure.draw_without_rendering()
