from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.figures import generic, lr_momentum, transition_epoch
from analysis.figures.style import frame, panels, say_cut
from analysis.tables import seed_distance
from analysis.two_regimes.lr_momentum import sound_sweeps
from tests.analysis.drawing import draw


def sweep_figures(trials: pd.DataFrame, epochs: pd.DataFrame) -> list[Figure]:
    return [
        lr_momentum.accuracy_by_lr(trials, epochs),
        lr_momentum.best_loss_curves(trials, epochs),
        lr_momentum.matched_lrs(sound_sweeps(trials, epochs), seed_distance(trials, epochs)),
        lr_momentum.located_regimes(trials, epochs),
    ]


def test_every_arm_and_the_reference_are_in_the_legend(transition_tables: Callable) -> None:
    trials, _ = transition_tables(points=4)
    for make in (transition_epoch.accuracy_by_transition_epoch, transition_epoch.accuracy_distributions):
        labels = draw(make(trials))
        arms = {"with momentum in phase 1", "without momentum in phase 1"}
        assert {label.split(" (")[0] for label in labels} == arms | {"best three-step schedule"}


def test_every_phase_2_has_a_panel_with_the_bins_of_both_arms(transition_tables: Callable) -> None:
    figure = transition_epoch.accuracy_by_transition_epoch(transition_tables(points=6)[0])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [f"phase 2: {name}" for name in transition_epoch.SMALL.values()]
    assert [len(axes.containers) for axes in figure.axes] == [2, 2, 2, 2]
    assert all(len(container.lines[0].get_xdata()) == 3 for axes in figure.axes for container in axes.containers)


def test_the_reference_line_is_the_best_three_step_schedule(transition_tables: Callable) -> None:
    trials, _ = transition_tables(points=2, reference=0.93, noise=0.0)
    figure = transition_epoch.accuracy_by_transition_epoch(trials)
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert dashed[0].get_ydata()[0] == pytest.approx(0.94)


def test_the_sweep_is_drawn_with_a_line_per_momentum(sweep_tables: Callable) -> None:
    accuracy, losses, matched, regimes = (draw(figure) for figure in sweep_figures(*sweep_tables(points=8)))
    momenta = ["momentum 0", "momentum 0.9", "momentum 0.99"]
    assert set(momenta) <= set(accuracy)
    assert set(momenta) <= set(regimes)
    assert [label.split(",")[0] for label in losses] == momenta
    assert set(momenta[1:]) <= set(matched)


def test_step_size_is_the_learning_rate_over_one_minus_momentum(sweep_tables: Callable) -> None:
    left, right = lr_momentum.accuracy_by_lr(*sweep_tables(points=8)).axes
    x = [axes.containers[1].lines[0].get_xdata() for axes in (left, right)]
    assert np.asarray(x[1]) == pytest.approx(np.asarray(x[0]) / (1 - 0.9))


@pytest.mark.parametrize("spoil", ["nothing left", "all diverged", "one seed and momentum"])
def test_figures_are_drawn_whatever_is_missing(transition_tables: Callable, sweep_tables: Callable, spoil: str) -> None:
    trials, _ = transition_tables(points=2, seeds=1 if spoil == "one seed and momentum" else 2)
    sweep, epochs = sweep_tables(points=4, seeds=1, momenta=(0.0,) if spoil == "one seed and momentum" else (0.0, 0.9))
    if spoil in ("all diverged", "nothing left"):
        status = "diverged" if spoil == "all diverged" else "running"
        trials, sweep = (table.assign(status=status, final_test_accuracy=np.nan) for table in (trials, sweep))
    figures = [transition_epoch.accuracy_by_transition_epoch(trials), transition_epoch.accuracy_distributions(trials)]
    for figure in [*figures, *sweep_figures(sweep, epochs), generic.metric_by_setting(trials, "test_accuracy")]:
        draw(figure)


def test_a_broken_run_does_not_flatten_the_others() -> None:
    figure, (axes,) = panels(1, 1, (4.0, 3.0))
    values = [0.1, 0.90, 0.91, 0.92, 0.93, 0.94]
    frame(axes, values)
    say_cut(axes, values)
    assert axes.get_ylim()[0] > 0.8
    assert [text.get_text() for text in axes.texts] == ["1 lower not shown"]
    assert figure.axes == [axes]


def test_drawing_leaves_the_users_settings_alone(transition_tables: Callable) -> None:
    before = dict(matplotlib.rcParams)
    transition_epoch.accuracy_distributions(transition_tables(points=1)[0])
    assert dict(matplotlib.rcParams) == before


def test_the_course_of_a_trial_shows_where_its_phases_begin(sweep_tables: Callable) -> None:
    _, epochs = sweep_tables(points=2, momenta=(0.9,))
    epochs.loc[epochs["epoch"] > 8, "phase"] = 2
    figure = generic.schedule_of_trial(epochs, "00000-s0")
    dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == [8.0]


def test_numeric_settings_that_differ_are_drawn(transition_tables: Callable, sweep_tables: Callable) -> None:
    assert generic.numeric_settings(transition_tables(points=2)[0]) == ["transition_epoch"]
    assert generic.numeric_settings(sweep_tables(points=2)[0]) == ["momentum", "step_size"]
