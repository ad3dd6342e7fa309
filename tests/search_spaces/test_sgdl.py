from collections import Counter

import pytest

from search_spaces import find_study
from search_spaces.sgdl import (
    IMAGENET32,
    PRINTED,
    STUDIES,
    SWEEP,
    TABLE_1,
    follows_rule,
    method_schedule,
    methods,
    sweep_schedule,
)

SCALES = ("smoke", "replica", "paper")


def settings(optimizer: str, lr: float, epochs: int = 150) -> list:
    schedule = method_schedule({"method": {"optimizer": optimizer, "lr": lr}}, epochs=epochs)
    return [schedule.settings(epoch, 10) for epoch in range(epochs)]


def test_the_learning_rates_of_table_1_are_exact() -> None:
    assert TABLE_1["SGD"] == TABLE_1["SGDM"] == (0.001, 0.01, 0.05, 0.1)
    assert TABLE_1["SGDL"] == (1.0, 1.1, 1.2, 1.3)
    assert TABLE_1["Adam"] == (0.0001, 0.001, 0.01)
    assert TABLE_1["AdaDelta"] == (1.0,)
    assert (min(SWEEP), max(SWEEP)) == (0.2, 1.0)
    assert {0.2, 0.4} < set(SWEEP)


@pytest.mark.parametrize("optimizer", ["SGD", "SGDM", "SGDL", "Adam"])
def test_learning_rates_are_divided_by_ten_after_epochs_50_and_100(optimizer: str) -> None:
    lrs = [epoch.lr for epoch in settings(optimizer, 0.1)]
    assert lrs == pytest.approx([0.1] * 50 + [0.01] * 50 + [0.001] * 50)


def test_adadelta_keeps_its_learning_rate() -> None:
    found = settings("AdaDelta", 1.0)
    assert {(epoch.optimizer, epoch.lr, epoch.rho, epoch.weight_decay) for epoch in found} == {
        ("adadelta", 1.0, 0.9, 0.0)
    }


@pytest.mark.parametrize(("optimizer", "momentum"), [("SGD", 0.0), ("SGDM", 0.9), ("SGDL", 0.0)])
def test_sgd_has_the_printed_weight_decay_and_only_sgdm_has_momentum(optimizer: str, momentum: float) -> None:
    found = {(e.optimizer, e.momentum, e.weight_decay, e.nesterov, e.reset) for e in settings(optimizer, 0.1)}
    assert found == {("sgd", momentum, 0.005, False, False)}


def test_adam_has_the_printed_betas() -> None:
    found = {(e.optimizer, e.momentum, e.beta2, e.weight_decay) for e in settings("Adam", 0.001)}
    assert found == {("adam", 0.9, 0.999, 0.0)}


@pytest.mark.parametrize("task", PRINTED)
def test_every_printed_choice_is_in_the_grid_and_follows_the_rule(task: str) -> None:
    chosen = PRINTED[task]
    assert all(chosen[optimizer] in TABLE_1[optimizer] for optimizer in chosen)
    assert follows_rule(chosen["SGDL"], chosen["SGDM"])


def test_the_rule_admits_ten_times_exactly_and_nothing_below() -> None:
    assert follows_rule(1.0, 0.1)
    assert not follows_rule(0.99, 0.1)
    assert all(follows_rule(large, small) for large in TABLE_1["SGDL"] for small in TABLE_1["SGDM"])


def test_the_sweep_is_plain_sgd() -> None:
    for lr in SWEEP:
        assert sweep_schedule({"lr": lr}, epochs=12) == method_schedule(
            {"method": {"optimizer": "SGDL", "lr": lr}}, epochs=12
        )


@pytest.mark.parametrize("scale", SCALES)
def test_images_are_cropped_from_reflections_and_weights_start_from_kaiming(scale: str) -> None:
    for entry in STUDIES.values():
        options = entry.scale(scale).task_options
        assert (options["augment"], options["padding"], options["init"]) == (True, "reflect", "kaiming")


@pytest.mark.parametrize(
    ("name", "task", "epochs", "width"),
    [
        ("lr_sweep", "cifar10/resnet56", 150, 1),
        ("optimizers", "cifar10/resnet56", 150, 1),
        ("imagenet32", "imagenet32/resnet56", 120, 4),
    ],
)
def test_the_paper_scale_is_as_printed(name: str, task: str, epochs: int, width: float) -> None:
    scale = STUDIES[name].scale("paper")
    assert (scale.task, scale.epochs, scale.task_options["batch_size"]) == (task, epochs, 256)
    assert scale.task_options.get("width", 1) == width


def test_on_imagenet32_the_learning_rate_falls_every_30_epochs() -> None:
    assert {name: IMAGENET32[name] for name in ("SGDL", "SGDM", "Adam")} == {"SGDL": 1.1, "SGDM": 0.1, "Adam": 0.001}
    study = find_study("sgdl.imagenet32")("paper", data="/pack")
    points = study.open_points({})
    found = {}
    for number in range(points.total):
        config = points.config(number)
        lrs = [study.schedule(config).settings(epoch, 10).lr for epoch in (0, 29, 30, 60, 90, 119)]
        found[config["method"]["optimizer"]] = [lr / lrs[0] for lr in lrs]
    assert set(found) == set(IMAGENET32)
    assert found.pop("AdaDelta") == [1.0] * 6
    for lrs in found.values():
        assert lrs == pytest.approx([1, 1, 0.1, 0.01, 0.001, 0.001])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("name", "points"), [("lr_sweep", 5), ("optimizers", 16), ("imagenet32", 5)])
def test_every_study_is_built_at_every_scale(name: str, points: int, scale: str) -> None:
    study = find_study(f"sgdl.{name}")(scale, seeds=2, data=None if scale == "smoke" else "/pack")
    assert study.origin["study"] == f"sgdl.{name}"
    assert study.trials == 2 * points


@pytest.mark.parametrize("task", PRINTED)
def test_every_printed_network_is_a_model(task: str) -> None:
    assert find_study("sgdl.optimizers")("paper", model=task, data="/pack").task.name == task


def test_every_optimizer_runs_once_at_each_of_its_learning_rates() -> None:
    points = find_study("sgdl.optimizers")("smoke").open_points({})
    drawn = [points.config(number)["method"] for number in range(points.total)]
    assert Counter(method["optimizer"] for method in drawn) == {name: len(lrs) for name, lrs in TABLE_1.items()}
    assert drawn == methods()
