"""The picture of the stage tree: what is drawn where, whatever a study holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from analysis.figures.stage_tree import ENDS, TRUNK, stage_tree
from analysis.stage_tree import stage_trees
from tune_regimes.schedule import Phase, Plateau, Schedule

Tables = tuple[pd.DataFrame, pd.DataFrame]


def two(transition: int, epochs: int = 10) -> Schedule:
    return Schedule((Phase(lr=0.1, epochs=transition), Phase(lr=0.01, epochs=epochs - transition)))


def study(count: int, **how: Any) -> list[Mapping[str, Any]]:
    """Trials that part after epochs 1, 2, ..., the later the better."""
    return [{"policy": two(each), "accuracy": 0.5 + each / 100, **how} for each in range(1, count + 1)]


def draw(tables: Tables, metric: str = "test_accuracy", mode: str = "max") -> Figure:
    return stage_tree(stage_trees(*tables), tables[0], metric, mode)


def lines(axes: Axes, name: str) -> LineCollection:
    (found,) = (each for each in axes.collections if each.get_gid() == name)
    assert isinstance(found, LineCollection)
    return found


def ends(axes: Axes, status: str) -> Sequence[tuple[float, float]]:
    """Where the markers of a status are; nothing where there are none."""
    return [
        tuple(place)
        for each in axes.collections
        if each.get_gid() == status
        for place in np.asarray(each.get_offsets())
    ]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def test_a_branch_per_trial_begins_where_it_parts(course_tables: Callable) -> None:
    axes = draw(course_tables(study(4))).axes[0]
    branches = sorted((line[0][0], line[1][0]) for line in lines(axes, "branches").get_segments())
    assert branches == [(1, 10), (2, 10), (3, 10), (3, 10)]
    joints = {line[0][0]: sorted(line[:, 1]) for line in lines(axes, "joints").get_segments()}
    assert joints == {1: [0, 3], 2: [1, 3], 3: [2, 3]}
    trunks = sorted((line[0][0], line[1][0], line[0][1]) for line in lines(axes, "trunks").get_segments())
    assert trunks == [(0, 1, 3), (1, 2, 3), (2, 3, 3)]


def test_transitions_are_marked_where_phases_begin(course_tables: Callable) -> None:
    axes = draw(course_tables(study(3))).axes[0]
    (marks,) = (line for line in axes.lines if line.get_gid() == "transitions")
    assert sorted(zip(*marks.get_data(), strict=True)) == [(1, 0), (2, 1), (3, 2)]


def test_a_trunk_is_grey_and_the_wider_the_more_trials_share_it(course_tables: Callable) -> None:
    trunks = lines(draw(course_tables(study(4))).axes[0], "trunks")
    starts = [line[0][0] for line in trunks.get_segments()]
    widths = [width for _, width in sorted(zip(starts, trunks.get_linewidths(), strict=True))]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3
    assert np.allclose(trunks.get_colors(), to_rgba(TRUNK))


def darkness(axes: Axes) -> list[float]:
    """How dark each branch is, the uppermost first."""
    branches = lines(axes, "branches")
    rows = [line[0][1] for line in branches.get_segments()]
    return [1 - float(np.mean(color[:3])) for _, color in sorted(zip(rows, branches.get_colors(), strict=True))]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_best_branch_is_the_darkest(course_tables: Callable, mode: str) -> None:
    figure = draw(course_tables(study(4)), mode=mode)
    shades = darkness(figure.axes[0])
    assert shades == sorted(shades, reverse=mode == "min")
    assert figure.axes[1].get_ylabel() == "final test accuracy (%)"


def test_a_broken_trial_does_not_take_the_colours_from_the_others(course_tables: Callable) -> None:
    shades = darkness(draw(course_tables([*study(6), {"policy": two(7), "accuracy": 0.1}])).axes[0])
    assert shades[5] - shades[0] > 0.15


def test_a_pruned_trial_does_not_take_the_colours_from_whole_ones(course_tables: Callable) -> None:
    pruned = {"policy": two(7), "accuracy": 0.3, "status": "pruned", "epochs": 8}
    figure = draw(course_tables([*study(2), pruned]))
    assert figure.axes[1].get_ylim() == pytest.approx((0.51, 0.52), abs=0.002)


def test_every_end_has_its_marker_where_it_is(course_tables: Callable) -> None:
    stopped = [
        {"policy": two(4), "epochs": epochs, "status": status, "accuracy": None}
        for epochs, status in ((2, "pruned"), (6, "diverged"), (3, "failed"), (9, "running"))
    ]
    figure = draw(course_tables([*study(3), *stopped]))
    axes = figure.axes[0]
    assert {status: sorted(x for x, _ in ends(axes, status)) for status in ENDS} == {
        "completed": [10, 10, 10],
        "pruned": [2],
        "diverged": [6],
        "failed": [3],
        "running": [9],
    }
    assert set(ENDS) <= set(legend(figure))


def test_trials_that_were_told_the_same_are_one_branch_with_both_points(course_tables: Callable) -> None:
    figure = draw(course_tables([*study(2), *study(1)]))
    assert len(lines(figure.axes[0], "branches").get_segments()) == 2
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["0, 2", "1"]


def test_many_points_on_one_branch_are_counted(course_tables: Callable) -> None:
    figure = draw(course_tables(study(1) * 7))
    assert [text.get_text() for text in figure.axes[0].texts] == ["0, 1, 2 +4"]


def test_seeds_lie_side_by_side_in_one_order(course_tables: Callable) -> None:
    first = [*study(3, seed=0), {"policy": Plateau(Phase(lr=1.0, epochs=10)), "accuracy": 0.9, "seed": 0}]
    second = [{**course, "seed": 1, "accuracy": 1 - course["accuracy"]} for course in first]
    figure = draw(course_tables([*first, *second]))
    panels = figure.axes[:2]
    assert [axes.get_title() for axes in panels] == ["seed 0", "seed 1"]
    orders = [[text.get_text() for text in sorted(axes.texts, key=lambda text: text.xy[1])] for axes in panels]
    assert orders[0] == orders[1]


def test_seeds_beyond_the_third_are_named_and_not_drawn(course_tables: Callable) -> None:
    figure = draw(course_tables([each for seed in range(5) for each in study(2, seed=seed)]))
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["seed 0", "seed 1", "seed 2"]
    assert "seeds not drawn: 3, 4" in figure.get_supxlabel()


def test_many_rows_are_drawn_without_labels_in_a_figure_of_bounded_height(course_tables: Callable) -> None:
    policies = [Schedule((Phase(lr=0.1, epochs=1), Phase(lr=lr, epochs=1))) for lr in np.geomspace(1e-4, 1e-2, 500)]
    figure = draw(course_tables([{"policy": policy, "accuracy": 0.5} for policy in policies]))
    assert len(lines(figure.axes[0], "branches").get_segments()) == 500
    assert not figure.axes[0].texts
    assert figure.get_figheight() < 30


HELD = {
    "one trial": [{"policy": two(4)}],
    "all diverged": [{"policy": two(4), "status": "diverged", "accuracy": None, "losses": [np.nan], "epochs": 1}] * 3,
    "only running": [{"policy": two(4), "status": "running", "accuracy": 0.4, "epochs": 2}],
    "no epoch": [{"policy": two(4), "status": "failed", "accuracy": None, "epochs": 0}],
    "all alike": [{"policy": two(each), "accuracy": 0.5} for each in (2, 4)],
    "one epoch": [{"policy": Schedule((Phase(lr=lr, epochs=1),))} for lr in (0.1, 0.2)],
    "adaptive": [{"policy": Plateau(Phase(lr=0.1, epochs=8), patience=n), "losses": [1.0] * 8} for n in (1, 3)],
    "infinite value": [{"policy": two(4), "accuracy": np.inf}, {"policy": two(5)}],
}


@pytest.mark.parametrize("held", HELD)
def test_a_picture_is_drawn_whatever_a_study_holds(course_tables: Callable, held: str) -> None:
    for metric in ("test_accuracy", "a_metric_that_nobody_reports"):
        draw(course_tables(HELD[held]), metric).draw_without_rendering()


def test_what_is_missing_is_said(course_tables: Callable) -> None:
    figure = draw(course_tables(HELD["no epoch"]))
    assert [text.get_text() for text in figure.axes[0].texts] == ["no trial has trained an epoch"]
    assert "trials without an epoch: 1" in figure.get_supxlabel()
    assert len(draw(course_tables(HELD["all diverged"])).axes) == 1
