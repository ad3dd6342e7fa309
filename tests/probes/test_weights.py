"""Snapshots are those of the training, their distances and averages those of their weights."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from tune_regimes.errors import UsageError
from tune_regimes.probes.weights import (
    averaged_accuracy,
    averaged_weights,
    pairwise_averages,
    snapshots,
    weight_distances,
    weight_norms,
)
from tune_regimes.schedule import Phase, Plateau, Schedule
from tune_regimes.tasks import Augmentation, Task
from tune_regimes.training import Numerics, State, Trajectory
from tune_regimes.training.batches import device_data

SCHEDULE = Schedule((Phase(lr=0.1, momentum=0.9, epochs=3), Phase(lr=0.01, epochs=3)))
ONE = Numerics(threads=1)


def plain(task: Task) -> Task:
    """The task without dropout and augmentation, so that torch's own tools see the same batches."""

    def model() -> nn.Module:
        layers = task.model()
        layers[4].p = 0.0
        return layers

    return replace(task, model=model, augmentation=Augmentation())


def flat(state: State, names: list[str]) -> np.ndarray:
    return np.concatenate([state["model"][name].double().flatten().numpy() for name in names])


def test_snapshots_are_the_states_of_the_training_bit_for_bit(cnn_task: Task) -> None:
    found = snapshots(cnn_task, SCHEDULE, 4, (0, 2, 5), numerics=ONE)
    trajectory = Trajectory(cnn_task, seed=4, numerics=ONE)
    expected = {0: trajectory.capture()}
    for epoch in range(5):
        trajectory.advance(SCHEDULE.settings(epoch, trajectory.steps_per_epoch))
        expected[epoch + 1] = trajectory.capture()
    for state, epoch in zip(found, (0, 2, 5), strict=True):
        assert state["epoch"] == epoch
        for name, value in expected[epoch]["model"].items():
            assert torch.equal(state["model"][name], value)


def test_a_policy_that_reacts_is_followed(mlp_task: Task) -> None:
    policy = Plateau(Phase(lr=30.0, epochs=4), patience=0, factor=0.01)
    found = snapshots(mlp_task, policy, 0, (1, 4), numerics=ONE)
    trajectory, state = Trajectory(mlp_task, seed=0, numerics=ONE), policy.start()
    for _ in range(4):
        settings = policy.settings(state, trajectory.steps_per_epoch)
        state = policy.observe(state, trajectory.advance(settings))
    assert settings.lr < 30.0
    assert torch.equal(found[-1]["model"]["0.weight"], trajectory.model.state_dict()["0.weight"])


def test_distances_are_those_of_all_trained_parameters_and_of_no_buffer(cnn_task: Task) -> None:
    states = snapshots(cnn_task, SCHEDULE, 0, (0, 1, 3, 6), numerics=ONE)
    names = [name for name, _ in cnn_task.model().named_parameters()]
    vectors = [flat(state, names) for state in states]
    expected = [[np.linalg.norm(one - other) for other in vectors] for one in vectors]
    np.testing.assert_allclose(weight_distances(states), expected, rtol=1e-12)
    np.testing.assert_allclose(weight_norms(states), [np.linalg.norm(vector) for vector in vectors], rtol=1e-12)


def test_frozen_parameters_have_no_part_in_a_distance(mlp_task: Task) -> None:
    def model() -> nn.Module:
        layers = mlp_task.model()
        layers[2].requires_grad_(False)
        return layers

    states = snapshots(replace(mlp_task, model=model), SCHEDULE, 0, (1, 2), numerics=ONE)
    before = weight_norms(states)
    states[1]["model"]["2.weight"] += 100.0
    assert weight_norms(states).tolist() == before.tolist()


def test_the_mean_weights_are_the_mean(mlp_task: Task) -> None:
    states = snapshots(mlp_task, SCHEDULE, 0, (1, 2, 3), numerics=ONE)
    for name, value in averaged_weights(states).items():
        stacked = torch.stack([state["model"][name].double() for state in states])
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), stacked.mean(dim=0), rtol=1e-6, atol=1e-8)


