"""Averages of the weights against torch's own and closed forms, and the statistics of BatchNorm that go with them."""

import copy
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from tune_regimes.errors import DataError, ScheduleError
from tune_regimes.schedule import Settings
from tune_regimes.tasks import Task
from tune_regimes.training import Trajectory
from tune_regimes.training.averaging import WeightAverage, held_statistics, recompute_batchnorm

PLAIN = Settings("sgd", lr=0.05, momentum=0.9)
LAST = Settings("sgd", lr=0.0, momentum=0.9, adopt=1.0)


def averaged(values: Iterable[float], weights: Iterable[tuple[float, float]], factor: float = 1.0) -> float:
    """What one weight becomes that had these values when it entered, with (keep, weight) each."""
    parameter = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    average = WeightAverage({"w": parameter})
    for value, pair in zip(values, weights, strict=True):
        parameter.data.fill_(value)
        average.add(*pair)
    average.adopt(factor)
    return parameter.item()


VALUES = st.lists(st.floats(-10, 10), min_size=1, max_size=8)


@given(VALUES)
def test_linear_weights_give_the_mean_of_autodrop(values: list[float]) -> None:
    weights = [(float(k > 1), float(k)) for k in range(1, len(values) + 1)]
    expected = sum(k * x for (_, k), x in zip(weights, values, strict=True)) / (len(values) * (len(values) + 1) / 2)
    assert averaged(values, weights) == pytest.approx(expected, abs=1e-12)


@given(VALUES)
def test_equal_weights_give_the_mean(values: list[float]) -> None:
    weights = [(float(k > 0), 1.0) for k in range(len(values))]
    assert averaged(values, weights) == pytest.approx(sum(values) / len(values), abs=1e-12)


@given(VALUES, st.floats(0.01, 0.999))
def test_a_decay_gives_the_exponential_moving_average(values: list[float], decay: float) -> None:
    expected = values[0]
    for value in values[1:]:
        expected = decay * expected + (1 - decay) * value
    weights = [(0.0, 1.0), *((decay, 1 - decay) for _ in values[1:])]
    assert averaged(values, weights) == pytest.approx(expected, abs=1e-12)


def test_to_keep_nothing_begins_a_new_average() -> None:
    assert averaged([1.0, 5.0, 7.0], [(0.0, 1.0), (0.0, 3.0), (1.0, 1.0)]) == 5.5


def test_a_factor_scales_what_is_adopted() -> None:
    assert averaged([1.0, 4.0], [(0.0, 1.0), (1.0, 2.0)], factor=1.1) == pytest.approx(3.3)


def test_what_is_adopted_lies_in_the_live_parameters_and_leaves_no_average() -> None:
    parameter = nn.Parameter(torch.tensor([2.0]))
    average, place = WeightAverage({"w": parameter}), parameter.data_ptr()
    average.add(0.0, 1.0)
    average.adopt(1.0)
    assert parameter.data_ptr() == place
    assert (average.weight, average.capture()) == (0.0, None)


def plain(task: Task) -> Task:
    """The task without dropout, whose draws torch's functions would take from elsewhere."""

    def model() -> nn.Module:
        layers = task.model()
        layers[4].p = 0.0
        return layers

    return replace(task, model=model)


def test_stochastic_weight_averaging_is_that_of_torch(cnn_task: Task) -> None:
    task = plain(cnn_task)
    ours, reference = Trajectory(task, seed=0), Trajectory(task, seed=0)
    swa = AveragedModel(reference.model)
    for epoch in range(5):
        average = None if epoch < 2 else (float(epoch > 2), 1.0)
        ours.advance(replace(PLAIN, average=average))
        if average is not None:
            swa.update_parameters(reference.model)
        reference.advance(PLAIN)
    swa.update_parameters(reference.model)
    record = ours.advance(replace(LAST, average=(1.0, 1.0)))
    update_bn(reference._data.train(0, 5), swa)
    for name, value in swa.module.state_dict().items():
        if "num_batches" not in name:
            torch.testing.assert_close(ours.model.state_dict()[name], value, rtol=1e-6, atol=1e-7)
    swa.module.eval()
    losses = [(nn.functional.cross_entropy(swa.module(x), y).item(), len(y)) for x, y in reference._data.test()]
    assert record["test_loss"] == pytest.approx(sum(loss * n for loss, n in losses) / 21, rel=1e-5)


