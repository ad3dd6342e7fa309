"""Norm and angular velocity of the weights: exact values, and those of a training by brute force."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tune_regimes.schedule import Settings
from tune_regimes.tasks import Task
from tune_regimes.training import Trajectory
from tune_regimes.training.observables import WeightObserver, angular_velocity, weight_norm

PLAIN = Settings("sgd", lr=0.05, momentum=0.9)
STRAIGHT = torch.tensor([3.0, 4.0])


def turned(degrees: float) -> Tensor:
    """A vector of length 5 at an angle to the first axis, in float64."""
    return 5 * torch.tensor([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))], dtype=torch.float64)


@pytest.mark.parametrize(
    ("before", "degrees"),
    [([4.0, -3.0], 90.0), ([3.0, 4.0], 0.0), ([6.0, 8.0], 0.0), ([-3.0, -4.0], 180.0), ([0.0, 0.0], 90.0)],
)
def test_right_straight_opposite_and_missing_displacements_have_exact_angles(
    before: list[float], degrees: float
) -> None:
    assert angular_velocity([STRAIGHT], [torch.tensor(before)]) == degrees


@pytest.mark.parametrize("degrees", [0.005, 0.01, 0.0101, 1.0, 90.01, 179.99])
def test_angles_around_the_first_threshold_are_told_apart(degrees: float) -> None:
    assert angular_velocity([turned(0.0)], [turned(degrees)]) == pytest.approx(degrees, abs=1e-8)


def test_tiny_angles_are_resolved_over_many_parameters_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    along, aside = torch.randn(2, 300_000, generator=generator, dtype=torch.float64)
    aside -= (aside @ along) / (along @ along) * along
    tilt = math.tan(math.radians(0.01)) * along.norm() / aside.norm()
    other = (along + tilt * aside).float()
    assert angular_velocity([along.float()], [other]) == pytest.approx(0.01, abs=1e-5)


@given(st.floats(0.0, 180.0), st.floats(1e-18, 1e6), st.floats(1e-18, 1e6))
def test_the_angle_does_not_depend_on_the_lengths(degrees: float, one: float, other: float) -> None:
    found = angular_velocity([one * turned(10.0)], [other * turned(10.0 + degrees)])
    assert found == pytest.approx(degrees, abs=2e-6)


def test_all_tensors_count_as_one_vector() -> None:
    parts = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    split = angular_velocity(list(parts[0]), list(parts[1]))
    assert split == pytest.approx(angular_velocity([parts[0]], [parts[1]]), abs=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_displacement_that_is_not_finite_has_no_angle(value: float) -> None:
    assert math.isnan(angular_velocity([torch.tensor([value, 1.0])], [STRAIGHT]))


def test_the_norm_is_summed_in_float64() -> None:
    ones = [torch.full((2**24 + 1,), 1.0), torch.tensor([0.5])]
    assert weight_norm(ones) == math.sqrt(2**24 + 1.25)


def vector(trajectory: Trajectory) -> np.ndarray:
    parameters = trajectory.model.parameters()
    return np.concatenate([p.detach().contiguous().double().numpy().ravel() for p in parameters if p.requires_grad])


def test_records_hold_what_the_weights_of_successive_epochs_say(cnn_task: Task) -> None:
    trajectory = Trajectory(cnn_task, seed=0)
    path, records = [vector(trajectory)], []
    for _ in range(4):
        records.append(trajectory.advance(PLAIN))
        path.append(vector(trajectory))
    steps = np.diff(path, axis=0)
    assert math.isnan(records[0]["angular_velocity"])
    for now, before, record in zip(steps[1:], steps[:-1], records[1:], strict=True):
        cosine = now @ before / np.linalg.norm(now) / np.linalg.norm(before)
        assert record["angular_velocity"] == pytest.approx(np.degrees(np.arccos(cosine)), abs=1e-9)
    for weights, record in zip(path[1:], records, strict=True):
        assert record["weight_norm"] == pytest.approx(np.linalg.norm(weights), rel=1e-14)


def test_frozen_parameters_do_not_count(mlp_task: Task) -> None:
    def model() -> nn.Module:
        layers = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4))
        layers[2].requires_grad_(False)
        return layers

    trajectory = Trajectory(replace(mlp_task, model=model), seed=0)
    record = trajectory.advance(PLAIN)
    assert record["weight_norm"] == pytest.approx(np.linalg.norm(vector(trajectory)), rel=1e-14)


@pytest.mark.parametrize(("group", "steps"), [(1, 4), (3, 2), (4, 1), (9, 1)])
def test_records_count_the_steps_of_the_optimizer(mlp_task: Task, group: int, steps: int) -> None:
    assert Trajectory(mlp_task, seed=0).advance(replace(PLAIN, batches_per_step=group))["steps"] == steps


def test_an_epoch_without_a_displacement_stands_at_a_right_angle(mlp_task: Task) -> None:
    trajectory = Trajectory(mlp_task, seed=0)
    trajectory.advance(PLAIN)
    assert trajectory.advance(Settings("sgd", lr=0.0))["angular_velocity"] == 90.0


def test_weights_that_were_replaced_start_an_epoch_and_do_not_end_the_one_before() -> None:
    weight = nn.Parameter(torch.zeros(2))
    observer = WeightObserver({"weight": weight})

    def moved(*by: float) -> None:
        with torch.no_grad():
            weight.add_(torch.tensor(by))

    observer.begin()
    moved(1.0, 0.0)
    assert math.isnan(observer.end()["angular_velocity"])
    observer.begin()
    moved(5.0, 5.0)
    observer.moved()
    moved(0.0, 1.0)
    assert observer.end() == {"weight_norm": math.sqrt(72.0), "angular_velocity": 90.0}
    observer.begin()
    moved(0.0, -2.0)
    assert observer.end()["angular_velocity"] == 180.0


def test_parameters_that_are_not_finite_have_a_norm_that_is_none(mlp_task: Task) -> None:
    def steep(outputs: Tensor, targets: Tensor) -> Tensor:
        return 1e3 * nn.functional.cross_entropy(outputs, targets)

    trajectory = Trajectory(replace(mlp_task, loss=steep), seed=0)
    trajectory.advance(PLAIN)
    record = trajectory.advance(Settings("sgd", lr=1e38))
    assert not math.isfinite(record["weight_norm"])
    assert math.isnan(record["angular_velocity"])
    assert record["steps"] == 4
