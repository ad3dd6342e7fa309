"""What is predicted is read off in the order of the test set, and compared with the baseline that it needs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tune_regimes.errors import TaskError, TheoryError
from tune_regimes.probes import Watch, When, parse_probe
from tune_regimes.probes.predictions import Predictions, class_frequencies, disagreement, predicted_classes
from tune_regimes.schedule import Settings
from tune_regimes.tasks import Task
from tune_regimes.theory.total_variation import estimated_total_variation, expected_same_schedule
from tune_regimes.training import Numerics, Trajectory


def drawn(shares: list[float], runs: int, examples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(len(shares), size=(runs, examples), p=shares)


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


@given(st.integers(1, 6), st.integers(1, 8), st.integers(2, 5), st.integers(0, 99))
def test_frequencies_count_the_runs(runs: int, examples: int, classes: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(classes, size=(runs, examples))
    found = class_frequencies(labels, classes)
    counted = [[np.sum(labels[:, example] == c) / runs for c in range(classes)] for example in range(examples)]
    np.testing.assert_allclose(found, counted, atol=1e-15)


@given(st.integers(0, 50))
def test_the_distance_is_half_the_difference_of_the_frequencies(seed: int) -> None:
    first, second = drawn([0.5, 0.3, 0.2], 6, 10, seed), drawn([0.2, 0.2, 0.6], 4, 10, seed + 1)
    frequencies = [class_frequencies(labels, 3) for labels in (first, second)]
    expected = np.abs(frequencies[0] - frequencies[1]).sum(axis=1).mean() / 2
    assert disagreement(first, second, 3).distance == pytest.approx(expected)
    assert expected == pytest.approx(estimated_total_variation(first, second, 3))


def test_runs_of_one_distribution_lie_as_far_apart_as_their_baselines() -> None:
    shares = [0.9, 0.05, 0.03, 0.02]
    found = disagreement(drawn(shares, 40, 400, 1), drawn(shares, 40, 400, 2), 4)
    expected = expected_same_schedule(shares, 20)
    assert [found.halves, found.first, found.second] == pytest.approx([expected] * 3, abs=0.01)
    assert found.excess == pytest.approx(0, abs=0.005)
    assert found.distance == pytest.approx(expected_same_schedule(shares, 40), abs=0.01)


def test_runs_of_two_distributions_lie_further_apart_than_that() -> None:
    found = disagreement(drawn([0.9, 0.1], 40, 400, 1), drawn([0.5, 0.5], 40, 400, 2), 2)
    assert found.distance == pytest.approx(0.4, abs=0.02)
    assert found.excess > 0.25


def test_groups_of_different_sizes_are_compared_from_equally_many_runs() -> None:
    shares = [0.7, 0.3]
    found = disagreement(drawn(shares, 9, 500, 1), drawn(shares, 60, 500, 2), 2)
    assert [found.halves, found.first, found.second] == pytest.approx([expected_same_schedule(shares, 4)] * 3, abs=0.03)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([[0, 1]], [[0, 1], [1, 1]], "must have two runs or more, got 1 and 2"),
        ([[0, 1], [1, 2]], [[0, 1], [1, 1]], "must be classes 0..1"),
        ([[0, 1], [1, math.nan]], [[0, 1], [1, 1]], "must be finite: received nan"),
        ([[0, 1], [1, 1]], [[0], [1]], "must predict the same images: received 2 and 1"),
        ([], [[0], [1]], "must have shape"),
    ],
)
def test_predictions_that_cannot_be_compared_are_refused(first, second, message: str) -> None:
    with pytest.raises(TheoryError, match=message):
        disagreement(first, second, 2)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [([[0, 3]], 3, "classes 0..2: received 0..3"), ([[0.5]], 3, "classes 0..2"), ([[0]], 1, "classes must")],
)
def test_numbers_that_are_no_classes_have_no_frequency(labels, classes: int, message: str) -> None:
    with pytest.raises(TheoryError, match=message):
        class_frequencies(labels, classes)
