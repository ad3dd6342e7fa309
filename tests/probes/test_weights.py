"""Distances and averages are those of the weights after the epochs in which the probe looks, seen from each of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from tune_regimes.probes import Watch, When, parse_probe
from tune_regimes.probes.weights import Weights, average, distance
from tune_regimes.schedule import Phase, Schedule
from tune_regimes.tasks import Augmentation, Task
from tune_regimes.training import Numerics, Trajectory
from tune_regimes.training.batches import device_data
from tune_regimes.training.moment import Ahead

SCHEDULE = Schedule((Phase(lr=0.1, momentum=0.9, epochs=3), Phase(lr=0.01, epochs=3)))
ONE = Numerics(threads=1)
LOOKS = (1, 3, 6)
PROBE = Weights(When(at=LOOKS))


def plain(task: Task) -> Task:
    """The task without dropout and augmentation, so that torch's own tools see the same batches."""

    def model() -> nn.Module:
        layers = task.model()
        layers[4].p = 0.0
        return layers

    return replace(task, model=model, augmentation=Augmentation())


def weights_after(task: Task, epochs: tuple[int, ...], seed: int = 4) -> dict[int, dict[str, torch.Tensor]]:
    trajectory, found = Trajectory(task, seed=seed, numerics=ONE), {}
    for epoch in range(1, max(epochs) + 1):
        trajectory.advance(SCHEDULE.settings(epoch - 1, trajectory.steps_per_epoch))
        if epoch in epochs:
            found[epoch] = {name: value.clone() for name, value in trajectory.model.state_dict().items()}
    return found


def looks(task: Task, probe: Weights, ahead: Ahead, seed: int = 4) -> dict[int, dict[str, list[float]]]:
    """The lists of every look, by epoch."""
    trajectory = Trajectory(task, seed=seed, numerics=ONE, watcher=Watch([probe]), ahead=ahead)
    found = {}
    for epoch in range(1, SCHEDULE.epochs + 1):
        trajectory.advance(SCHEDULE.settings(epoch - 1, trajectory.steps_per_epoch))
        for reading in trajectory.readings:
            found[epoch] = reading["spectra"]
    return found


def trained_names(task: Task) -> list[str]:
    return [name for name, p in task.model().named_parameters() if p.requires_grad]


def test_it_asks_for_the_weights_of_all_its_looks_within_the_schedule() -> None:
    assert PROBE.ahead(6) == [1, 3, 6]
    assert PROBE.ahead(5) == [1, 3]
    assert parse_probe("weights").ahead(25) == [1, 11, 21]


def test_distances_are_those_of_all_trained_parameters_and_of_no_buffer(cnn_task: Task) -> None:
    ahead = weights_after(cnn_task, LOOKS)
    vectors = [
        np.concatenate([ahead[epoch][name].double().flatten().numpy() for name in trained_names(cnn_task)])
        for epoch in LOOKS
    ]
    found = looks(cnn_task, Weights(When(at=LOOKS), averages=False), ahead)
    assert list(found) == list(LOOKS)
    for row, epoch in enumerate(LOOKS):
        assert list(found[epoch]) == ["weight_distance"]
        expected = [math.nan] * row + [float(np.linalg.norm(vectors[row] - other)) for other in vectors[row:]]
        np.testing.assert_allclose(found[epoch]["weight_distance"], expected, rtol=1e-12)
        assert found[epoch]["weight_distance"][row] == 0.0


def test_frozen_parameters_have_no_part_in_it(mlp_task: Task) -> None:
    def model() -> nn.Module:
        layers = mlp_task.model()
        layers[2].requires_grad_(False)
        return layers

    task = replace(mlp_task, model=model)
    ahead = weights_after(task, LOOKS)
    before = looks(task, PROBE, ahead)
    ahead[6]["2.weight"] += 100.0
    assert repr(looks(task, PROBE, ahead)) == repr(before)


def test_what_an_average_predicts_is_what_torch_s_predicts_with_its_statistics_computed_anew(cnn_task: Task) -> None:
    task = plain(cnn_task)
    ahead = weights_after(task, LOOKS)
    found = looks(task, PROBE, ahead)
    model = task.model()
    mean = AveragedModel(model)
    for epoch in (3, 6):
        model.load_state_dict(ahead[epoch])
        mean.update_parameters(model)
    data = device_data(task, torch.device("cpu"))
    update_bn((inputs for inputs, _ in data.train(4, 2)), mean)
    mean.eval()
    outputs = torch.cat([mean(inputs) for inputs, _ in data.test()])
    targets = task.data.test.targets
    accuracy = (outputs.argmax(dim=1) == targets).float().mean().item()
    assert found[3]["averaged_test_accuracy"][2] == pytest.approx(accuracy, rel=1e-6)
    loss = nn.functional.cross_entropy(outputs, targets).item()
    assert found[3]["averaged_test_loss"][2] == pytest.approx(loss, rel=1e-5)
    assert math.isnan(found[3]["averaged_test_loss"][0])


def test_without_batch_normalisation_the_weights_alone_predict_what_they_predicted(mlp_task: Task) -> None:
    found = looks(mlp_task, PROBE, weights_after(mlp_task, LOOKS))
    trajectory = Trajectory(mlp_task, seed=4, numerics=ONE)
    for epoch in range(1, 4):
        record = trajectory.advance(SCHEDULE.settings(epoch - 1, trajectory.steps_per_epoch))
    assert found[3]["averaged_test_loss"][1] == record["test_loss"]
    assert found[3]["averaged_test_accuracy"][1] == record["test_accuracy"]


def test_within_an_epoch_it_compares_with_the_ends_of_the_epochs_from_that_one_on(mlp_task: Task) -> None:
    ahead = weights_after(mlp_task, LOOKS)
    probe = Weights(When(at=LOOKS, steps=1), averages=False)
    trajectory = Trajectory(mlp_task, seed=4, numerics=ONE, watcher=Watch([probe]), ahead=ahead)
    for epoch in range(3):
        trajectory.advance(SCHEDULE.settings(epoch, trajectory.steps_per_epoch))
    lists = [reading["spectra"]["weight_distance"] for reading in trajectory.readings]
    assert len(lists) == trajectory.steps_per_epoch
    assert all(math.isnan(each[0]) for each in lists)
    assert [each[1] > 0 for each in lists] == [True] * (len(lists) - 1) + [False]


def test_where_nothing_is_known_of_later_epochs_the_lists_are_empty(mlp_task: Task) -> None:
    assert looks(mlp_task, PROBE, {}) == {epoch: {"weight_distance": []} for epoch in LOOKS}


def test_a_mean_is_taken_in_float64_and_keeps_its_type_and_a_distance_of_what_is_not_finite_is_none() -> None:
    first, second = {"w": torch.tensor([1.0, 2.0**-24])}, {"w": torch.tensor([1.0, -(2.0**-24)])}
    mean = average(first, second)
    assert (mean["w"].dtype, mean["w"].tolist()) == (torch.float32, [1.0, 0.0])
    assert math.isnan(distance(first, {"w": torch.tensor([math.nan, 0.0])}))
