"""What is predicted is read off in the order of the test set."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tune_regimes.errors import TaskError
from tune_regimes.probes import Watch, When, parse_probe
from tune_regimes.probes.predictions import Predictions, predicted_classes
from tune_regimes.schedule import Settings
from tune_regimes.tasks import Task
from tune_regimes.training import Numerics, Trajectory


def test_the_classes_are_those_of_the_evaluation_in_its_order(cnn_task: Task) -> None:
    numerics = Numerics(threads=1)
    trajectory = Trajectory(cnn_task, seed=0, numerics=numerics, watcher=Watch([Predictions(When(at=(2,)))]))
    first, second = (trajectory.advance(Settings("sgd", lr=0.05)) for _ in range(2))
    (reading,) = trajectory.readings
    found = reading["spectra"]["predicted_class"]
    assert len(found) == len(cnn_task.data.test) == 21
    right = np.equal(found, cnn_task.data.test.targets.numpy()).mean()
    assert right == pytest.approx(second["test_accuracy"])
    assert "predicted_class" not in first


def test_it_looks_at_the_named_epochs_alone() -> None:
    assert parse_probe("predictions:at=120+200").when.at == (120, 200)


class Fixed(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


def test_an_output_that_is_not_finite_predicts_no_class() -> None:
    scores = torch.tensor([[0.0, 1.0], [math.nan, 1.0], [math.inf, 0.0], [2.0, 1.0]])
    found = predicted_classes(Fixed(), [(scores, torch.zeros(4))])
    assert [found[0], found[3]] == [1.0, 0.0]
    assert all(math.isnan(number) for number in found[1:3])


def test_outputs_that_are_no_scores_are_refused() -> None:
    with pytest.raises(TaskError, match=r"scores of shape \[N, classes\], got outputs of shape \[4, 2, 3\]"):
        predicted_classes(Fixed(), [(torch.zeros(4, 2, 3), torch.zeros(4))])
