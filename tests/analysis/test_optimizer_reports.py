"""Figures and reports of the studies that compare optimizers: ``sgdl`` and ``second_phase``."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.figures import large_steps, second_phase
from search_spaces.second_phase import SECOND
from search_spaces.sgdl import IMAGENET32, TABLE_1
from tests.analysis.drawing import draw

pytestmark = pytest.mark.usefixtures("quick_figures")


def sweep_tables(optimizer_tables: Callable) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of ``lr_sweep``: the trials of plain SGD, under another name."""
    trials, epochs = optimizer_tables()
    trials = trials[trials["config.method.optimizer"] == "SGD"]
    trials = trials.assign(**{"config.lr": trials["config.method.lr"]})
    trials = trials.drop(columns=["config.method.lr", "config.method.optimizer"])
    return trials, epochs[epochs["trial_id"].isin(trials["trial_id"])]


def imagenet32_tables(optimizer_tables: Callable) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of ``imagenet32``: each optimizer at its learning rate there, with the five largest scores looked at."""
    trials, epochs = optimizer_tables(best={"SGDL": 1.1})
    pairs = zip(trials["config.method.optimizer"], trials["config.method.lr"], strict=True)
    trials = trials[[lr == IMAGENET32[optimizer] for optimizer, lr in pairs]]
    trials = trials.assign(best_test_accuracy=trials["final_test_accuracy"] + 0.01)
    epochs = epochs[epochs["trial_id"].isin(trials["trial_id"])]
    return trials, epochs.assign(test_top5_accuracy=0.9)


def test_the_five_largest_scores_have_a_panel_of_their_own(optimizer_tables: Callable) -> None:
    figure = large_steps.optimizer_courses(*imagenet32_tables(optimizer_tables))
    assert draw(figure) == ["SGD, lr 0.1", "SGDM, lr 0.1", "SGDL, lr 1.1", "Adam, lr 0.001", "AdaDelta, lr 1"]
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "training error (%)",
        "test error (%)",
        "top-5 test error (%)",
    ]
    assert np.unique(figure.axes[2].lines[0].get_ydata()) == pytest.approx([0.1])


def test_every_optimizer_is_drawn_at_its_best_learning_rate(optimizer_tables: Callable) -> None:
    labels = draw(large_steps.optimizer_courses(*optimizer_tables(best={"Adam": 0.01})))
    assert labels == ["SGD, lr 0.1", "SGDM, lr 0.1", "SGDL, lr 1", "Adam, lr 0.01", "AdaDelta, lr 1"]
    assert draw(large_steps.errors_by_lr(optimizer_tables()[0])) == list(TABLE_1)


def test_courses_are_errors_of_both_splits(optimizer_tables: Callable) -> None:
    trials, epochs = optimizer_tables()
    figure = large_steps.optimizer_courses(trials, epochs.assign(train_accuracy=0.75, test_accuracy=0.5))
    heights = [np.unique(np.concatenate([line.get_ydata() for line in axes.lines])) for axes in figure.axes]
    assert [height.tolist() for height in heights] == [[0.25], [0.5]]


def test_the_sweep_has_a_line_per_learning_rate(optimizer_tables: Callable) -> None:
    tables = sweep_tables(optimizer_tables)
    assert draw(large_steps.sweep_courses(*tables)) == ["lr 0.001", "lr 0.01", "lr 0.05", "lr 0.1"]
    draw(large_steps.sweep_errors_by_lr(tables[0]))


def test_the_second_phase_is_drawn_over_epochs_and_over_seconds(second_phase_tables: Callable) -> None:
    figure = second_phase.courses(*second_phase_tables(costs={"K-FAC": 3.0}))
    assert draw(figure) == list(SECOND)
    ends = [max(line.get_xdata()[-1] for line in axes.lines) for axes in figure.axes]
    assert ends == [6, 6, 18]
    budget = [line.get_xdata()[0] for line in figure.axes[2].lines if line.get_linestyle() == "--"]
    assert budget == [6.0]


def test_both_budgets_have_a_panel(second_phase_tables: Callable) -> None:
    figure = second_phase.errors_by_lr(*second_phase_tables())
    assert draw(figure) == list(SECOND)
    assert [axes.get_title() for axes in figure.axes] == ["equal epochs", "equal seconds"]


@pytest.mark.parametrize("spoil", ["nothing left", "all diverged", "one seed"])
def test_figures_are_drawn_whatever_is_missing(
    optimizer_tables: Callable, second_phase_tables: Callable, spoil: str
) -> None:
    seeds = 1 if spoil == "one seed" else 2
    trials, epochs = optimizer_tables(seeds=seeds)
    second, second_epochs = second_phase_tables(seeds=seeds)
    if spoil != "one seed":
        status = "diverged" if spoil == "all diverged" else "running"
        trials, second = (table.assign(status=status, final_test_accuracy=np.nan) for table in (trials, second))
    draw(large_steps.optimizer_courses(trials, epochs))
    draw(large_steps.errors_by_lr(trials))
    draw(second_phase.courses(second, second_epochs))
    draw(second_phase.errors_by_lr(second, second_epochs))


@pytest.mark.parametrize(
    ("study", "claims"),
    [
        (
            "sgdl.optimizers",
            ("P2-15", "P2-15b", "P2-15c", "P2-16", "P2-17", "P2-17b", "P2-21", "P2-22", "P2-22b"),
        ),
        ("sgdl.lr_sweep", ("P2-14", "P2-14b")),
        ("sgdl.imagenet32", ("P2-18", "P2-18b", "P2-18c")),
        ("second_phase.optimizers", ("P0-23b", "P0-23c", "P0-23d", "P0-23e")),
    ],
)
def test_every_study_is_reported_with_its_verdicts(
    optimizer_tables: Callable,
    second_phase_tables: Callable,
    store: Callable,
    tmp_path: Path,
    study: str,
    claims: tuple[str, ...],
) -> None:
    tables = {
        "sgdl.optimizers": optimizer_tables,
        "sgdl.lr_sweep": lambda: sweep_tables(optimizer_tables),
        "sgdl.imagenet32": lambda: imagenet32_tables(optimizer_tables),
        "second_phase.optimizers": second_phase_tables,
    }[study]()
    report = analysis.analyse(store(tables, study))
    assert tuple(verdict.claim for verdict in report.verdicts) == claims
    names = ["report.md", "courses.png", "errors_by_lr.png", "best_schedule.png", "stage_tree.png"]
    if study == "sgdl.imagenet32":
        names.remove("errors_by_lr.png")
    assert [Path(path).name for path in report.write(tmp_path / "report")] == names
