from collections import Counter
from itertools import pairwise

import pytest

from search_spaces import find_study
from search_spaces.autodrop import (
    CONSTANT_LRS,
    FACTORS,
    INITIAL_LRS,
    STUDIES,
    constant_schedule,
    method_schedule,
)
from search_spaces.autodrop_recipes import DETECTION, RESNET, WIDE_RESNET
from tune_regimes.schedule import AutoDrop, told

SCALES = ("smoke", "replica", "paper")


def policy(method: str, *, scale: str = "paper", epochs: int = 200, recipe=RESNET, **config):
    return method_schedule({"method": method, **config}, recipe=recipe, detection=DETECTION[scale], epochs=epochs)


def settings(schedule, angles=(), epochs: int = 200) -> list:
    """What each epoch is told where the angular velocity takes these values, and then no longer changes."""
    records = [{"angular_velocity": angle} for angle in [*angles, *[90.0] * epochs]]
    return [each for each, _ in told(schedule, records, 10)]


def test_the_printed_factors_and_learning_rates_are_exact() -> None:
    assert list(FACTORS.values()) == [0.1, 0.2, 0.5]
    assert CONSTANT_LRS == (0.3, 0.1, 0.03, 0.01, 0.003)
    assert INITIAL_LRS == (0.15, 0.1, 0.05, 0.03)


@pytest.mark.parametrize("method", FACTORS)
def test_autodrop_has_the_recommended_settings_at_the_paper_scale(method: str) -> None:
    found = policy(method)
    assert isinstance(found, AutoDrop)
    assert (found.threshold, found.max_threshold, found.delay, found.min_lr) == (0.01, 1.0, 20, 1e-4)
    assert (found.rho, found.literal) == (FACTORS[method], False)


def test_the_baseline_drops_by_five_at_epochs_60_120_and_160() -> None:
    trained = settings(policy("baseline"))
    drops = [epoch + 1 for epoch, (before, after) in enumerate(pairwise(trained)) if after.lr < before.lr]
    assert drops == [60, 120, 160]
    assert [trained[epoch].lr for epoch in (0, 60, 120, 160)] == pytest.approx([0.05, 0.01, 0.002, 0.0004])


@pytest.mark.parametrize(("scale", "epochs", "delay"), [("smoke", 24, 2), ("replica", 30, 3), ("paper", 200, 20)])
def test_the_delay_is_a_tenth_of_the_epochs(scale: str, epochs: int, delay: int) -> None:
    assert policy("rho 0.2", scale=scale, epochs=epochs).delay == delay
    assert STUDIES["table"].scale(scale).epochs == epochs


@pytest.mark.parametrize("recipe", [RESNET, WIDE_RESNET])
def test_methods_are_told_the_same_until_the_first_of_them_drops(recipe) -> None:
    angles = [float("nan"), *[60.0 + 2 * epoch for epoch in range(49)]]
    baseline, *courses = [settings(policy(method, recipe=recipe), angles) for method in ("baseline", *FACTORS)]
    saturated, dropped = 52, 52 + 20
    assert all(course[:saturated] == baseline[:saturated] for course in courses)
    assert all(course[:dropped] == courses[0][:dropped] for course in courses)
    assert [courses[0][epoch].average for epoch in (saturated - 1, saturated)] == [None, (0.0, 1.0)]
    assert len({course[dropped].lr for course in courses}) == len(courses)


@pytest.mark.parametrize("scale", SCALES)
def test_autodrop_reaches_its_floor_within_the_epochs_once_the_angle_stands_still(scale: str) -> None:
    epochs = STUDIES["table"].scale(scale).epochs
    trained = settings(policy("rho 0.2", scale=scale, epochs=epochs), epochs=epochs)
    assert trained[-1].lr == 1e-4


def test_the_initial_lr_moves_both_methods() -> None:
    for method in ("baseline", "rho 0.2"):
        assert settings(policy(method, lr=0.15))[0].lr == 0.15


def test_wide_residual_networks_have_the_settings_of_their_paper() -> None:
    first = settings(policy("rho 0.2", recipe=WIDE_RESNET))[0]
    assert (first.lr, first.momentum, first.weight_decay, first.nesterov) == (0.1, 0.9, 5e-4, True)


def test_the_angular_velocity_is_watched_at_constant_settings() -> None:
    phase = constant_schedule({"lr": 0.003}, recipe=RESNET, epochs=7).phases[0]
    assert (phase.lr, phase.momentum, phase.weight_decay, phase.epochs) == (0.003, 0.9, 1e-3, 7)


def test_the_paper_scale_is_the_first_row_of_table_1() -> None:
    for name in ("angular_velocity", "table", "initial_lr"):
        scale = STUDIES[name].scale("paper")
        assert (scale.task, scale.epochs) == ("cifar10/resnet18", 200)
        assert scale.task_options == {"batch_size": 128, "augment": True}
    assert STUDIES["table"].scale("paper").seeds == 4


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_built_at_every_scale(name: str, scale: str) -> None:
    study = find_study(f"autodrop.{name}")(scale, seeds=2, data=None if scale == "smoke" else "/pack")
    assert study.origin["study"] == f"autodrop.{name}"
    assert study.trials == 2 * {"angular_velocity": 5, "table": 4, "initial_lr": 8, "imagenet": 2}[name]


def test_on_imagenet_the_learning_rate_falls_by_ten_at_epochs_30_60_and_90_of_105() -> None:
    assert (STUDIES["imagenet"].scale("paper").task, STUDIES["imagenet"].scale("paper").epochs) == (
        "imagenet64/resnet18",
        105,
    )
    study = find_study("autodrop.imagenet")("paper", data="/pack")
    trained = settings(study.schedule({"method": "baseline"}), epochs=105)
    lrs = [trained[epoch].lr for epoch in (0, 29, 30, 59, 60, 89, 90, 104)]
    assert lrs == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001])
    assert {(each.momentum, each.weight_decay) for each in trained} == {(0.9, 1e-4)}
    automatic = study.schedule({"method": "rho 0.1"})
    assert isinstance(automatic, AutoDrop)
    assert (automatic.phase.lr, automatic.rho, automatic.threshold) == (0.1, 0.1, 0.01)


def test_the_settings_of_imagenet_are_its_row_s_whatever_stands_for_it_in_small() -> None:
    phase = find_study("autodrop.imagenet")("smoke").schedule({"method": "baseline"}).phases[0]
    assert (phase.lr, phase.weight_decay, phase.epochs) == (0.1, 1e-4, 8)


def test_every_method_runs_once_at_every_initial_lr() -> None:
    points = find_study("autodrop.initial_lr")("smoke").open_points({})
    cells = Counter((config["lr"], config["method"]) for config in map(points.config, range(points.total)))
    assert set(cells.values()) == {1}
    assert {lr for lr, _ in cells} == set(INITIAL_LRS)


def test_a_row_of_wide_residual_networks_is_asked_for_by_its_model() -> None:
    study = find_study("autodrop.table")("paper", model="wrn28_10", data="/pack")
    assert study.schedule({"method": "baseline"}).phases[0].lr == 0.1
