from collections import Counter
from dataclasses import replace

import pytest

from search_spaces import find_study
from search_spaces.two_regimes import MOMENTA, PAPER, RATES, STEP_SIZES, STUDIES, sweep_schedule, transition_schedule

SCALES = ("smoke", "replica", "paper")


def settings(config: dict, scale: str, epochs: int) -> list:
    schedule = transition_schedule(config, rates=RATES[scale], epochs=epochs)
    return [schedule.settings(epoch, 10) for epoch in range(epochs)]


def test_the_printed_phases_are_exact() -> None:
    printed = {
        "momentum": (0.1, 0.9),
        "no_momentum": (0.9236708571873865, 0.0),
        "classic": (0.001, 0.9),
        "reduced": (0.0001, 0.995),
        "fig7": (0.005, 0.95),
    }
    phases = {**PAPER.large, **PAPER.small}
    for name, (lr, momentum) in printed.items():
        assert phases[name].lr.hex() == lr.hex()
        assert phases[name].beta1 == momentum
        assert phases[name].optimizer == "sgd"
        assert not phases[name].nesterov
    assert phases["adamw"].optimizer == "adamw"


def test_the_paper_scale_is_as_printed() -> None:
    for entry in STUDIES.values():
        scale = entry.scale("paper")
        assert scale.task == "cifar10/vgg13_bn"
        assert scale.task_options == {"batch_size": 256, "augment": True}
    assert STUDIES["lr_momentum"].scale("paper").epochs == 50
    assert STUDIES["lr_momentum"].scale("paper").samples == 20


def test_the_transition_epoch_is_where_the_phase_changes() -> None:
    trained = settings({"large": "no_momentum", "small": "reduced", "transition_epoch": 3}, "paper", 5)
    assert [epoch.lr for epoch in trained] == [0.9236708571873865] * 3 + [1e-4] * 2
    assert [epoch.momentum for epoch in trained] == [0.0] * 3 + [0.995] * 2
    assert [epoch.weight_decay for epoch in trained] == [1e-4] * 5


def test_momentum_starts_from_zero_in_phase_2() -> None:
    trained = settings({"large": "momentum", "small": "classic", "transition_epoch": 3}, "paper", 5)
    assert [epoch.reset for epoch in trained] == [False] * 3 + [True] + [False]


def test_adamw_follows_with_its_own_weight_decay() -> None:
    trained = settings({"large": "momentum", "small": "adamw", "transition_epoch": 2}, "paper", 4)
    assert [epoch.optimizer for epoch in trained] == ["sgd", "sgd", "adamw", "adamw"]
    assert [epoch.weight_decay for epoch in trained] == [1e-4, 1e-4, 1e-2, 1e-2]


@pytest.mark.parametrize("scale", SCALES)
def test_the_reference_drops_twice_at_constant_momentum(scale: str) -> None:
    trained = settings({"large": "three_step", "small": "three_step", "transition_epoch": 6}, scale, 12)
    first = RATES[scale].three_step
    assert [epoch.lr for epoch in trained] == pytest.approx([first] * 6 + [0.1 * first] * 3 + [0.01 * first] * 3)
    assert {epoch.momentum for epoch in trained} == {0.9}
    assert not any(epoch.reset for epoch in trained)


def test_the_step_size_is_the_lr_over_one_minus_the_momentum() -> None:
    for momentum in MOMENTA:
        phase = sweep_schedule({"momentum": momentum, "step_size": 0.3}, epochs=7).phases[0]
        assert phase.lr / (1 - momentum) == pytest.approx(0.3)
        assert (phase.momentum, phase.weight_decay, phase.epochs) == (momentum, 1e-4, 7)


def test_the_printed_ranges_are_one_range_of_step_sizes() -> None:
    printed = {0.0: (1e-3, 10.0), 0.9: (1e-4, 1.0), 0.99: (1e-5, 0.1)}
    for momentum, (low, high) in printed.items():
        assert [size * (1 - momentum) for size in STEP_SIZES] == pytest.approx([low, high])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_built_at_every_scale(name: str, scale: str) -> None:
    study = find_study(f"two_regimes.{name}")(scale, samples=2, data=None if scale == "smoke" else "/pack")
    assert study.origin["study"] == f"two_regimes.{name}"
    assert study.origin["scale"] == scale
    assert study.origin["options"]["samples"] == 2
    assert study.samples == 2


def test_every_arm_gets_as_many_points_and_the_reference_three() -> None:
    study = find_study("two_regimes.transition_epoch")("smoke", samples=2, seeds=2)
    points = study.open_points({})
    arms = Counter((config["large"], config["small"]) for config in map(points.config, range(points.total)))
    assert arms.pop(("three_step", "three_step")) == 3
    assert len(arms) == 8
    assert set(arms.values()) == {2}
    assert study.trials == (3 + 16) * 2


def test_the_smallest_study_still_has_enough_trials() -> None:
    study = find_study("two_regimes.transition_epoch")()
    assert study.trials >= 24
    assert len(study.seeds) == 3


def test_reference_schedules_fit_into_few_epochs() -> None:
    study = find_study("two_regimes.transition_epoch")("smoke", epochs=3)
    assert [point["transition_epoch"] for point in study.points_to_evaluate] == [1]


def test_rates_may_be_replaced() -> None:
    rates = replace(PAPER, three_step=0.5)
    config = {"large": "three_step", "small": "three_step", "transition_epoch": 2}
    assert transition_schedule(config, rates=rates, epochs=6).phases[0].lr == 0.5
