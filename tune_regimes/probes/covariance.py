"""The covariance of gradients K by its Gram matrix: L gradients instead of a matrix over all parameters.

K^M_ij = <g_i - g, g_j - g> / L, g being the mean of the L gradients, has the non-zero eigenvalues of their covariance.
For independent batches of M examples that is about K / M, and (L - 1) / L of it in the mean: the paper divides by L. It
writes K as a product of a column with a row, which for its column vectors would be a number; meant is the D x D matrix.
Source: The Break-Even Point on Optimization Trajectories of Deep Neural Networks, section 3 and appendix C.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from tune_regimes.errors import UsageError
from tune_regimes.probes.flattened import MeanLoss, joined, mixes_examples, trained
from tune_regimes.theory.checks import Array
from tune_regimes.training.batches import Batch

SPANNED = 5
"""Eigenvectors of K that |g| / |g5| projects on."""
_BLOCK = 2**20
"""Numbers that are taken to float64 at a time."""


@dataclass(frozen=True)
class Covariance:
    """The spectrum of the covariance of L gradients, and what their Gram matrix says besides.

    Attributes:
        eigenvalues: All L of the Gram matrix, descending; the last one is 0, since the gradients are centred. vectors:
        Its eigenvectors u_j as columns, shape (L, L). gradient_norm: Norm of the mean gradient. second_moment: Mean of
        |g_i|^2, not centred. gradient_ratio: Mean over the gradients of |g_i| / |g5_i|, g5 being the projection of g,
        which is not centred, on
            the first five eigenvectors of K: at least 1, and 1 where they span it. NaN for fewer than 6 gradients.
    """

    eigenvalues: Array
    vectors: Array
    gradient_norm: float
    second_moment: float
    gradient_ratio: float

    @property
    def largest(self) -> float:
        """lambda_K^1, the spectral norm of K."""
        return float(self.eigenvalues[0])

    @property
    def smallest(self) -> float:
        """lambda_K^*, the smallest that is not 0 by centring: the (L - 1)-th in descending order.

        The paper prints "(L-1)-th smallest", which would be the second largest.
        """
        return float(self.eigenvalues[-2])

    @property
    def ratio(self) -> float:
        """lambda_K^* / lambda_K^1, which the paper calls condition number, though it is the inverse; NaN for K = 0."""
        return self.smallest / self.largest if self.largest > 0.0 else math.nan

    @property
    def trace(self) -> float:
        """Tr(K), the mean of |g_i - g|^2; over D it is the mean variance of a coordinate."""
        return float(self.eigenvalues.sum())


def covariance(gradients: Tensor) -> Covariance:
    """The covariance of gradients of shape (L, D), centred at their mean and divided by L; sums are in float64.

    Numbers are NaN where a gradient is not finite.

    Raises:
        UsageError: Fewer than two gradients.
    """
    count = check_gradients(len(gradients))
    gram, across, norm = _gram(gradients)
    if not np.isfinite(gram).all():
        return Covariance(np.full(count, math.nan), np.full((count, count), math.nan), *[math.nan] * 3)
    values, vectors = np.linalg.eigh(gram / count)
    values, vectors = np.clip(values[::-1], 0.0, None), vectors[:, ::-1]
    squares = np.diag(gram) + 2.0 * across + norm
    ratio = _ratio(gram, across, squares, values, vectors)
    return Covariance(values, vectors, math.sqrt(norm), float(squares.mean()), ratio)


def check_gradients(count: int) -> int:
    """Return how many gradients there are.

    Raises:
        UsageError: Fewer than two, which have no covariance.
    """
    if count < 2:
        raise UsageError(f"a covariance needs at least 2 gradients, got {count}; raise batches")
    return count


def eigenvectors(gradients: Tensor, found: Covariance, count: int) -> Tensor:
    """The first eigenvectors of K in the space of the parameters, e_j = G^T u_j / sqrt(L lambda_j), shape (count, D).

    Args:
        gradients: Those that `found` was computed of, shape (L, D); the rows of G are these, centred.
        found: Their covariance.
        count: How many, at most L - 1.
    """
    size = len(gradients)
    scaled = found.vectors[:, :count] / np.sqrt(size * found.eigenvalues[:count])
    weights = torch.from_numpy(scaled.T - scaled.T.mean(axis=1, keepdims=True)).to(gradients)
    return weights @ gradients


def batch_gradients(model: nn.Module, loss: MeanLoss, batches: Iterable[Batch], count: int) -> Tensor:
    """The gradients of the mean losses of `count` batches, flattened, shape (L, D): L D numbers of memory.

    The model is run in the mode in which it stands; its ``.grad`` stays as it is. There is no weight decay in them.
    """
    parameters = list(trained(model).values())
    rows = parameters[0].new_empty(count, sum(parameter.numel() for parameter in parameters), requires_grad=False)
    for row, (inputs, targets) in zip(rows, batches, strict=True):
        with torch.enable_grad():
            value = loss(model(inputs), targets)
            row.copy_(joined(torch.autograd.grad(value, parameters, materialize_grads=True)))
    return rows


def per_example_gradients(
    model: nn.Module, loss: MeanLoss, inputs: Tensor, targets: Tensor, *, chunk: int | None = None
) -> Tensor:
    """The gradient of each example's loss, flattened, shape (N, D), through torch.func.

    Args:
        model: Run in the mode in which it stands.
        loss: Mean loss of (outputs, targets), here of batches of one.
        inputs: Shape (N, ...).
        targets: Shape (N, ...).
        chunk: Examples that are computed at once; None for all of them.

    Raises:
        UsageError: A BatchNorm in training mode: the loss of an example then depends on the others; or a module that
            torch.func.vmap does not bear.
    """
    if name := mixes_examples(model):
        raise UsageError(
            f"per-example gradients need a loss of each example, and BatchNorm {name!r} normalises by the batch; use "
            "mode=eval, or a batch_size above 1"
        )
    parameters = {name: parameter.detach() for name, parameter in trained(model).items()}

    def one(point: dict[str, Tensor], example: Tensor, target: Tensor) -> Tensor:
        return loss(functional_call(model, point, (example[None],)), target[None])

    try:
        parts = vmap(grad(one), in_dims=(None, 0, 0), chunk_size=chunk)(parameters, inputs, targets)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(
            f"per-example gradients need a model that torch.func.vmap bears ({reason}); use a batch_size above 1"
        ) from error
    return torch.cat([part.flatten(1) for part in parts.values()], dim=1)


def _gram(gradients: Tensor) -> tuple[Array, Array, float]:
    """With rows c_i = g_i - g, block by block of columns: <c_i, c_j>, <c_i, g> and |g|^2."""
    size = len(gradients)
    gram = torch.zeros(size, size, dtype=torch.float64, device=gradients.device)
    across, norm = gram.new_zeros(size), gram.new_zeros(())
    for block in torch.split(gradients, max(1, _BLOCK // size), dim=1):
        numbers = block.double()
        mean = numbers.mean(dim=0)
        centred = numbers - mean
        gram += centred @ centred.T
        across += centred @ mean
        norm += mean @ mean
    return gram.cpu().numpy(), across.cpu().numpy(), float(norm)


def _ratio(gram: Array, across: Array, squares: Array, values: Array, vectors: Array) -> float:
    """The mean of |g_i| / |g5_i|; <g_i, e_j> = (<g_i, c_1>, ..., <g_i, c_L>) u_j / sqrt(L lambda_j)."""
    count = len(gram)
    if count <= SPANNED or values[SPANNED - 1] <= 0.0:
        return math.nan
    products = (gram + across) @ vectors[:, :SPANNED] / np.sqrt(count * values[:SPANNED])
    return float(np.mean(np.sqrt(squares / np.sum(products**2, axis=1))))
