from collections import Counter

import pytest

from search_spaces import find_study
from search_spaces.second_phase import (
    RATES,
    REPLICA,
    SECOND,
    STUDIES,
    second_phase_schedule,
    second_phases,
    transition_epoch,
)
from tune_regimes.errors import StudyError

SCALES = ("smoke", "replica", "paper")


def settings(optimizer: str, lr: float, epochs: int = 10, steps: int = 40) -> list:
    schedule = second_phase_schedule({"second": {"optimizer": optimizer, "lr": lr}}, rates=REPLICA, epochs=epochs)
    return [schedule.settings(epoch, steps) for epoch in range(epochs)]


@pytest.mark.parametrize("optimizer", SECOND)
def test_every_second_phase_follows_the_same_first_one(optimizer: str) -> None:
    trained = settings(optimizer, 0.003)
    assert trained[:6] == settings("AdamW", 0.001)[:6]
    assert {(epoch.optimizer, epoch.lr, epoch.momentum) for epoch in trained[:6]} == {("sgd", 0.1, 0.0)}
    assert all(epoch.lr == 0.003 for epoch in trained[6:])


def test_every_optimizer_starts_without_buffers() -> None:
    for optimizer in SECOND:
        trained = settings(optimizer, 0.003)
        assert trained[5].momentum == 0.0 or trained[6].family != trained[5].family
        assert not any(epoch.reset for epoch in trained[7:])
        assert {epoch.family for epoch in trained[6:]} == {trained[6].family}


def test_each_second_phase_is_by_the_optimizer_it_is_named_after() -> None:
    found = {name: settings(name, 0.003)[-1].optimizer for name in SECOND}
    assert list(found.values()) == ["sgd", "adamw", "muon", "kfac", "lbfgs"]
    assert settings("SGD with momentum", 0.003)[-1].momentum == 0.95


def test_only_lbfgs_takes_the_whole_epoch_in_a_step() -> None:
    batches = {name: settings(name, 0.003, steps=40)[-1].batches_per_step for name in SECOND}
    assert batches == {**dict.fromkeys(SECOND, 1), "L-BFGS": 40}
    assert settings("L-BFGS", 1.0)[-1].line_search == "strong_wolfe"


def test_weight_decay_is_decoupled_where_the_optimizer_decouples_it() -> None:
    decays = {name: settings(name, 0.003)[-1].weight_decay for name in SECOND}
    assert decays == {**dict.fromkeys(SECOND, 5e-4), "AdamW": 1e-2, "Muon": 1e-2}


@pytest.mark.parametrize("scale", SCALES)
def test_every_optimizer_has_as_many_learning_rates(scale: str) -> None:
    lrs = RATES[scale].small
    assert list(lrs) == list(SECOND)
    assert {len(each) for each in lrs.values()} == {3}
    assert all(sorted(each) == list(each) for each in lrs.values())


@pytest.mark.parametrize("epochs", [2, 3, 10, 100])
def test_both_phases_have_an_epoch(epochs: int) -> None:
    assert 1 <= transition_epoch(epochs) <= epochs - 1
    assert len(settings("Muon", 0.01, epochs=epochs)) == epochs


def test_a_study_of_one_epoch_has_no_second_phase() -> None:
    with pytest.raises(StudyError, match="two epochs or more; got 1"):
        find_study("second_phase.optimizers")("smoke", epochs=1)


@pytest.mark.parametrize("scale", SCALES)
def test_the_study_is_built_at_every_scale_on_layers_that_kfac_knows(scale: str) -> None:
    study = find_study("second_phase.optimizers")(scale, seeds=3, data=None if scale == "smoke" else "/pack")
    assert study.origin["study"] == "second_phase.optimizers"
    assert study.trials == 45
    assert study.task.name.endswith("/simple_cnn")
    assert STUDIES["optimizers"].scale(scale).seeds == 3


def test_every_optimizer_runs_once_at_each_of_its_learning_rates() -> None:
    points = find_study("second_phase.optimizers")("replica", data="/pack").open_points({})
    drawn = [points.config(number)["second"] for number in range(points.total)]
    assert drawn == second_phases(REPLICA)
    assert set(Counter(second["optimizer"] for second in drawn).values()) == {3}
