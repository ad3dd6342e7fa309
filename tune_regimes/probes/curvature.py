"""Curvature: the ends of the Hessian's spectrum, the covariance of gradients, and the stability that they decide.

Source: The Break-Even Point on Optimization Trajectories of Deep Neural Networks.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from tune_regimes.errors import UsageError
from tune_regimes.probes.applied import applied, examples_in_step
from tune_regimes.probes.covariance import (
    Covariance,
    batch_gradients,
    covariance,
    eigenvectors,
    per_example_gradients,
)
from tune_regimes.probes.flattened import MODES, mixes_examples, set_mode
from tune_regimes.probes.hessian import Ends, Hessian, spectrum_ends
from tune_regimes.probes.one_step import drawn, loss_change
from tune_regimes.probes.probe import Measured, Probe, ProbeColumn
from tune_regimes.theory.break_even import stability
from tune_regimes.theory.checks import Array
from tune_regimes.training.moment import Moment
from tune_regimes.training.randomness import stream

LEAST_PARTS = 4
"""Batches that the Hessian's subset is divided into at least, where it has as many examples."""
_SHARE_OF_CHANCE = 0.1

_COVARIANCE = (
    ProbeColumn("covariance_largest", "", "Largest eigenvalue of the covariance of mini-batch gradients (lambda_K^1)"),
    ProbeColumn("covariance_smallest", "", "Its smallest eigenvalue that is not zero by centring (lambda_K^*)"),
    ProbeColumn("covariance_ratio", "", "covariance_smallest / covariance_largest"),
    ProbeColumn("covariance_trace", "", "Trace of that covariance"),
    ProbeColumn("gradient_norm", "", "Norm of the mean of the mini-batch gradients, without weight decay"),
    ProbeColumn(
        "gradient_ratio",
        "",
        "Mean over the mini-batch gradients g of |g| / |g5|, g5 being g projected on the first five eigenvectors of "
        "their covariance; null for fewer than 6",
    ),
    ProbeColumn("gradient_second_moment", "", "Mean of the squared norms of the mini-batch gradients"),
    ProbeColumn(
        "loss_change",
        "",
        "Loss on the Hessian's subset before one more step of the optimizer, less that after it, in the mode of the "
        "probe: negative where the step does harm; null for optimizers other than SGD",
    ),
)
_HESSIAN = (
    ProbeColumn("hessian_largest", "", "Most positive eigenvalue of the Hessian of the training loss (lambda_H^1)"),
    ProbeColumn("hessian_norm", "", "Spectral norm of the Hessian: its largest eigenvalue in absolute value"),
    ProbeColumn(
        "stability",
        "",
        "(1 - lr h)^2 + lr^2 Var(v^T H_B v) along the unit eigenvector v of h = hessian_largest, B a batch of the "
        "training: SGD without momentum is stable along v up to 1; null for optimizers other than SGD",
    ),
)


