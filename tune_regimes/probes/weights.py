"""Weights along a run: how far apart those of different epochs are, and what their averages predict.

Source: Intrinsic Learning Rate (Li, Lyu and Arora, 2020), section 4 and appendix F, figures 6 and 7.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from tune_regimes.probes.probe import Measured, Probe, ProbeColumn, When
from tune_regimes.training.averaging import recompute_batchnorm
from tune_regimes.training.means import Means
from tune_regimes.training.moment import Moment, Vectors
from tune_regimes.training.observables import copies_like, weight_norm

EVERY_TENTH = When(every=10)


@dataclass(frozen=True)
class Weights(Probe):
    """How far the weights are from those of the epochs in which it looks, and what the average of the two predicts.

    Each look gives lists with a place for each of these epochs, in order; null for those that are over, whose own looks
    have the pair. The first value of a look after an epoch belongs to the weights themselves: distance 0, and what they
    predict alone.

    - ``weight_distance``: the L2 norm of the difference of all trained parameters, summed in float64.
    - ``averaged_test_loss``, ``averaged_test_<metric>``: on the test set, of a model whose trained parameters are the
      mean of the two. The running statistics of BatchNorm are computed anew over an epoch of training batches, as means
      over batches, for the weights alone too: those of either are not those of the mean.

    It writes no column. While a training is watched it holds a copy of the weights for each epoch in which it looks;
    every pair costs a pass over the training set, where the model has BatchNorm, and one over the test set. So name few
    epochs with ``at``. Where the training diverges before the last of them, the lists are empty.

    Args:
        when: In which epochs it looks, and with which it compares; every tenth unless told otherwise.
        averages: Whether averages are evaluated; without them it costs next to nothing.
    """

    name: ClassVar[str] = "weights"
    when: When = EVERY_TENTH
    averages: bool = True

    def ahead(self, epochs: int) -> list[int]:
        """All epochs in which it looks."""
        return [epoch for epoch in range(1, epochs + 1) if self.when.after_epoch(epoch)]

    def columns(self) -> tuple[ProbeColumn, ...]:
        """None: all it gives are spectra."""
        return ()

    def measure(self, moment: Moment) -> Measured:
        """Compare the weights as they stand with those of each epoch that is not over."""
        trained = {name: p for name, p in moment.model.named_parameters() if p.requires_grad}
        own = copies_like(trained, trained)
        epochs = [epoch for epoch in sorted(moment.ahead) if self.when.after_epoch(epoch)]
        others = {epoch: moment.ahead[epoch] for epoch in epochs if epoch >= moment.epoch}
        spectra = {"weight_distance": [distance(own, others[e]) if e in others else math.nan for e in epochs]}
        if self.averages and epochs:
            found = {epoch: _tested(moment, average(own, other)) for epoch, other in others.items()}
            for name in next(iter(found.values())):
                spectra[f"averaged_{name}"] = [found[e][name] if e in found else math.nan for e in epochs]
        return Measured({}, spectra)


def distance(first: Vectors, second: Vectors) -> float:
    """The L2 norm of the difference of two sets of weights, summed in float64; NaN where they are not finite.

    Args:
        first: By name of parameter.
        second: The same names, and perhaps others, which are left out.

    Examples:
        >>> distance({"w": torch.tensor([3.0, 0.0])}, {"w": torch.tensor([0.0, 4.0])})
        5.0
    """
    return weight_norm(value.double() - second[name].to(value.device).double() for name, value in first.items())


def average(first: Vectors, second: Vectors) -> Vectors:
    """The mean of two sets of weights, taken in float64, in the type of the first.

    Examples:
        >>> average({"w": torch.tensor([3.0, 0.0])}, {"w": torch.tensor([0.0, 4.0])})
        {'w': tensor([1.5000, 2.0000])}
    """
    return {
        name: ((value.double() + second[name].to(value.device).double()) / 2).to(value.dtype)
        for name, value in first.items()
    }


@torch.no_grad()
def _tested(moment: Moment, weights: Vectors) -> dict[str, float]:
    """What the model with other weights gives on the test set; its statistics of BatchNorm are computed anew."""
    for name, parameter in moment.model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])
    recompute_batchnorm(moment.model, (inputs for inputs, _ in moment.train()))
    moment.model.eval()
    means = Means("test", moment.task.metrics)
    for inputs, targets in moment.test():
        outputs = moment.model(inputs)
        means.add(moment.loss(outputs, targets), outputs, targets)
    return means.result()