def test_exponential_averaging_is_that_of_torch(mlp_task: Task) -> None:
    ours, reference = Trajectory(mlp_task, seed=0), Trajectory(mlp_task, seed=0)
    ema = AveragedModel(reference.model, avg_fn=lambda mean, value, _: 0.7 * mean + 0.3 * value)
    for epoch in range(4):
        ours.advance(replace(PLAIN, average=(0.7, 0.3) if epoch else (0.0, 1.0)))
        ema.update_parameters(reference.model)
        reference.advance(PLAIN)
    ours.advance(LAST)
    for name, value in ema.module.state_dict().items():
        torch.testing.assert_close(ours.model.state_dict()[name], value, rtol=1e-6, atol=1e-7)


def test_an_epoch_that_trains_on_starts_from_the_recomputed_statistics(cnn_task: Task) -> None:
    task = plain(cnn_task)
    ours, reference = Trajectory(task, seed=0), Trajectory(task, seed=0)
    for trajectory in (ours, reference):
        trajectory.advance(PLAIN)
    recompute_batchnorm(reference.model, (inputs for inputs, _ in reference._data.train(0, 1)))
    record = reference.advance(replace(PLAIN, lr=0.01))
    assert {**ours.advance(replace(PLAIN, lr=0.01, average=(0.0, 1.0), adopt=1.0)), "seconds": 0} == {
        **record,
        "seconds": 0,
    }
    for one, other in zip(ours.model.state_dict().values(), reference.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_buffers_of_the_optimizer_are_kept_when_an_average_is_adopted(mlp_task: Task) -> None:
    trajectory = Trajectory(mlp_task, seed=0)
    trajectory.advance(PLAIN)
    before = trajectory.capture()["optimizer"]["buffers"]
    trajectory._average.add(0.0, 1.0)
    trajectory._adopt(1.0)
    after = trajectory.capture()["optimizer"]["buffers"]
    assert before.keys() == after.keys() != set()
    assert all(torch.equal(before[name]["momentum_buffer"], after[name]["momentum_buffer"]) for name in before)


def test_the_draws_of_dropout_in_an_epoch_do_not_depend_on_the_statistics(cnn_task: Task) -> None:
    one, other = (Trajectory(cnn_task, seed=0) for _ in range(2))
    first = one.advance(replace(PLAIN, average=(0.0, 1.0), adopt=1.0))
    assert first["train_loss"] == other.advance(PLAIN)["train_loss"]


def test_to_adopt_where_nothing_was_collected_is_refused_before_anything_changes(mlp_task: Task) -> None:
    trajectory = Trajectory(mlp_task, seed=0)
    with pytest.raises(ScheduleError, match=r"collected before it is adopted: received adopt=1.0 in epoch 1"):
        trajectory.advance(LAST)
    trajectory.advance(replace(PLAIN, average=(0.0, 1.0)))
    trajectory.advance(LAST)
    with pytest.raises(ScheduleError, match="in epoch 3 and none so far"):
        trajectory.advance(LAST)


def batches(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(4, 3, 8, 8, generator=generator) for _ in range(count)]


def test_recomputed_statistics_are_those_of_torch(cnn_task: Task) -> None:
    ours = plain(cnn_task).model()
    reference = copy.deepcopy(ours)
    recompute_batchnorm(ours, batches(5))
    update_bn(batches(5), reference)
    for one, other in zip(ours[1].buffers(), reference[1].buffers(), strict=True):
        assert torch.equal(one, other)


def test_recomputing_leaves_momenta_modes_and_gradients_as_they_were(cnn_task: Task) -> None:
    model = cnn_task.model()
    model[1].momentum = 0.25
    model.train()
    model[4].eval()
    recompute_batchnorm(model, batches(2))
    assert model[1].momentum == 0.25
    assert [module.training for module in model] == [True, True, True, True, False, True, True]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_statistics_cannot_be_recomputed_from_no_batches(cnn_task: Task) -> None:
    model = cnn_task.model()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(DataError, match=r"statistics of 1 BatchNorm layers .* got none"):
        recompute_batchnorm(model, [])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_without_statistics_needs_no_batches(mlp_task: Task) -> None:
    recompute_batchnorm(mlp_task.model(), [])
    recompute_batchnorm(nn.BatchNorm1d(3, track_running_stats=False), [])


def test_held_statistics_stay_to_the_bit_in_training_mode(cnn_task: Task) -> None:
    model = cnn_task.model()
    recompute_batchnorm(model, batches(2))
    before = model[1].running_mean.clone(), model[1].running_var.clone()
    with held_statistics(model):
        model(batches(1)[0])
    assert torch.equal(model[1].running_mean, before[0])
    assert torch.equal(model[1].running_var, before[1])
    assert model[1].momentum == 0.1
