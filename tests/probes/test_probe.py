"""When probes look, and what a watch makes of what they see."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tune_regimes.errors import UsageError
from tune_regimes.probes import Measured, Probe, ProbeColumn, Watch, When
from tune_regimes.probes.isolation import put_back
from tune_regimes.schedule import Settings
from tune_regimes.tasks import Task
from tune_regimes.training import Numerics, Trajectory


@dataclass(frozen=True)
class Vandal(Probe):
    """Changes all that it can reach, and draws from the global generators."""

    name: ClassVar[str] = "vandal"

    def columns(self) -> tuple[ProbeColumn, ...]:
        return (ProbeColumn("drawn", "", "a random number"), ProbeColumn("steps_seen", "steps", "steps made"))

    def measure(self, moment) -> Measured:
        model = moment.model.train(not moment.model.training)
        for inputs, targets in moment.test():
            moment.loss(model(inputs), targets).backward()
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                tensor.mul_(0)
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        return Measured({"drawn": float(torch.rand(())), "steps_seen": moment.step}, {"list": [1.0, 2.0]})


def trained(task: Task, watcher: Watch | None, epochs: int = 3) -> tuple[Trajectory, list[Mapping[str, float]]]:
    trajectory = Trajectory(task, seed=3, numerics=Numerics(threads=1), watcher=watcher)
    settings = Settings("sgd", lr=0.05, momentum=0.9, weight_decay=1e-3)
    return trajectory, [trajectory.advance(settings) for _ in range(epochs)]


@given(every=st.integers(1, 7), epochs=st.integers(1, 40))
def test_a_probe_looks_after_the_first_epoch_and_every_nth_from_there(every: int, epochs: int) -> None:
    looked = [epoch for epoch in range(1, epochs + 1) if When(every=every).after_epoch(epoch)]
    assert looked == list(range(1, epochs + 1, every))


@pytest.mark.parametrize("options", [{"every": 0}, {"at": (0,)}, {"at": (1, -2)}, {"steps": 0}, {"every": 1.5}])
def test_a_probe_refuses_times_below_one(options) -> None:
    with pytest.raises(UsageError, match=r"must be whole numbers from 1"):
        When(**options)


def test_nothing_that_a_probe_does_reaches_the_training(cnn_task: Task) -> None:
    plain, unwatched = trained(cnn_task, None)
    watched, records = trained(cnn_task, Watch([Vandal(When(steps=2))]))
    for record, before in zip(records, unwatched, strict=True):
        assert {name: value for name, value in record.items() if name in before} == pytest.approx(
            {**before, "seconds": record["seconds"]}, rel=0, abs=0, nan_ok=True
        )
    for name, value in plain.model.state_dict().items():
        assert torch.equal(watched.model.state_dict()[name], value)


def test_a_watched_record_has_the_columns_of_every_probe_and_the_time_that_they_took(cnn_task: Task) -> None:
    _, records = trained(cnn_task, Watch([Vandal(When(at=(2,)))]))
    assert [math.isnan(record["drawn"]) for record in records] == [True, False, True]
    assert all(record["probe_seconds"] >= 0 for record in records)
    assert "list" not in records[1]


def test_within_an_epoch_every_look_is_a_reading_and_the_last_one_the_column(cnn_task: Task) -> None:
    trajectory, records = trained(cnn_task, Watch([Vandal(When(steps=2))]), epochs=1)
    assert trajectory.steps_per_epoch == 6
    assert [reading["step"] for reading in trajectory.readings] == [2, 4, 6]
    assert [reading["values"]["steps_seen"] for reading in trajectory.readings] == [2, 4, 6]
    assert records[0]["steps_seen"] == 6
    assert trajectory.readings[0]["spectra"] == {"list": [1.0, 2.0]}


def test_what_a_probe_draws_depends_on_seed_epoch_and_step_alone(cnn_task: Task) -> None:
    often, _ = trained(cnn_task, Watch([Vandal(When(steps=2))]), epochs=2)
    seldom, _ = trained(cnn_task, Watch([Vandal(When(at=(2,)))]), epochs=2)
    assert often.readings[-1]["values"]["drawn"] == seldom.readings[-1]["values"]["drawn"]
    drawn = [reading["values"]["drawn"] for reading in often.readings]
    assert len(set(drawn)) == len(drawn)


def test_weights_that_are_not_finite_are_not_measured(mlp_task: Task) -> None:
    trajectory = Trajectory(mlp_task, seed=0, numerics=Numerics(threads=1), watcher=Watch([Vandal()]))
    record = trajectory.advance(Settings("sgd", lr=1e39))
    assert trajectory.diverged
    assert math.isnan(record["drawn"])
    assert trajectory.readings[0]["spectra"] == {}


def test_two_probes_with_one_column_are_refused() -> None:
    with pytest.raises(UsageError, match="drawn, steps_seen more than once"):
        Watch([Vandal(), Vandal(When(every=2))])


def test_what_is_watched_is_part_of_the_identity_of_a_training(mlp_task: Task) -> None:
    def identity(watcher: Watch | None):
        return Trajectory(mlp_task, seed=0, numerics=Numerics(threads=1), watcher=watcher).identity()

    plain, once, often = identity(None), identity(Watch([Vandal()])), identity(Watch([Vandal(When(steps=1))]))
    assert "probes" not in plain
    assert {**once, "probes": None} == {**plain, "probes": None}
    assert once["probes"] != often["probes"]


def test_a_model_is_put_back_when_looking_fails() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()

    def look() -> None:
        with put_back(model, torch.device("cpu"), 0, "look"):
            model.eval()(torch.rand(4, 2)).sum().backward()
            nn.init.zeros_(model[0].weight)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        look()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert model[1].training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
