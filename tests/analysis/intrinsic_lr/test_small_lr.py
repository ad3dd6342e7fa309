from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from analysis.intrinsic_lr.small_lr import accuracies, better_from_smaller, claims
from search_spaces.intrinsic_lr_points import label_schedule, labels, level_schedule
from search_spaces.intrinsic_lr_rates import REPLICA

LABELS = labels("replica", 20)
POINTS = [({"label": label}, label_schedule({"label": label}, rates=REPLICA, epochs=20)) for label in LABELS]
LEVELS = [({"lr": lr}, level_schedule({"lr": lr}, rates=REPLICA, epochs=20)) for lr in REPLICA.levels_lr]


def finals(simulated: Callable, points: Any, means: list[float], noise: float = 0.002) -> pd.DataFrame:
    """Trials whose final accuracies are those means with a little noise."""
    trials, _ = simulated(points, seeds=4)
    wobble = [noise * (-1.0) ** seed for seed in trials["seed"]]
    return trials.assign(final_test_accuracy=[means[point] for point in trials["point"]] + pd.Series(wobble))


@pytest.mark.parametrize(("small", "expected"), [(0.9, "holds"), (0.93, "holds"), (0.8, "does not hold")])
def test_a_small_lr_is_compared_with_the_baseline(simulated: Callable, small: float, expected: str) -> None:
    verdict = claims(finals(simulated, POINTS, [0.9, small, 0.9]))[0]
    assert (verdict.claim, verdict.verdict) == ("P4-14", expected)
    assert verdict.n == {LABELS[1]: 4, LABELS[0]: 4}


def test_it_is_compared_with_a_large_start_of_the_same_length_too(simulated: Callable) -> None:
    first, second = claims(finals(simulated, POINTS, [0.9, 0.9, 0.97]))
    assert (first.verdict, second.verdict) == ("holds", "does not hold")
    assert LABELS[2] in second.n


def test_noise_decides_nothing(simulated: Callable) -> None:
    assert {verdict.verdict for verdict in claims(finals(simulated, POINTS, [0.9, 0.9, 0.9], 0.1))} == {"undecided"}


def test_without_a_baseline_there_is_nothing_to_reach(simulated: Callable) -> None:
    trials = finals(simulated, POINTS, [0.9, 0.9, 0.9])
    for verdict in claims(trials[trials["config.label"] == LABELS[1]]):
        assert (verdict.verdict, verdict.note) == ("undecided", "1 groups completed, two are needed")


def test_diverged_runs_are_no_accuracies(simulated: Callable) -> None:
    trials = finals(simulated, POINTS, [0.9, 0.9, 0.9])
    trials.loc[0, "status"] = "diverged"
    assert len(accuracies(trials)[LABELS[0]]) == 3


@pytest.mark.parametrize(
    ("means", "noise", "expected"),
    [
        ([0.9, 0.88, 0.86], 0.002, "holds"),
        ([0.86, 0.88, 0.9], 0.002, "does not hold"),
        ([0.9, 0.88, 0.9], 0.05, "undecided"),
    ],
)
def test_smaller_rates_are_better_worse_or_neither(
    simulated: Callable, means: list[float], noise: float, expected: str
) -> None:
    verdict = better_from_smaller(finals(simulated, LEVELS, means, noise))
    assert (verdict.claim, verdict.verdict, verdict.n) == ("P4-15", expected, {"lrs": 3, "runs": 12})


def test_two_levels_are_too_few(simulated: Callable) -> None:
    verdict = better_from_smaller(finals(simulated, LEVELS[:2], [0.9, 0.8]))
    assert (verdict.verdict, verdict.note) == ("undecided", "at least 3 lrs with seeds are needed")
