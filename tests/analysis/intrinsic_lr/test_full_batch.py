from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis.intrinsic_lr.full_batch import claims, described
from search_spaces.intrinsic_lr_points import full_batch_schedule
from search_spaces.intrinsic_lr_rates import SMOKE

POINTS = [
    ({"weight_decay": kind}, full_batch_schedule({"weight_decay": kind}, rates=SMOKE, epochs=80))
    for kind in ("on", "off")
]


def tables(simulated: Callable, drops: int, settled: bool = True, seeds: int = 5) -> Any:
    """Runs that fit everything after ten epochs, but for some drops while weight decay is on, and at the end or not."""
    trials, epochs = simulated(POINTS, seeds=seeds)
    course = np.where(np.arange(1, 81) < 10, 0.5, 1.0)
    falling = course.copy()
    falling[20 : 20 + 8 * drops : 8] = 0.6
    end = [] if settled else [75]
    falling[end], course[end] = 0.7, 0.7
    kinds = trials.set_index("trial_id")["config.weight_decay"]
    for trial, kind in kinds.items():
        epochs.loc[epochs["trial_id"] == trial, "train_accuracy"] = falling if kind == "on" else course
    return trials, epochs


def test_runs_that_leave_and_then_stay_are_told() -> None:
    assert POINTS[0][1].transitions == (60,)


def test_falling_while_weight_decay_is_on_and_staying_without_holds(simulated: Callable) -> None:
    found = claims(*tables(simulated, drops=3))
    assert [verdict.verdict for verdict in found] == ["holds", "holds"]
    assert found[0].statistics == {"runs that left": 5.0, "falls per run": 3.0}
    assert found[1].n == {"runs": 10}


def test_runs_that_stay_under_weight_decay_refute_it(simulated: Callable) -> None:
    assert claims(*tables(simulated, drops=0))[0].verdict == "does not hold"


def test_runs_that_do_not_stay_without_it_refute_the_other_half(simulated: Callable) -> None:
    assert claims(*tables(simulated, drops=3, settled=False))[1].verdict == "does not hold"


def test_two_runs_decide_nothing(simulated: Callable) -> None:
    assert claims(*tables(simulated, drops=3, seeds=2))[0].verdict == "undecided"


def test_falls_after_weight_decay_is_off_are_no_falls_under_it(simulated: Callable) -> None:
    table = described(*tables(simulated, drops=0, settled=False))
    assert table.loc[table["weight_decay"] == "on", "falls"].tolist() == [0] * 5
    assert table.loc[table["weight_decay"] == "off", "falls"].tolist() == [1] * 5


def test_runs_that_never_fit_are_undecided(simulated: Callable) -> None:
    trials, epochs = simulated(POINTS)
    verdict = claims(trials, epochs.assign(train_accuracy=0.8))[0]
    assert (verdict.verdict, verdict.note) == ("undecided", "no run reached full training accuracy")


@pytest.mark.parametrize("claim", [0, 1])
def test_no_completed_run_is_undecided(simulated: Callable, claim: int) -> None:
    trials, epochs = simulated(POINTS)
    assert claims(trials.assign(status="failed"), epochs)[claim].verdict == "undecided"
