from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis.intrinsic_lr.recovery import PREDICTED, claims, crossing, loss_recovery, recoveries
from analysis.verdicts import Verdict
from search_spaces.intrinsic_lr_points import recovery_schedule
from search_spaces.intrinsic_lr_rates import SMOKE
from tune_regimes.schedule import rescaled, weight_decay_for

POINTS = [
    ({"intrinsic_lr": rate}, recovery_schedule({"intrinsic_lr": rate}, rates=SMOKE, epochs=80))
    for rate in SMOKE.recovery
]


def verdicts(tables: Any) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables)}


def equal_lengths(epochs: int) -> list[Any]:
    return [
        (
            {"intrinsic_lr": rate},
            rescaled(epochs=epochs, lr=0.4, weight_decay=weight_decay_for(rate, 0.4), changes=[(epochs // 2, 0.1, 10)]),
        )
        for rate in SMOKE.recovery
    ]


def test_the_theory_itself_recovers_in_proportion_to_the_inverse_intrinsic_lr(simulated: Callable) -> None:
    found = verdicts(simulated(POINTS))
    assert {claim: verdict.verdict for claim, verdict in found.items()} == dict.fromkeys(
        ["P4-33", "P4-33b", "P4-08"], "holds"
    )
    assert found["P4-33"].statistics["slope"][0] == pytest.approx(1, abs=0.03)
    assert found["P4-33"].statistics["steps x intrinsic lr"] == pytest.approx(PREDICTED, rel=0.05)
    assert found["P4-08"].statistics["slope"][0] == pytest.approx(0.5, abs=0.02)
    assert found["P4-33"].n == {"runs": 12, "intrinsic lrs": 4}


def test_recovery_times_that_do_not_depend_on_it_refute_the_claim(simulated: Callable) -> None:
    tables = simulated(equal_lengths(80))
    trials, epochs = tables
    epochs["weight_norm"] = np.sqrt(
        epochs["lr"] * np.where(epochs["epoch"] <= 40, 1, 1 + 9 * np.exp(-(epochs["epoch"] - 40) / 5)) ** 2
    )
    assert verdicts((trials, epochs))["P4-33"].verdict == "does not hold"


def test_another_equilibrium_after_the_change_refutes_the_return(simulated: Callable) -> None:
    tables = simulated(POINTS, norm=lambda config, epoch: 0.2 * (epoch > 20) * (config["intrinsic_lr"] == 5e-3))
    assert verdicts(tables)["P4-33b"].verdict == "does not hold"


def test_another_power_refutes_the_square_root(simulated: Callable) -> None:
    assert verdicts(simulated(POINTS, power=0.2))["P4-08"].verdict == "does not hold"


def test_noise_leaves_the_slope_undecided(simulated: Callable) -> None:
    assert verdicts(simulated(POINTS, noise=0.4))["P4-08"].verdict == "undecided"


def test_two_rates_make_no_slope(simulated: Callable) -> None:
    found = verdicts(simulated(POINTS[:2]))
    assert (found["P4-33"].verdict, found["P4-08"].verdict) == ("undecided", "undecided")
    assert "at least 3 are needed" in found["P4-33"].note


def test_runs_that_never_recover_are_counted_and_left_out(simulated: Callable) -> None:
    verdict = verdicts(simulated(POINTS, speed=0.05, start=0.3))["P4-33"]
    assert verdict.verdict == "undecided"
    assert verdict.n["never recovered"] > 0


def test_a_start_that_was_not_in_equilibrium_is_said(simulated: Callable) -> None:
    assert "not in equilibrium before the change" in verdicts(simulated(equal_lengths(16), start=30.0))["P4-33"].note


@pytest.mark.parametrize("spoil", ["no norms", "none completed", "one seed"])
def test_what_is_missing_is_undecided_with_a_reason(simulated: Callable, spoil: str) -> None:
    trials, epochs = simulated(POINTS, seeds=1)
    if spoil == "no norms":
        epochs = epochs.drop(columns="weight_norm")
    if spoil == "none completed":
        trials = trials.assign(status="failed")
    verdict = verdicts((trials, epochs))["P4-33b"]
    assert (verdict.verdict, bool(verdict.note)) == ("undecided", True)


def test_the_effective_lr_starts_at_a_tenth(simulated: Callable) -> None:
    table = recoveries(*simulated(POINTS[:1], seeds=1))
    assert table["before"].tolist() == pytest.approx([np.log(np.sqrt(2 * 2.5e-3))], abs=0.01)
    assert table["steps"].tolist() == pytest.approx([PREDICTED / 2.5e-3], rel=0.02)


def test_a_crossing_is_interpolated_or_missing() -> None:
    steps = np.array([0.0, 10.0, 20.0])
    assert crossing(steps, np.array([0.0, 0.5, 0.4]), 0.25) == 5.0
    assert crossing(steps, np.array([1.0, 0.5, 0.4]), 0.25) == 0.0
    assert np.isnan(crossing(steps, np.array([0.0, 0.1, 0.2]), 0.25))


def test_a_loss_is_back_after_it_has_fallen() -> None:
    steps = np.arange(6.0)
    assert loss_recovery(steps, np.array([0.6, 0.2, 0.4, 0.8, 1.0, 1.0]), 1.0) == pytest.approx(3.2)
    assert np.isnan(loss_recovery(steps, np.full(6, 2.0), 1.0))