@dataclass(frozen=True)
class Curvature(Probe):
    """The spectra of the Hessian H and of the covariance K of gradients, and the break-even condition (Eq. 1).

    All is of the loss without weight decay on examples without crop and flip, in the type of the weights. K is that of
    `batches` mini-batch gradients drawn anew for each look, without replacement as long as the training set lasts. H is
    that of a subset of the training examples, the same at all looks and for all seeds, divided into equal batches of
    the training's size (at least 4 of them, smaller where need be).

    ``stability`` is the left side of Eq. 1, (1 - lr h)^2 + lr^2 s^2 (N - S) / (S (N - 1)). The variance over examples
    s^2 need not be known: s^2 (N - S) / (S (N - 1)) is the variance of v^T H_B v over batches B of S out of N examples.
    Here it is estimated from those b batches of m examples that the subset is divided into, whose curvatures along v
    vary by V (divided by b - 1): V m (1 / S - 1 / N), without bias where BatchNorm does not mix examples. The
    estimate's relative standard error is about sqrt(2 / (b - 1)). S is the number of examples in a step of the
    training, lr is that of the last step as set, also under momentum: Eq. 1 is that of SGD without it, and with
    momentum mu and full batches the limit of h is 2 (1 + mu) / lr instead of 2 / lr.

    ``loss_change`` makes one more step, by the training's own optimizer with its momentum, on a fresh mini-batch.

    The cost, in training steps: `batches` for K, and two thirds of those of the subset for ``loss_change``, at each
    look; and for H some three times those of the subset in each product with it, of which there are 7 where Lanczos
    converges at once, as it did for SimpleCNN, and 3 more for each restart. With 5 % of the examples in the subset,
    that is about one epoch of training each time H is looked at. Memory, in copies of the weights in float32: for K
    `batches` and one more, or 8 where H is looked at next; for H, when those are let go of, about 30 (15 vectors in
    float64: Lanczos and a product), and besides up to half a GiB of graphs that are kept (`hessian.MEMORY`).

    Args:
        when: When it looks.
        batches: Mini-batch gradients L for K, at least 2; 6 for ``gradient_ratio``.
        batch_size: Examples M in each of them; None for that of the training. 1 for gradients of single examples.
        subset: Share of the training examples that H is of, above 0 and up to 1.
        hessian_every: H is looked at in the 1st epoch and every so many from there on, if the probe looks in them; in
            all epochs that `when` names; never for 0.
        top: Eigenvalues of H in its spectrum: those of largest absolute value.
        mode: "train", in which BatchNorm normalises by the batch, as in the loss that the steps descend, or "eval", in
            which it uses its running statistics, which lag behind where steps are large. Dropout is off in both.
        tolerance: Relative residual up to which Lanczos takes an eigenvector of H for one; the error of the eigenvalue
            is about its square.
        iterations: Restarts of Lanczos. Where they do not suffice, a warning says so and the columns of H are null.

    Raises:
        UsageError: A value out of range.
    """

    name: ClassVar[str] = "curvature"
    batches: int = 25
    batch_size: int | None = None
    subset: float = 0.05
    hessian_every: int = 5
    top: int = 1
    mode: str = "train"
    tolerance: float = 0.05
    iterations: int = 20

    def __post_init__(self) -> None:
        lowest = {"batches": 2, "batch_size": 1, "hessian_every": 0, "top": 1, "iterations": 1}
        for option, low in lowest.items():
            value = getattr(self, option)
            if not (option == "batch_size" and value is None) and (not isinstance(value, int) or value < low):
                raise UsageError(f"{option} of the curvature probe must be a whole number from {low}, got {value!r}")
        for option in ("subset", "tolerance"):
            if not 0 < (value := getattr(self, option)) <= 1:
                raise UsageError(f"{option} of the curvature probe must lie above 0 and up to 1, got {value!r}")
        if self.mode not in MODES:
            raise UsageError(f"mode of the curvature probe must be one of {', '.join(MODES)}, got {self.mode!r}")

    def columns(self) -> tuple[ProbeColumn, ...]:
        """Those of K and of the loss, and those of H unless it is never looked at."""
        return _COVARIANCE if self.hessian_every == 0 else _COVARIANCE + _HESSIAN

    def measure(self, moment: Moment) -> Measured:
        """Look at K, at H where it is due, and last at what a step does."""
        set_mode(moment.model, self.mode)
        gradients = self._gradients(moment)
        found = covariance(gradients)
        values = _of_covariance(found)
        spectra: dict[str, list[float]] = {"covariance": found.eigenvalues.tolist()}
        if self.hessian_every > 0:
            values |= dict.fromkeys([column.name for column in _HESSIAN], math.nan)
        fixed = self._subset(moment)
        due = self.looks_at_hessian(moment.epoch) and math.isfinite(found.trace)
        start = _start(gradients, found, moment) if due else None
        del gradients  # The graphs of H take their room.
        if start is not None:
            of_hessian, eigenvalues = self._hessian(moment, fixed, start)
            values |= of_hessian
            spectra |= {"hessian": eigenvalues} if all(map(math.isfinite, eigenvalues)) else {}
        return Measured(values | {"loss_change": loss_change(moment, fixed, self.mode)}, spectra)

    def looks_at_hessian(self, epoch: int) -> bool:
        """Whether H is looked at, in an epoch in which the probe looks."""
        every = self.hessian_every
        return every > 0 and (bool(self.when.at) or (epoch - 1) % every == 0)

    def _gradients(self, moment: Moment) -> Tensor:
        size = self.batch_size or moment.batch_size
        if size > moment.train_count:
            raise UsageError(
                f"batch_size of the curvature probe must be at most {moment.train_count}, the training examples, got "
                f"{size}; choose a smaller one"
            )
        rows = drawn(moment.train_count, size, self.batches)
        if size == 1:
            examples = moment.examples(rows.flatten())
            return per_example_gradients(moment.model, moment.loss, *examples, chunk=moment.batch_size)
        return batch_gradients(moment.model, moment.loss, map(moment.examples, rows), self.batches)

    def _subset(self, moment: Moment) -> list[Tensor]:
        """The rows of the subset in equal batches."""
        count = round(self.subset * moment.train_count)
        if count < 2:
            raise UsageError(
                f"the subset must hold at least 2 of the {moment.train_count} training examples, got "
                f"subset={self.subset!r}; raise it"
            )
        size = max(1, min(moment.batch_size, count // min(LEAST_PARTS, count)))
        if size == 1 and (norm := mixes_examples(moment.model)):
            raise UsageError(
                f"the subset must divide into batches of 2 examples and more for BatchNorm {norm!r}, got {count} "
                "examples in all; raise subset, or use mode=eval"
            )
        order = torch.randperm(moment.train_count, generator=stream(0, "probe", self.name, "subset"))
        return list(order[: count // size * size].view(-1, size))

    def _hessian(self, moment: Moment, rows: list[Tensor], start: Array) -> tuple[dict[str, float], list[float]]:
        """The columns of H, and its spectrum."""
        hessian = Hessian(moment.model, moment.loss, [moment.examples(part) for part in rows])
        ends = spectrum_ends(hessian, start=start, top=self.top, tolerance=self.tolerance, iterations=self.iterations)
        values = {
            "hessian_largest": ends.largest,
            "hessian_norm": ends.norm,
            "stability": estimated_stability(moment, hessian, ends, len(rows[0])),
        }
        return values, ends.values.tolist()


def _of_covariance(found: Covariance) -> dict[str, float]:
    return {
        "covariance_largest": found.largest,
        "covariance_smallest": found.smallest,
        "covariance_ratio": found.ratio,
        "covariance_trace": found.trace,
        "gradient_norm": found.gradient_norm,
        "gradient_ratio": found.gradient_ratio,
        "gradient_second_moment": found.second_moment,
    }


def _start(gradients: Tensor, found: Covariance, moment: Moment) -> Array:
    """Where Lanczos starts: the gradient and the first eigenvector of K, near that of H, with some chance added."""
    chance = torch.randn(gradients.shape[1], generator=stream(moment.seed, "probe", "curvature", "start")).double()
    vector = _SHARE_OF_CHANCE * chance / chance.norm()
    if found.largest > 0.0:
        vector += eigenvectors(gradients, found, 1)[0].cpu().double()
    mean = gradients.mean(dim=0).cpu().double()
    if (norm := float(mean.norm())) > 0.0:
        vector += mean / norm
    start: Array = vector.numpy()
    return start


def estimated_stability(moment: Moment, hessian: Hessian, ends: Ends, size: int) -> float:
    """The left side of Eq. 1, from curvatures of batches of so many examples; see `Curvature`."""
    if moment.settings.family != "sgd" or ends.vector is None:
        return math.nan
    _, curvatures = hessian.curvatures(ends.vector)
    count = moment.train_count
    variance = float(np.var(curvatures, ddof=1)) * size * (count - 1) / count
    return stability(applied(moment.settings.lr, moment), ends.largest, variance, examples_in_step(moment), count)
