"""Predictions: which class a network gives each test example.

How far the predictions of two schedules are apart is for `analysis.intrinsic_lr.total_variation` to say.

Source: Intrinsic Learning Rate (Li, Lyu and Arora, 2020), conjecture 5.3 and figure 3b.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from tune_regimes.errors import TaskError
from tune_regimes.probes.probe import Measured, Probe, ProbeColumn
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
