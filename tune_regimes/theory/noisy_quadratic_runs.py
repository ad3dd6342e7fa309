"""Gradient descent on the noisy quadratic, many replicates at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.angular_velocity import angle
from tune_regimes.theory.checks import Array, check_count, check_number
from tune_regimes.theory.noisy_quadratic import NoisyQuadratic


@dataclass(frozen=True, eq=False)
class Descent:
    """What T iterations of R replicates measured.

    Args:
        losses: Loss without noise before the first iteration and after each, shape (T + 1, R).
        squared_steps: |s_t|^2 of each iteration, shape (T, R).
        inner_products: <s_(t-1), s_t> of the iterations 2..T, shape (T - 1, R).
        last: The iterates at the end, shape (R, d).
    """

    losses: Array
    squared_steps: Array
    inner_products: Array
    last: Array

    @cached_property
    def angular_velocity(self) -> Array:
        """Degrees per iteration, of the iterations 2..T, shape (T - 1, R)."""
        norms = np.sqrt(self.squared_steps)
        return angle(self.inner_products, norms[1:], norms[:-1])


class Iterates:
    """R replicates of gradient descent, Eq. 4, from a normal start; the noise is drawn in the order of the iterations.

    Args:
        model: The noisy quadratic.
        replicates: Independent runs R.
        spread: Standard deviation of every coordinate at the start.
        seed: Of the start and of the noise.

    Raises:
        TheoryError: No replicate, or a spread below 0.
    """

    def __init__(self, model: NoisyQuadratic, replicates: int, spread: float, seed: int) -> None:
        shape = (check_count("replicates", replicates), model.dimension)
        self._rng = np.random.default_rng(seed)
        self._curvatures, self._deviation = model.curvatures, np.sqrt(model.variances)
        self.x = check_number("spread of the start", spread) * self._rng.standard_normal(shape)
        self.step = np.zeros(shape)

    def advance(self, lr: float | Array) -> tuple[Array, Array]:
        """Make an iteration with a stable learning rate, one for all or one for each replicate of shape (R, 1).

        Returns:
            |s_t|^2 and <s_(t-1), s_t> (0 in the first iteration), each of shape (R,).
        """
        previous, noise = self.step, self._rng.standard_normal(self.x.shape)
        self.step = (lr * self._curvatures) * (self._deviation * noise - self.x)
        self.x = self.x + self.step
        return np.einsum("rd,rd->r", self.step, self.step), np.einsum("rd,rd->r", self.step, previous)


def descend(
    model: NoisyQuadratic,
    lr: float | Sequence[float],
    *,
    iterations: int,
    replicates: int = 1,
    spread: float = 10.0,
    seed: int = 0,
) -> Descent:
    """Run gradient descent, AutoDrop's Eq. 4, from a normal start.

    Args:
        model: The noisy quadratic.
        lr: Learning rate, or one for each iteration; each must be stable.
        iterations: Number of iterations T, at least 2.
        replicates: Independent runs R.
        spread: Standard deviation of every coordinate at the start (the paper gives none).
        seed: Of the start and of the noise.

    Returns:
        The losses, steps and inner products of all replicates.

    Raises:
        TheoryError: A learning rate that is not stable, or a number of them that is not the number of iterations.
    """
    rates = _rates(model, lr, check_count("iterations", iterations, low=2))
    runs = Iterates(model, replicates, spread, seed)
    losses, squares, products = [model.loss(runs.x)], [], []
    for rate in rates:
        square, product = runs.advance(rate)
        losses.append(model.loss(runs.x))
        squares.append(square)
        products.append(product)
    return Descent(np.array(losses), np.array(squares), np.array(products[1:]), runs.x)


def _rates(model: NoisyQuadratic, lr: float | Sequence[float], iterations: int) -> list[float]:
    if np.ndim(lr) == 0:
        return [model.check_lr(lr)] * iterations
    rates = [model.check_lr(float(rate)) for rate in np.asarray(lr)]
    if len(rates) != iterations:
        raise TheoryError(
            f"a learning rate for each iteration is needed: received {len(rates)} for {iterations} iterations. "
            "Give as many, or a single one."
        )
    return rates
