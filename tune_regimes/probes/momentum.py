"""Momentum: whether the accumulated gradient points to where the training ends, and how long it is.

SGD in torch's form does ``g_{t+1} = mu g_t + gradient(w_t)``, ``w_{t+1} = w_t - lr g_{t+1}``. After t steps the buffer
is g_t and the weights are w_t, and the two measures compare them as they stand. All sums are in float64.

Source: Two Regimes, section 3.1, eqs. 3 and 4.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from tune_regimes.errors import UsageError
from tune_regimes.probes.applied import applied, examples_in_step
from tune_regimes.probes.probe import Measured, Probe, ProbeColumn
from tune_regimes.training.batches import Batch
from tune_regimes.training.moment import Moment, Vectors
from tune_regimes.training.observables import weight_norm
from tune_regimes.training.randomness import stream

GRADIENTS = ("batch", "full")
REFERENCES = ("final", None)


def alignment(velocity: Vectors, weights: Vectors, reference: Vectors) -> float:
    """The cosine between the direction of the steps and that to a reference: <-g, x* - w> / (|g| |x* - w|).

    Eq. 3 prints <g, x* - w>, without the minus sign. g accumulates gradients, so that the steps go along -g: as
    printed, the measure tends to -1 on a convex problem, where the text has it go to 1.

    Args:
        velocity: The momentum buffer g.
        weights: The weights w.
        reference: The optimum x*, or where the training ends.

    Returns:
        From -1 to 1; NaN where g is zero or w is the reference, as at the end of a training.

    Raises:
        UsageError: The reference lacks a parameter.

    Examples:
        >>> w, optimum = {"w": torch.tensor([2.0, 0.0])}, {"w": torch.zeros(2)}
        >>> [alignment({"w": torch.tensor(g)}, w, optimum) for g in ([4.0, 0.0], [0.0, 1.0])]
        [1.0, 0.0]
    """
    if missing := sorted(velocity.keys() - reference.keys()):
        raise UsageError(
            f"the reference of the alignment must hold every trained parameter, {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing; take the weights of a training of the same model"
        )
    parts = [_products(g, weights[name], reference[name].to(g.device)) for name, g in velocity.items()]
    product, steps, ways = torch.stack(parts).sum(0).tolist() if parts else (0.0, 0.0, 0.0)
    length = math.sqrt(steps) * math.sqrt(ways)
    return max(-1.0, min(1.0, product / length)) if length > 0 else math.nan


def scale(velocity: Vectors, gradient: Vectors) -> float:
    """The length of the momentum buffer over that of the gradient, |g| / |gradient(w)|: eq. 4.

    (The text of section 3.1 swaps the names of eqs. 3 and 4.) It tends to 1 / (1 - mu) where successive gradients are
    equal, and to 1 / sqrt(1 - mu^2) where they are uncorrelated.

    Returns:
        At least 0; NaN where the gradient is zero.
    """
    length = weight_norm(gradient.values())
    return weight_norm(velocity.values()) / length if length > 0 else math.nan


def mean_gradient(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], batches: Iterable[Batch]
) -> dict[str, Tensor]:
    """The mean over examples of the gradient of the loss, by name of trained parameter.

    The model runs in training mode, so that BatchNorm uses the statistics of each batch, and updates its running ones.
    It takes one vector of the size of the weights for the mean, and one for a batch.

    Args:
        model: Left in training mode; its ``.grad`` is not touched.
        loss: Mean loss of (outputs, targets).
        batches: (inputs, targets) each, at least one; a batch counts with its number of examples.
    """
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    total, count = [torch.zeros_like(parameter) for parameter in trained.values()], 0
    model.train()
    for inputs, targets in batches:
        value = loss(model(inputs), targets)
        parts = torch.autograd.grad(value, list(trained.values()), materialize_grads=True)
        torch._foreach_add_(total, parts, alpha=len(targets))
        count += len(targets)
    torch._foreach_div_(total, count)
    return dict(zip(trained, total, strict=True))


@dataclass(frozen=True)
class Momentum(Probe):
    """Alignment and scale of SGD's momentum buffer: eqs. 3 and 4 of Two Regimes, eq. 3 with its sign corrected.

    The buffer is torch's, which accumulates clipped gradients with weight decay; with Nesterov momentum it is the
    buffer too, not the step. SGD without momentum has no buffer: by g_{t+1} = mu g_t + gradient(w_t) with mu = 0 its
    velocity is the last gradient, and that of the next step, from a mini-batch at the weights as they stand, is taken
    for it. Under other optimizers there is no value. Gradients are those of examples without crop and flip, in training
    mode.

    Args:
        when: When it looks.
        gradient: What the scale compares with: "batch", a mini-batch gradient of the size of a step, drawn anew for
            each look, which costs as much as a step; or "full", the gradient of all training examples, or a subset.
        subset: The share of the training examples that make up the full gradient, above 0 and up to 1: the same ones
            throughout a training. All of them cost as much as an epoch.
        reference: What the alignment points to: "final", the weights at the end of the schedule, for which everything
            is trained twice; or None, for the scale alone.

    Raises:
        UsageError: An unknown word, a subset out of range, or a subset for a mini-batch gradient.
    """

    name: ClassVar[str] = "momentum"
    gradient: str = "batch"
    subset: float = 1.0
    reference: str | None = "final"

    def __post_init__(self) -> None:
        for option, words in (("gradient", GRADIENTS), ("reference", REFERENCES)):
            if (word := getattr(self, option)) not in words:
                known = " or ".join(str(each).lower() for each in words)
                raise UsageError(f"{option} of the momentum probe must be {known}, got {word!r}")
        if not 0 < self.subset <= 1:
            raise UsageError(
                f"subset must be a share of the training examples above 0 and up to 1, got {self.subset!r}"
            )
        if self.gradient == "batch" and self.subset != 1:
            raise UsageError(f"a subset goes with gradient=full, got subset={self.subset!r} for a mini-batch gradient")

    def ahead(self, epochs: int) -> tuple[int, ...]:
        """The end of the schedule, where the alignment points to it."""
        return (epochs,) if self.reference == "final" else ()

    def columns(self) -> tuple[ProbeColumn, ...]:
        """Alignment and scale."""
        what = "a mini-batch gradient" if self.gradient == "batch" else "the full gradient"
        return (
            ProbeColumn(
                "momentum_alignment",
                "",
                "Cosine between the step direction -g (g: SGD's momentum buffer) and the way to the final weights; "
                "null at these, under other optimizers and where the training diverges",
            ),
            ProbeColumn("momentum_scale", "", f"Norm of g over that of {what} of the loss without weight decay"),
            ProbeColumn(
                "momentum_scale_decayed", "", f"Norm of g over that of {what} with weight decay, as g holds it"
            ),
        )

    def measure(self, moment: Moment) -> Measured:
        """Compare the buffer with the gradient at the weights as they stand, and with the way that is left."""
        if moment.settings.family != "sgd":
            return Measured({column.name: math.nan for column in self.columns()})
        weights = {name: p.detach() for name, p in moment.model.named_parameters() if p.requires_grad}
        gradient = _gradient(moment, self._rows(moment))
        decayed = _decayed(gradient, weights, moment)
        velocity = moment.velocity or self._next(moment, weights, decayed)
        final = moment.ahead[max(moment.ahead)] if self.reference == "final" and moment.ahead else None
        values = {
            "momentum_alignment": math.nan if final is None else alignment(velocity, weights, final),
            "momentum_scale": scale(velocity, gradient),
            "momentum_scale_decayed": scale(velocity, decayed),
        }
        return Measured(values)

    def _rows(self, moment: Moment) -> Tensor:
        """The numbers of the examples that make up the gradient."""
        if self.gradient == "batch":
            return _step_rows(moment)
        count = max(1, round(self.subset * moment.train_count))
        return torch.randperm(moment.train_count, generator=stream(moment.seed, "probe", "momentum", "subset"))[:count]

    def _next(self, moment: Moment, weights: Vectors, decayed: Vectors) -> Vectors:
        """What the next step would follow without momentum."""
        if self.gradient == "batch":
            return decayed
        return _decayed(_gradient(moment, _step_rows(moment)), weights, moment)


def _products(velocity: Tensor, weights: Tensor, reference: Tensor) -> Tensor:
    """<-g, x* - w>, |g|^2 and |x* - w|^2 of one parameter."""
    g, way = velocity.double(), reference.double() - weights.detach().double()
    return torch.stack([-(g * way).sum(), g.square().sum(), way.square().sum()])


def _step_rows(moment: Moment) -> Tensor:
    return torch.randperm(moment.train_count)[: examples_in_step(moment)]


def _gradient(moment: Moment, rows: Tensor) -> dict[str, Tensor]:
    """The mean gradient over examples, in batches as equal as can be and no larger than those of the training."""
    parts = rows.tensor_split(math.ceil(len(rows) / moment.batch_size))
    return mean_gradient(moment.model, moment.loss, (moment.examples(part) for part in parts))


def _decayed(gradient: Vectors, weights: Vectors, moment: Moment) -> Vectors:
    """The gradient that SGD accumulates: with weight decay on the parameters that it acts on."""
    decay = applied(moment.settings.weight_decay, moment)
    if decay == 0:
        return gradient
    kernels = moment.settings.decay == "kernels"
    return {name: g if kernels and g.ndim < 2 else g + decay * weights[name] for name, g in gradient.items()}
