from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.tables import points
from analysis.two_regimes.transition_epoch import (
    aggressive_phase_2,
    best_against_reference,
    bin_medians,
    claims,
    distinct,
    held_out,
    momentum_for_other_phase_2,
    momentum_in_phase_1,
    transition_bins,
)


@pytest.mark.parametrize("paired", [True, False])
def test_equal_arms_are_shown_to_be_equal(transition_tables: Callable, paired: bool) -> None:
    verdict = momentum_in_phase_1(points(transition_tables(points=40, paired=paired)[0]), "classic", "P0-18")
    assert verdict.verdict == "holds"
    assert verdict.p_values["TOST"] < 0.05
    assert verdict.n["points with"] == 40


@pytest.mark.parametrize("paired", [True, False])
def test_a_difference_beyond_the_margin_is_shown(transition_tables: Callable, paired: bool) -> None:
    table = points(transition_tables(points=30, momentum_effect=-0.04, paired=paired)[0])
    assert momentum_in_phase_1(table, "classic", "P0-18").verdict == "does not hold"


def test_equality_is_not_concluded_from_noise(transition_tables: Callable) -> None:
    table = points(transition_tables(points=5, noise=0.1)[0])
    verdict = momentum_in_phase_1(table, "classic", "P0-18")
    assert verdict.p_values["Mann-Whitney"] > 0.05
    assert verdict.verdict == "undecided"


def test_equal_means_with_unlike_shapes_are_undecided(transition_tables: Callable) -> None:
    trials, _ = transition_tables(points=40, noise=0.0, seeds=1)
    spread = (trials["config.large"] == "momentum") & (trials["config.small"] == "classic")
    trials.loc[spread, "final_test_accuracy"] = 0.88 + 0.012 * np.resize([-1.0, 1.0], spread.sum())
    other = (trials["config.large"] == "no_momentum") & (trials["config.small"] == "classic")
    trials.loc[other, "final_test_accuracy"] = 0.88
    verdict = momentum_in_phase_1(points(trials), "classic", "P0-18")
    assert verdict.verdict == "undecided"
    assert "Kolmogorov-Smirnov" in verdict.note


def test_an_arm_that_diverges_more_often_is_different(transition_tables: Callable) -> None:
    table = points(transition_tables(points=10, diverged={("momentum", "classic"): 12})[0])
    verdict = momentum_in_phase_1(table, "classic", "P0-18")
    assert (verdict.verdict, verdict.test) == ("does not hold", "Fisher's exact test")
    assert verdict.n["diverged"] == 12


def test_many_diverged_runs_in_both_arms_leave_it_undecided(transition_tables: Callable) -> None:
    diverged = {("momentum", "classic"): 9, ("no_momentum", "classic"): 9}
    verdict = momentum_in_phase_1(points(transition_tables(diverged=diverged)[0]), "classic", "P0-18")
    assert verdict.verdict == "undecided"
    assert "25% of the runs with diverged" in verdict.note


@pytest.mark.parametrize(("effect", "expected"), [(0.02, "holds"), (-0.02, "does not hold"), (0.0, "undecided")])
def test_aggressive_phase_2_is_judged_in_both_directions(
    transition_tables: Callable, effect: float, expected: str
) -> None:
    table = points(transition_tables(reduced_effect=effect, rng_seed=4)[0])
    assert aggressive_phase_2(table).verdict == expected


def test_every_phase_2_must_be_shown(transition_tables: Callable) -> None:
    assert momentum_for_other_phase_2(points(transition_tables()[0])).verdict == "holds"
    one_differs = points(transition_tables(momentum_effect={"adamw": 0.05})[0])
    verdict = momentum_for_other_phase_2(one_differs)
    assert verdict.verdict == "does not hold"
    assert "adamw: does not hold" in verdict.note
    few = points(transition_tables()[0])
    assert momentum_for_other_phase_2(few[few["small"] != "adamw"]).verdict == "undecided"


@pytest.mark.parametrize(
    ("best", "noise", "expected"),
    [(0.93, 0.002, "holds"), (0.90, 0.002, "holds"), (0.80, 0.002, "does not hold"), (0.88, 0.04, "undecided")],
)
def test_the_best_bin_is_held_against_the_reference(
    transition_tables: Callable, best: float, noise: float, expected: str
) -> None:
    trials, _ = transition_tables(best=best, reference=0.90, noise=noise, rng_seed=2)
    assert best_against_reference(trials).verdict == expected


def test_picking_the_best_of_many_bins_does_not_make_it_good(transition_tables: Callable) -> None:
    rng = np.random.default_rng(0)
    trials, _ = transition_tables(points=5, seeds=4)
    excess = []
    for _ in range(30):
        noise = pd.Series(rng.normal(size=len(trials)), index=trials.index)
        wide = trials.assign(value=noise).pivot(index="point", columns="seed", values="value")
        excess.append(held_out(wide, {k: [3 + 3 * k, 4 + 3 * k, 5 + 3 * k] for k in range(10)}).mean())
    assert abs(np.mean(excess)) < 0.2


def test_bins_hold_equal_counts_in_order_of_the_transition_epoch() -> None:
    table = pd.DataFrame({"transition_epoch": [9, 1, 5, 3, 7, 11, 2], "value": np.arange(7.0)}, index=range(10, 17))
    assert transition_bins(table) == {0: [11, 16], 1: [13, 12], 2: [14, 10], 3: [15]}
    medians = bin_medians(table)
    assert medians["points"].tolist() == [2, 2, 2, 1]
    assert medians["center"].tolist() == [1.5, 4.0, 8.0, 11.0]
    assert medians["median"].tolist() == [3.5, 2.5, 2.0, 5.0]


def test_there_are_at_most_ten_bins_and_none_without_points() -> None:
    table = pd.DataFrame({"transition_epoch": range(100), "value": 0.5})
    assert len(transition_bins(table)) == 10
    assert transition_bins(table.iloc[:0]) == {}
    assert len(transition_bins(table.iloc[:2])) == 1


@pytest.mark.parametrize("points_per_arm", [0, 1])
def test_too_little_is_undecided_with_a_reason(transition_tables: Callable, points_per_arm: int) -> None:
    for verdict in claims(transition_tables(points=points_per_arm, seeds=1)[0]):
        assert verdict.verdict == "undecided"
        assert verdict.note


def test_all_diverged_is_undecided_with_a_reason(transition_tables: Callable) -> None:
    trials, _ = transition_tables(points=4)
    trials = trials.assign(status="diverged", final_test_accuracy=np.nan)
    for verdict in claims(trials):
        assert verdict.verdict == "undecided"
        assert verdict.note


def test_missing_reference_is_undecided_with_a_reason(transition_tables: Callable) -> None:
    trials, _ = transition_tables()
    verdict = best_against_reference(trials[trials["config.large"] != "three_step"])
    assert (verdict.verdict, verdict.note) == ("undecided", "no three-step schedule completed in every seed")


def test_a_transition_epoch_that_was_drawn_twice_counts_once() -> None:
    table = pd.DataFrame(
        {
            "large": ["momentum", "momentum", "no_momentum"],
            "small": ["classic"] * 3,
            "transition_epoch": [8, 8, 8],
            "value": [0.4, 0.4, 0.3],
        }
    )
    assert distinct(table).index.tolist() == [0, 2]
