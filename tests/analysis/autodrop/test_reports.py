"""The reports on the studies of AutoDrop, from tables to figures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.autodrop.reports import STUDIES
from analysis.figures import angular_velocity, automatic_drops
from tests.analysis.drawing import draw

pytestmark = pytest.mark.usefixtures("quick_figures")

LRS = (0.15, 0.1, 0.05, 0.03)


def test_the_study_of_angular_velocity_is_reported(velocity_tables: Callable, store: Callable, tmp_path: Path) -> None:
    report = analysis.analyse(store(velocity_tables(seeds=2), "autodrop.angular_velocity"))
    assert [verdict.claim for verdict in report.verdicts] == [f"P1-07{part}" for part in ("", *"bcdef")]
    assert set(report.figures) == {"loss_and_velocity", "saturation_by_lr", "best_schedule", "stage_tree"}
    text = Path(report.write(tmp_path)[0]).read_text()
    assert "| P1-07f |" in text


def test_the_table_is_reported_with_errors_and_drops(method_tables: Callable, store: Callable) -> None:
    report = analysis.analyse(store(method_tables(seeds=2), "autodrop.table"))
    claims = ["P1-17", "P1-18", "P1-19", "P1-20", "P1-22b", "P1-22", "P1-24", "P1-25"]
    assert [verdict.claim for verdict in report.verdicts] == claims
    assert {"courses", "final_errors", "stage_tree"} <= set(report.figures)
    errors, drops = report.sections.values()
    assert len(errors) == len(drops) == 4
    assert "in small: digits/mlp" in report.verdicts[0].note


def test_imagenet_is_reported_with_its_row(method_tables: Callable, store: Callable) -> None:
    report = analysis.analyse(store(method_tables(seeds=2), "autodrop.imagenet"))
    assert [verdict.claim for verdict in report.verdicts] == ["P1-21", "P1-25"]
    assert {"courses", "final_errors", "stage_tree"} <= set(report.figures)


def test_other_networks_are_judged_in_their_rows(method_tables: Callable, store: Callable) -> None:
    better = method_tables(effects={"rho 0.2": -0.02})
    first = store(better, "autodrop.table", "one", "cifar10/resnet18")
    second = store(better, "autodrop.table", "two", "cifar100/resnet34")
    verdicts = {verdict.claim: verdict.verdict for verdict in analysis.analyse(first, [second]).verdicts}
    assert [verdicts[claim] for claim in ("P1-17", "P1-18", "P1-19", "P1-22b")] == [
        "holds",
        "undecided",
        "holds",
        "holds",
    ]


def test_the_initial_lrs_are_reported(method_tables: Callable, store: Callable) -> None:
    report = analysis.analyse(store(method_tables(lrs=LRS, seeds=2), "autodrop.initial_lr"))
    claims = ["P1-23", "P1-23b", "P1-23c", "P1-23d", "P1-24", "P1-25"]
    assert [verdict.claim for verdict in report.verdicts] == claims
    assert len(next(iter(report.sections.values()))) == 8


def test_every_study_of_the_search_space_is_reported() -> None:
    from search_spaces.autodrop import STUDIES as SPACES

    assert set(STUDIES) == set(SPACES)


def test_every_learning_rate_is_in_the_legend(velocity_tables: Callable) -> None:
    figure = angular_velocity.loss_and_velocity(*velocity_tables(seeds=2))
    assert draw(figure) == ["lr 0.3", "lr 0.1", "lr 0.03", "lr 0.01", "lr 0.003"]


def test_the_first_epoch_has_no_angle_to_draw(velocity_tables: Callable) -> None:
    figure = angular_velocity.loss_and_velocity(*velocity_tables(seeds=2))
    line = figure.axes[1].lines[0]
    assert np.isnan(line.get_ydata()[0])
    assert np.isfinite(line.get_ydata()[1:]).all()


def test_every_method_is_drawn_with_its_runs_and_mean(method_tables: Callable) -> None:
    tables = method_tables(seeds=3)
    figure = automatic_drops.courses(*tables)
    labels = ["drops at fixed epochs", "AutoDrop, rho 0.1", "AutoDrop, rho 0.2", "AutoDrop, rho 0.5"]
    assert draw(figure) == labels
    assert [len(axes.lines) for axes in figure.axes] == [4 * 4] * 4
    assert draw(automatic_drops.final_errors(*tables)) == labels


def test_the_zoom_shows_the_end_alone(method_tables: Callable) -> None:
    figure = automatic_drops.courses(*method_tables(seeds=2))
    assert figure.axes[3].get_xlim() == pytest.approx((7.2, 12))


def test_the_test_error_is_what_the_accuracy_leaves(method_tables: Callable) -> None:
    trials, epochs = method_tables(seeds=1, noise=0.0)
    line = automatic_drops.courses(trials, epochs).axes[2].lines[0]
    first = epochs[epochs["trial_id"] == "00000-s0"]["test_accuracy"].to_numpy(float)
    assert line.get_ydata() == pytest.approx(1 - first)


@pytest.mark.parametrize("spoil", ["nothing left", "all diverged", "one seed", "few epochs"])
def test_figures_are_drawn_whatever_is_missing(method_tables: Callable, velocity_tables: Callable, spoil: str) -> None:
    seeds = 1 if spoil == "one seed" else 2
    tables = [method_tables(seeds=seeds), method_tables(seeds=seeds, lrs=LRS)]
    watched = velocity_tables(seeds=seeds, length=3 if spoil == "few epochs" else 40)
    if spoil in ("nothing left", "all diverged"):
        status = "diverged" if spoil == "all diverged" else "running"
        tables, watched = (
            [(trials.assign(status=status, final_test_accuracy=np.nan), epochs) for trials, epochs in tables],
            (watched[0].assign(status=status, final_test_accuracy=np.nan), watched[1]),
        )
    for each in tables:
        draw(automatic_drops.final_errors(*each))
    draw(automatic_drops.courses(*tables[0]))
    draw(angular_velocity.loss_and_velocity(*watched))
    draw(angular_velocity.saturation_by_lr(*watched))
