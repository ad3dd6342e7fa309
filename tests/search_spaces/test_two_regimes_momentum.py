from collections import Counter

import pytest

from search_spaces import find_study
from search_spaces.two_regimes_momentum import DESCENT, MOMENTA, STOCHASTIC, descent_schedule, regime_schedule

SCALES = ("smoke", "replica", "paper")


def points(study: object) -> list[dict]:
    opened = study.open_points({})
    return [opened.config(number) for number in range(opened.total)]


def test_the_printed_regimes_are_exact() -> None:
    printed = STOCHASTIC["paper"], DESCENT["paper"].regimes
    assert [(regimes.large, regimes.small) for regimes in printed] == [(0.1, 0.001), (0.1, 0.01)]
    assert printed[0].threshold == 3e-4
    assert MOMENTA == (0.0, 0.5, 0.9)


@pytest.mark.parametrize("scale", SCALES)
def test_every_regime_is_trained_at_every_momentum(scale: str) -> None:
    study = find_study("two_regimes.momentum")(scale, data=None if scale == "smoke" else "/pack")
    arms = [(config["regime"], config["momentum"]) for config in points(study)]
    assert sorted(arms) == [(regime, momentum) for regime in ("large", "small") for momentum in MOMENTA]


def test_a_regime_has_one_learning_rate_and_the_weight_decay_of_the_paper() -> None:
    for regime, lr in (("large", 0.1), ("small", 0.001)):
        for momentum in MOMENTA:
            config = {"regime": regime, "momentum": momentum}
            phase = regime_schedule(config, regimes=STOCHASTIC["paper"], epochs=7).phases[0]
            assert (phase.lr, phase.momentum, phase.weight_decay, phase.epochs) == (lr, momentum, 1e-4, 7)


def test_the_momentum_is_watched_with_the_final_weights_in_sight() -> None:
    (probe,) = find_study("two_regimes.momentum")().probes
    assert {"momentum_alignment", "momentum_scale"} <= {column.name for column in probe.columns()}
    assert probe.ahead(30) == (30,)
    assert not find_study("two_regimes.gradient_descent")().probes


@pytest.mark.parametrize("scale", SCALES)
def test_full_gradients_have_both_regimes_and_a_sweep_of_each_momentum(scale: str) -> None:
    data = None if scale == "smoke" else "/pack"
    study = find_study("two_regimes.gradient_descent")(scale, samples=2, data=data)
    arms = Counter((config["regime"], config["momentum"]) for config in points(study))
    sweep = {("sweep", momentum): 2 for momentum in DESCENT[scale].momenta}
    assert arms == sweep | {(regime, momentum): 1 for regime in ("large", "small") for momentum in MOMENTA}


@pytest.mark.parametrize("scale", SCALES)
def test_the_step_sizes_of_the_sweep_are_in_the_range_of_the_scale(scale: str) -> None:
    data = None if scale == "smoke" else "/pack"
    low, high = DESCENT[scale].step_sizes
    for config in points(find_study("two_regimes.gradient_descent")(scale, samples=3, data=data)):
        schedule = descent_schedule(config, descent=DESCENT[scale], epochs=5)
        (phase,) = schedule.phases
        assert phase.lr / (1 - phase.momentum) == pytest.approx(config["step_size"])
        if config["regime"] == "sweep":
            assert low <= config["step_size"] <= high
            assert phase.weight_decay == 0.0
        else:
            assert phase.lr == DESCENT[scale].regimes.lr(config["regime"])
            assert phase.weight_decay == 1e-4


@pytest.mark.parametrize("steps", [1, 195])
def test_a_step_takes_the_gradients_of_a_whole_epoch(steps: int) -> None:
    config = {"regime": "large", "momentum": 0.9, "step_size": 1.0}
    schedule = descent_schedule(config, descent=DESCENT["paper"], epochs=3)
    assert [schedule.settings(epoch, steps).batches_per_step for epoch in range(3)] == [steps] * 3


def test_batchnorm_sees_all_images_where_they_fit_and_batches_of_256_where_not() -> None:
    entry = find_study("two_regimes.gradient_descent")
    assert {name: entry.scale(name).task_options["batch_size"] for name in SCALES} == {
        "smoke": "full",
        "replica": "full",
        "paper": 256,
    }
    assert entry.scale("replica").task_options["augment"] is False
