from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from analysis.intrinsic_lr.decay_kind import claims, decayed, long_enough, settling
from analysis.intrinsic_lr.effective_lr import courses
from analysis.verdicts import Verdict
from tune_regimes.schedule.families.equilibrium import figure_4

POINTS = [
    ({"decays": kind}, figure_4(kind, epochs=66, unit=6, halvings=5, lr=3.2, weight_decay=0.02))
    for kind in ("lr", "weight_decay")
]
CLAIMS = ["P4-19", "P4-19b", "P4-19c", "P4-16", "P4-08"]


def verdicts(tables: Any) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables)}


def apart(config: Mapping[str, Any], epoch: int) -> float:
    """An effect on the arm whose weight decay is halved, late."""
    return 0.1 * (config["decays"] == "weight_decay" and epoch > 36)


def test_the_theory_makes_no_difference_between_the_two(simulated: Callable) -> None:
    found = verdicts(simulated(POINTS))
    assert {claim: verdict.verdict for claim, verdict in found.items()} == dict.fromkeys(CLAIMS, "holds")
    assert found["P4-16"].statistics["ratio in equilibrium"][0] == pytest.approx(2**-0.5, rel=0.02)
    assert found["P4-08"].statistics["slope"][0] == pytest.approx(0.5, abs=0.02)


def test_the_fine_tuning_is_no_stretch_with_weight_decay(simulated: Callable) -> None:
    rows = courses(*simulated(POINTS))
    assert decayed(rows) == [(1, 6), (7, 12), (13, 18), (19, 24), (25, 36), (37, 60)]
    times = [0.064 / 2**k * 25 * epochs for k, epochs in enumerate([6, 6, 6, 6, 12, 24])]
    assert long_enough(rows) == [stretch for stretch, t in zip(decayed(rows), times, strict=True) if t >= 1]


def test_an_arm_whose_norm_stays_apart_refutes_the_effective_lr(simulated: Callable) -> None:
    assert verdicts(simulated(POINTS, norm=apart))["P4-19"].verdict == "does not hold"


def test_an_arm_whose_accuracy_stays_apart_refutes_the_accuracy(simulated: Callable) -> None:
    found = verdicts(simulated(POINTS, accuracy=apart))
    assert (found["P4-19"].verdict, found["P4-19b"].verdict) == ("holds", "does not hold")


def test_an_equilibrium_in_proportion_to_the_intrinsic_lr_refutes_both_laws_of_the_root(simulated: Callable) -> None:
    found = verdicts(simulated(POINTS, power=2.0))
    assert (found["P4-16"].verdict, found["P4-08"].verdict) == ("does not hold", "does not hold")


def test_settling_faster_at_smaller_rates_refutes_that_it_is_slower(simulated: Callable) -> None:
    trials, epochs = simulated(POINTS, noise=0.0)
    since = epochs.groupby(["trial_id", "lr", "weight_decay"]).cumcount()
    intrinsic = epochs["lr"] * epochs["weight_decay"]
    # Where the intrinsic learning rate is larger it takes longer.
    lag = np.exp(-(since + 1) / (4 * intrinsic.clip(lower=1e-4) / 0.064 + 0.5))
    late = np.log(np.sqrt(2 * intrinsic.clip(lower=1e-6)))
    arms = epochs["trial_id"].map(trials.set_index("trial_id")["config.decays"])
    log_effective = late + 0.35 * lag * np.where(arms == "lr", -1, 1)
    epochs["weight_norm"] = np.sqrt(epochs["lr"] / np.exp(log_effective))
    assert verdicts((trials, epochs))["P4-19c"].verdict == "does not hold"


def test_noise_decides_nothing(simulated: Callable) -> None:
    found = verdicts(simulated(POINTS, noise=0.3))
    assert {found[claim].verdict for claim in ("P4-19", "P4-19b", "P4-16")} == {"undecided"}


@pytest.mark.parametrize("spoil", ["no norms", "one arm", "none completed", "short"])
def test_what_is_missing_is_undecided_with_a_reason(simulated: Callable, spoil: str) -> None:
    points = POINTS[:1] if spoil == "one arm" else POINTS
    if spoil == "short":
        points = [
            ({"decays": kind}, figure_4(kind, epochs=11, unit=1, halvings=5, weight_decay=0.001))
            for kind in ("lr", "weight_decay")
        ]
    trials, epochs = simulated(points)
    epochs = epochs.drop(columns="weight_norm") if spoil == "no norms" else epochs
    trials = trials.assign(status="failed") if spoil == "none completed" else trials
    found = verdicts((trials, epochs))
    expected = {"no norms": {"P4-19b": "holds"}, "one arm": {}, "none completed": {}, "short": {}}[spoil]
    undecided = ("P4-08", "P4-16", "P4-19c") if spoil == "short" else set(CLAIMS) - set(expected) - _judged(spoil)
    assert all((found[claim].verdict, bool(found[claim].note)) == ("undecided", True) for claim in undecided)


def _judged(spoil: str) -> set[str]:
    """Claims about one arm alone can be judged on one arm; without norms there are no stretches to average over."""
    return {"one arm": {"P4-19c", "P4-16", "P4-08"}, "no norms": {"P4-19b"}}.get(spoil, set())


def test_steps_to_settle_are_those_of_the_relaxation(simulated: Callable) -> None:
    table = settling(courses(*simulated(POINTS, noise=0.0)))
    assert set(table["arm"]) == {"lr", "weight_decay"}
    slow = table.groupby("intrinsic_lr")["steps"].mean()
    assert slow.sort_index(ascending=False).is_monotonic_increasing
