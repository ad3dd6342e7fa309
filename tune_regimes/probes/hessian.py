"""The Hessian of a loss over fixed batches: products with vectors, and the eigenvalues at the ends of its spectrum.

Products differentiate the gradient once more (Pearlmutter, 1994), in the type of the model; Lanczos iterates in
float64. Source: The Break-Even Point on Optimization Trajectories of Deep Neural Networks, appendix C, which says
"spectral norm" for what its Lanczos returns; the most positive eigenvalue, which Eq. 1 needs, differs where a negative
one is larger.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from tune_regimes.errors import UsageError
from tune_regimes.probes.flattened import MeanLoss, divided, joined, trained
from tune_regimes.probes.twice import check_twice, graph_bytes, once_only
from tune_regimes.theory.checks import Array
from tune_regimes.training.batches import Batch
from tune_regimes.training.randomness import global_stream

MEMORY = 2**29
"""Bytes that kept graphs of gradients may take."""
_DENSE = 12
"""Dimensions up to which the matrix is built by as many products."""
Edges = list[GradientEdge | None]
"""The parts of a gradient as places in its graph, without their numbers; None for a part that is constant."""


class Hessian:
    """The Hessian of the mean loss over batches, D x D over the trained parameters, as products with vectors.

    Each batch counts with its number of examples. The model is run in the mode in which it stands (see
    `flattened.set_mode`): where BatchNorm normalises by the batch, it is the loss of these batches as they are. A
    product costs about three gradients over the same examples, or two where the graph of the gradient is kept; random
    numbers that the model draws are the same in every product.

    Args:
        model: Its trained parameters are the coordinates, in the order of ``named_parameters``.
        loss: Mean loss of (outputs, targets).
        batches: (inputs, targets) each.
        memory: Bytes that graphs of gradients may take: they are kept for as many batches as fit, and made anew in each
            product for the others. A batch's graph takes about twice the activations that a training step keeps.

    Attributes:
        dimension: D.
        products: Products made so far.
    """

    def __init__(self, model: nn.Module, loss: MeanLoss, batches: Sequence[Batch], *, memory: int = MEMORY) -> None:
        self._model, self._loss, self._batches = model, loss, list(batches)
        self._parameters = list(trained(model).values())
        self._examples = sum(len(targets) for _, targets in self._batches)
        self._memory, self._kept = memory, dict[int, Edges]()
        self._keep: int | None = None
        self.dimension = sum(parameter.numel() for parameter in self._parameters)
        self.products = 0

    def product(self, vector: Array) -> Array:
        """H v, float64 of shape (D,), of a vector of shape (D,)."""
        return self.curvatures(vector)[0]

    def curvatures(self, vector: Array) -> tuple[Array, Array]:
        """H v, shape (D,), and the curvature v^T H_b v of each batch b along v, shape (batches,), in one product.

        Raises:
            UsageError: A module, or the loss, cannot be differentiated twice.
        """
        along = torch.from_numpy(np.array(vector, dtype=np.float64).ravel()).to(self._parameters[0].device)
        parts, total, curvatures = divided(along, self._parameters), torch.zeros_like(along), []
        for index, (_, targets) in enumerate(self._batches):
            product = joined(self._of_batch(index, parts)).double()
            curvatures.append(product @ along)
            total += product.mul_(len(targets) / self._examples)
        self.products += 1
        return total.cpu().numpy(), torch.stack(curvatures).cpu().numpy()

    def operator(self) -> LinearOperator:
        """The same for SciPy."""
        return LinearOperator((self.dimension, self.dimension), matvec=self.product, dtype=np.float64)

    def _of_batch(self, index: int, vector: list[Tensor]) -> tuple[Tensor, ...]:
        try:
            if self._keep is None:
                check_twice(self._value(0))
                self._keep = self._affordable()
            edges = self._kept[index] if index in self._kept else _edges(self._gradient(index))
            if index < self._keep:
                self._kept[index] = edges
            return self._differentiated(edges, vector, keep=index < self._keep)
        except (RuntimeError, NotImplementedError) as error:
            if once := once_only(self._model, self._batches[index][0], error):
                raise UsageError(once) from error
            raise

    def _value(self, index: int) -> Tensor:
        """The loss of a batch."""
        inputs, targets = self._batches[index]
        with torch.enable_grad(), global_stream(inputs.device, 0, "hessian", index):
            return self._loss(self._model(inputs), targets)

    def _gradient(self, index: int) -> list[Tensor]:
        """The gradient of it, with its graph."""
        value = self._value(index)
        return list(torch.autograd.grad(value, self._parameters, create_graph=True, materialize_grads=True))

    def _differentiated(self, edges: Edges, vector: list[Tensor], *, keep: bool) -> tuple[Tensor, ...]:
        pairs = [(edge, v) for edge, v in zip(edges, vector, strict=True) if edge is not None]
        if not pairs:  # The loss is linear wherever it is differentiable.
            return tuple(torch.zeros_like(parameter) for parameter in self._parameters)
        outputs, along = zip(*pairs, strict=True)
        return torch.autograd.grad(outputs, self._parameters, along, retain_graph=keep, materialize_grads=True)

    def _affordable(self) -> int:
        """Of how many batches, each like the first, the graphs fit the memory."""
        largest = graph_bytes(self._parameters, lambda: self._gradient(0))
        return len(self._batches) if largest == 0 else min(len(self._batches), self._memory // largest)


def _edges(gradient: list[Tensor]) -> Edges:
    return [get_gradient_edge(part) if part.requires_grad else None for part in gradient]


@dataclass(frozen=True)
class Ends:
    """The ends of a spectrum.

    Attributes:
        largest: The most positive eigenvalue; NaN where Lanczos did not converge, as are the others then.
        norm: The largest absolute value.
        values: The eigenvalues of largest absolute value, descending.
        vector: The unit eigenvector of `largest`, shape (D,); None where there is none.
    """

    largest: float
    norm: float
    values: Array
    vector: Array | None


def spectrum_ends(
    hessian: Hessian,
    *,
    start: Array,
    top: int = 1,
    tolerance: float = 1e-3,
    iterations: int = 20,
    basis: int | None = None,
) -> Ends:
    """The ends of the spectrum by Lanczos (SciPy's eigsh), in one run where the largest in absolute value is positive.

    Else a second run finds the most positive. Where Lanczos does not converge, or a product is not finite, a warning
    says so, and the numbers are NaN.

    Args:
        hessian: The matrix.
        start: First vector, shape (D,), not 0. One near the eigenvectors sought saves products.
        top: How many eigenvalues of largest absolute value.
        tolerance: |H v - h v| / |h| up to which (h, v) is an eigenpair. The error of h is at most that much of it, and
            about its square where the next eigenvalue is not near.
        iterations: Restarts of Lanczos, each of about ``basis / 2`` products after the first ``basis``.
        basis: Lanczos vectors, each of 8 D bytes; None for ``max(2 top + 1, 5)``.

    Raises:
        UsageError: Fewer than one eigenvalue, or as many as there are dimensions and more.
    """
    if not 1 <= top < max(hessian.dimension, 2):
        raise UsageError(f"top must lie in 1..{hessian.dimension - 1} for {hessian.dimension} parameters, got {top}")
    size = min(max(2 * top + 1, 5) if basis is None else max(basis, top + 1), hessian.dimension)
    try:
        if hessian.dimension <= max(_DENSE, size):
            return _dense(hessian, top)
        values, vectors = _lanczos(hessian, "LM", top, start, size, tolerance, iterations)
        largest, vector = values[-1], vectors[:, -1]
        if largest <= 0.0:
            found, one = _lanczos(hessian, "LA", 1, start, size, tolerance, iterations)
            largest, vector = found[-1], one[:, -1]
        return Ends(float(largest), float(np.abs(values).max()), values[::-1], vector)
    except _FailedError as failure:
        warnings.warn(str(failure), RuntimeWarning, stacklevel=2)
        return Ends(math.nan, math.nan, np.full(top, math.nan), None)


class _FailedError(Exception):
    """Why there are no eigenvalues."""


def _lanczos(
    hessian: Hessian, which: str, top: int, start: Array, basis: int, tolerance: float, iterations: int
) -> tuple[Array, Array]:
    """Eigenvalues, ascending, and their vectors as columns."""
    operator, options = _finite(hessian), {"k": top, "which": which, "v0": start, "ncv": basis}
    try:
        values, vectors = eigsh(operator, tol=tolerance, maxiter=iterations, **options)
    except ArpackNoConvergence as error:
        # A tolerance that the first basis meets: the best that can be said, with how far from an eigenvector it is.
        values, vectors = eigsh(operator, tol=1e6, maxiter=1, **options)
        raise _FailedError(_not_converged(hessian, values, vectors, tolerance, iterations)) from error
    except ArpackError as error:
        if not hessian.product(start).any():  # The Hessian is 0 as far as the start can see: ARPACK refuses that.
            return np.zeros(top), np.repeat(start[:, None] / np.linalg.norm(start), top, axis=1)
        raise _FailedError(f"Lanczos found no eigenvalue of the Hessian ({error}): its columns are null") from error
    order = np.argsort(values)
    return values[order], vectors[:, order]


def _not_converged(hessian: Hessian, values: Array, vectors: Array, tolerance: float, iterations: int) -> str:
    which = int(np.argmax(np.abs(values)))
    value, vector = float(values[which]), vectors[:, which]
    residual = float(np.linalg.norm(hessian.product(vector) - value * vector)) / abs(value)
    return (
        f"Lanczos did not converge in {iterations} iterations: the largest eigenvalue of the Hessian is near "
        f"{value:.4g}, with a relative residual of {residual:.2g}, and the tolerance is {tolerance:g}; its columns are "
        "null. Raise iterations or tolerance"
    )


def _finite(hessian: Hessian) -> LinearOperator:
    def product(vector: Array) -> Array:
        result = hessian.product(vector)
        if not np.isfinite(result).all():
            raise _FailedError("a product with the Hessian is not finite: its columns are null")
        return result

    return LinearOperator((hessian.dimension, hessian.dimension), matvec=product, dtype=np.float64)


def _dense(hessian: Hessian, top: int) -> Ends:
    columns = [_finite(hessian).matvec(unit) for unit in np.eye(hessian.dimension)]
    matrix = np.stack(columns)
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    chosen = np.sort(values[np.argsort(-np.abs(values))[:top]])[::-1]
    return Ends(float(values[-1]), float(np.abs(values).max()), chosen, vectors[:, -1])
