from collections.abc import Callable
from typing import Any

import pytest

from analysis.intrinsic_lr.initialisation import claims, robust, slopes
from analysis.verdicts import Verdict
from search_spaces.intrinsic_lr_points import drawn, initialisation_schedule
from search_spaces.intrinsic_lr_rates import SMOKE

VALUES = drawn("smoke", 40)["initialisation"]
CONFIGS = [{"start": start, "weight_decay": decay} for start in VALUES["start"] for decay in VALUES["weight_decay"]]
POINTS = [(config, initialisation_schedule(config, rates=SMOKE, epochs=40)) for config in CONFIGS]
HUGE = 1e5


def verdicts(tables: Any, **options: Any) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables, **options)}


def test_a_norm_that_only_decays_falls_by_twice_the_intrinsic_lr(simulated: Callable) -> None:
    verdict = verdicts(simulated(POINTS, start=HUGE, noise=1e-4))["P4-30"]
    assert verdict.verdict == "holds"
    assert verdict.n == {"runs": 12}
    slowest = verdict.statistics["small start, weight decay 0.005"]
    ratios = [verdict.statistics[f"{start} start, weight decay {decay:g}"] / slowest for start, decay in
              (("large", 0.005), ("small", 0.025), ("large", 0.025))]  # fmt: skip
    assert ratios == pytest.approx([10, 5, 50], rel=0.05)


def test_another_decay_refutes_it(simulated: Callable) -> None:
    trials, epochs = simulated(POINTS, start=HUGE, noise=1e-4)
    epochs["weight_norm"] **= 1.3
    assert verdicts((trials, epochs))["P4-30"].verdict == "does not hold"


def test_a_start_near_the_equilibrium_shows_no_slope(simulated: Callable) -> None:
    verdict = verdicts(simulated(POINTS, start=2.0))["P4-30"]
    assert (verdict.verdict, verdict.note) == ("undecided", "no two runs whose gradient is negligible at first")


@pytest.mark.parametrize(("effect", "expected"), [(0.3, "holds"), (-0.9, "does not hold")])
def test_the_large_start_is_compared_with_the_small_one(simulated: Callable, effect: float, expected: str) -> None:
    trials, epochs = simulated(POINTS, accuracy=lambda config, epoch: effect * (config["start"] == "large"))
    assert verdicts((trials, epochs))["P4-30b"].verdict == expected


def test_no_rescue_is_concluded_from_noise(simulated: Callable) -> None:
    trials, epochs = simulated(POINTS, noise=0.5)
    assert verdicts((trials, epochs))["P4-30b"].verdict == "undecided"


def test_initialisations_are_compared_where_their_studies_are_given(simulated: Callable) -> None:
    trials, _ = simulated(POINTS)
    assert robust({"ntk": trials, "kaiming": trials}).verdict == "holds"
    worse = trials.assign(final_test_accuracy=trials["final_test_accuracy"] - 0.2)
    assert robust({"ntk": trials, "kaiming": worse}).verdict == "does not hold"
    assert robust({"ntk": trials}).verdict == "undecided"


def test_tables_without_norms_have_no_slopes(simulated: Callable) -> None:
    trials, epochs = simulated(POINTS, start=HUGE)
    assert slopes(trials, epochs.drop(columns="weight_norm")).empty
    assert verdicts((trials.assign(status="failed"), epochs))["P4-30b"].verdict == "undecided"