def test_the_accuracy_of_an_average_is_that_of_torch_with_its_statistics_computed_anew(cnn_task: Task) -> None:
    task = plain(cnn_task)
    states = snapshots(task, SCHEDULE, 0, (1, 3, 4), numerics=ONE)
    model = task.model()
    average = AveragedModel(model)
    for state in states:
        model.load_state_dict(state["model"])
        average.update_parameters(model)
    data = device_data(task, torch.device("cpu"))
    update_bn(data.train(7, states[-1]["epoch"]), average)
    average.eval()
    outputs = torch.cat([average(inputs) for inputs, _ in data.test()])
    targets = task.data.test.targets
    found = averaged_accuracy(task, states, seed=7, numerics=ONE)
    assert found["test_accuracy"] == pytest.approx((outputs.argmax(dim=1) == targets).float().mean().item(), rel=1e-6)
    assert found["test_loss"] == pytest.approx(nn.functional.cross_entropy(outputs, targets).item(), rel=1e-5)


def test_an_average_changes_neither_the_snapshots_nor_the_generators(cnn_task: Task) -> None:
    states = snapshots(cnn_task, SCHEDULE, 0, (1, 2), numerics=ONE)
    before, generator = copy.deepcopy(states), torch.get_rng_state()
    first, second = (averaged_accuracy(cnn_task, states, numerics=ONE) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), generator)
    for state, other in zip(states, before, strict=True):
        assert all(torch.equal(value, other["model"][name]) for name, value in state["model"].items())


def test_without_batch_normalisation_a_single_snapshot_is_as_good_as_it_was(mlp_task: Task) -> None:
    trajectory = Trajectory(mlp_task, seed=0, numerics=ONE)
    record = trajectory.advance(SCHEDULE.settings(0, trajectory.steps_per_epoch))
    found = averaged_accuracy(mlp_task, [trajectory.capture()], numerics=ONE)
    assert found == {name: record[name] for name in ("test_loss", "test_accuracy")}


def test_the_matrix_of_averages_holds_every_pair_once_and_the_snapshots_themselves(cnn_task: Task) -> None:
    states = snapshots(cnn_task, SCHEDULE, 0, (0, 2, 5), numerics=ONE)
    found = pairwise_averages(cnn_task, states, "test_loss", numerics=ONE)
    np.testing.assert_array_equal(found, found.T)
    assert found[0, 0] == averaged_accuracy(cnn_task, [states[0]], numerics=ONE)["test_loss"]
    assert found[2, 1] == averaged_accuracy(cnn_task, [states[1], states[2]], numerics=ONE)["test_loss"]


def test_weights_that_are_not_finite_have_no_distance_and_no_accuracy(mlp_task: Task) -> None:
    states = snapshots(mlp_task, SCHEDULE, 0, (1, 2, 3), numerics=ONE)
    states[1]["model"]["0.weight"][0, 0] = math.nan
    found = weight_distances(states)
    assert np.isfinite(found).tolist() == [[True, False, True], [False, False, False], [True, False, True]]
    assert all(math.isnan(value) for value in averaged_accuracy(mlp_task, states, numerics=ONE).values())


@pytest.mark.parametrize("epochs", [(), (2, 1), (1, 1), (-1, 2), (3, 7)])
def test_epochs_that_are_none_of_the_schedule_s_are_refused(mlp_task: Task, epochs: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"after epochs that rise, from 0 to 6 .* got \["):
        snapshots(mlp_task, SCHEDULE, 0, epochs)


def test_a_training_that_diverges_on_the_way_is_named_with_its_epoch(mlp_task: Task) -> None:
    with pytest.raises(UsageError, match="this one diverged in epoch 1 of 3; take them before it"):
        snapshots(mlp_task, Schedule((Phase(lr=1e39, epochs=3),)), 0, (1, 3), numerics=ONE)


def test_what_cannot_be_compared_is_refused(mlp_task: Task) -> None:
    start = snapshots(mlp_task, SCHEDULE, 0, (0,), numerics=ONE)
    with pytest.raises(UsageError, match="of a training that has begun, got 1 without"):
        weight_distances(start)
    with pytest.raises(UsageError, match="needs at least one snapshot, got none"):
        averaged_accuracy(mlp_task, [], numerics=ONE)
    with pytest.raises(UsageError, match="metric must be one of test_loss, test_accuracy, got 'accuracy'"):
        pairwise_averages(mlp_task, start, "accuracy", numerics=ONE)
