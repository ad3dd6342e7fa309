"""Predictions: which class a network gives each test example, and how far the runs of two schedules disagree.

Source: Intrinsic Learning Rate (Li, Lyu and Arora, 2020), conjecture 5.3 and figure 3b.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from tune_regimes.errors import TaskError, TheoryError
from tune_regimes.probes.probe import Measured, Probe, ProbeColumn
from tune_regimes.theory.checks import Array, check_count
from tune_regimes.theory.matrices import check_array
from tune_regimes.theory.total_variation import estimated_total_variation, split_half
from tune_regimes.training.batches import Batch
from tune_regimes.training.moment import Moment


@dataclass(frozen=True)
class Predictions(Probe):
    """The predicted class of every test example, in the order of the test set: the spectrum ``predicted_class``.

    The model runs in evaluation mode. It costs as much as an evaluation, and one number for each test example in every
    epoch in which it looks: name the epochs with ``at`` where a few will do. It writes no column.
    """

    name: ClassVar[str] = "predictions"

    def columns(self) -> tuple[ProbeColumn, ...]:
        """None: all it gives is the spectrum."""
        return ()

    def measure(self, moment: Moment) -> Measured:
        """Predict the test set."""
        return Measured({}, {"predicted_class": predicted_classes(moment.model, moment.test())})


@torch.no_grad()
def predicted_classes(model: nn.Module, batches: Iterable[Batch]) -> list[float]:
    """The class with the largest output, for every example.

    Args:
        model: Returns scores, [N, classes]; left in evaluation mode.
        batches: (inputs, targets) each.

    Returns:
        Class numbers in the order of the examples; NaN where an output is not finite.

    Raises:
        TaskError: The outputs are not scores of classes.
    """
    model.eval()
    classes = []
    for inputs, _ in batches:
        outputs = model(inputs)
        if outputs.ndim != 2:
            raise TaskError(
                f"predicted classes need scores of shape [N, classes], got outputs of shape {list(outputs.shape)}; "
                "leave the probe predictions out for this task"
            )
        found = outputs.argmax(dim=1).double()
        classes.append(found.masked_fill(~outputs.isfinite().all(dim=1), math.nan))
    numbers: list[float] = torch.cat(classes).tolist()
    return numbers


def class_frequencies(predictions: object, classes: int) -> Array:
    """The share of runs that predict each class, for every example.

    Args:
        predictions: Class numbers, shape [runs, examples].
        classes: How many classes there are.

    Returns:
        Shape [examples, classes]; each row sums to 1.

    Raises:
        TheoryError: No run, a number that is no class (NaN among them), or fewer than two classes.

    Examples:
        >>> class_frequencies([[0, 1], [0, 2]], classes=3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]
    """
    labels = check_array("predictions", predictions, (None, None))
    count = check_count("classes", classes, low=2)
    if not np.isin(labels, np.arange(count)).all():
        raise TheoryError(
            f"predictions must be classes 0..{count - 1}: received {labels.min():g}..{labels.max():g}. "
            "Give the numbers of the predicted classes."
        )
    return np.stack([(labels == c).mean(axis=0) for c in range(count)], axis=1)


@dataclass(frozen=True)
class Disagreement:
    """How far the predictions of two schedules are apart, beside what one schedule alone gives.

    Attributes:
        distance: Mean total variation over examples from all runs: figure 3b.
        halves: The same from as many runs of each as the baselines use.
        first: Split-half baseline of the first schedule.
        second: That of the second.
    """

    distance: float
    halves: float
    first: float
    second: float

    @property
    def excess(self) -> float:
        """`halves` less the mean of the two baselines: 0 up to chance where the schedules predict alike."""
        return self.halves - (self.first + self.second) / 2.0


def disagreement(first: object, second: object, classes: int, seed: int = 0, splits: int = 20) -> Disagreement:
    """Compare the predictions of the runs of two schedules.

    The estimate from n runs is biased upwards, so that a distance means something only beside that between the halves
    of the runs of one schedule, which the paper does not give. (`analysis.total_variation.excess` has its standard
    error.)

    Args:
        first: Predicted classes of one schedule, shape [runs, examples].
        second: Those of the other, shape [other runs, examples].
        classes: How many classes there are.
        seed: Of the random halves.
        splits: Random halvings to average over.

    Raises:
        TheoryError: Fewer than two runs of a schedule, a number that is no class, or different numbers of examples.
    """
    one, other = (check_array("predictions", runs, (None, None)) for runs in (first, second))
    rng = np.random.default_rng(seed)
    size = min(len(one), len(other)) // 2
    if size < 1:
        raise TheoryError(
            f"each schedule must have two runs or more, got {len(one)} and {len(other)}; "
            "a split-half baseline needs them"
        )
    distance = estimated_total_variation(one, other, classes)
    pairs = [(_some(rng, one, size), _some(rng, other, size)) for _ in range(splits)]
    baselines = [split_half(_some(rng, runs, 2 * size), classes, rng, splits) for runs in (one, other)]
    return Disagreement(
        distance, float(np.mean([estimated_total_variation(*pair, classes) for pair in pairs])), *baselines
    )


def _some(rng: np.random.Generator, runs: Array, count: int) -> Array:
    return runs[rng.permutation(len(runs))[:count]]
