"""SGD with weight decay on a scale-invariant loss whose gradient noise has a constant trace, many replicates at once.

Intrinsic learning rate, section 5. With u = w / norm(w), the loss of step t is u^T A u / 2 + b_t u with a diagonal A
and fresh normal b_t. Its gradient at the unit weights is (I - u u^T)(A u + b_t), whose noise has the trace sigma^2
whatever the direction: Lemma 5.2 with epsilon = 0. What is left between the lemma and SGD is that steps are finite,
which adds the squared mean gradient to the trace (effective_lr.equilibrium_gamma).
"""

from dataclasses import dataclass

import numpy as np

from tune_regimes.theory.checks import Array, check_count, check_number, check_vector
from tune_regimes.theory.matrices import check_array


@dataclass(frozen=True, eq=False)
class NoisySphere:
    """The loss without noise, u^T A u / 2 for a diagonal A, and the noise of its gradient.

    Args:
        curvatures: Diagonal of A, at least 0, shape (n,) with n of 2 or more.
        sigma: Root of the trace of the noise's covariance at unit weights, above 0.

    Raises:
        TheoryError: A curvature below 0, fewer than two of them, or a sigma that is not positive.

    Examples:
        >>> NoisySphere([0.0, 2.0], 1.0).loss(np.array([[3.0, 4.0], [30.0, 40.0]])).tolist()
        [0.64, 0.64]
    """

    curvatures: Array
    sigma: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "curvatures", check_vector("curvatures", self.curvatures))
        check_count("number of curvatures", self.dimension, low=2)
        object.__setattr__(self, "sigma", check_number("sigma", self.sigma, positive=True))

    @property
    def dimension(self) -> int:
        """The number of weights n."""
        return int(self.curvatures.size)

    @property
    def spread(self) -> float:
        """Standard deviation of a coordinate of b: n - 1 of them are left orthogonal to the weights."""
        return float(self.sigma / np.sqrt(self.dimension - 1))

    def loss(self, weights: Array) -> Array:
        """Return the loss without noise of weights of shape (..., n), shape (...)."""
        return np.asarray((weights**2 @ self.curvatures) / 2.0 / (weights**2).sum(axis=-1))

    def unit_gradient(self, directions: Array, slopes: Array) -> Array:
        """Return (I - u u^T)(A u + b) of unit directions and b, each of shape (..., n), same shape."""
        outer = self.curvatures * directions + slopes
        return np.asarray(outer - (outer * directions).sum(axis=-1, keepdims=True) * directions)


@dataclass(frozen=True, eq=False)
class SphereRun:
    """What T steps of R replicates measured.

    Args:
        lrs: Learning rate of each step, shape (T,).
        norms_squared: G = norm(w)^2 before the first step and after each, shape (T + 1, R).
        losses: Loss without noise at the same times, shape (T + 1, R).
        second_moments: Squared norm of each step's gradient at the unit weights, shape (T, R).
        last: The weights at the end, shape (R, n).
    """

    lrs: Array
    norms_squared: Array
    losses: Array
    second_moments: Array
    last: Array

    @property
    def effective_lrs(self) -> Array:
        """The effective learning rate lr / G that each step is made with, shape (T, R)."""
        return np.asarray(self.lrs[:, None] / self.norms_squared[:-1])


def starts_of_norm(model: NoisySphere, norm_squared: float, replicates: int, seed: int = 0) -> Array:
    """Return weights of one squared norm in directions that are uniform on the sphere, shape (R, n).

    Raises:
        TheoryError: A squared norm that is not positive, or no replicate.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((check_count("replicates", replicates), model.dimension))
    size = np.sqrt(check_number("squared norm", norm_squared, positive=True))
    return np.asarray(size * drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def descend(model: NoisySphere, starts: object, *, lrs: object, weight_decays: object, seed: int = 0) -> SphereRun:
    """Run SGD with weight decay, w' = (1 - lr wd) w - lr gradient(w), eq. 2, from several starts.

    Args:
        model: The loss and its noise.
        starts: Shape (R, n), none at the origin.
        lrs: Learning rate of each step, above 0, shape (T,).
        weight_decays: Weight decay of each step, at least 0, shape (T,); lr wd below 1.
        seed: Of the noise, which is drawn in the order of the steps.

    Raises:
        TheoryError: A shape that does not fit, a learning rate that is not positive, lr wd of 1 or more, or a start at
            the origin.
    """
    rates = check_vector("learning rates", lrs, positive=True)
    decays = check_array("weight decays", check_vector("weight decays", weight_decays), (rates.size,))
    check_number("intrinsic learning rate lr * wd", float((rates * decays).max()), below=1.0)
    weights = np.array(check_array("starts", starts, (None, model.dimension)))
    check_number("smallest norm of the starts", float(np.linalg.norm(weights, axis=1).min()), positive=True)
    rng, spread = np.random.default_rng(seed), model.spread
    squares, losses, moments = [(weights**2).sum(axis=1)], [model.loss(weights)], []
    for lr, decay in zip(rates.tolist(), decays.tolist(), strict=True):
        norms = np.sqrt(squares[-1])[:, None]
        pull = model.unit_gradient(weights / norms, spread * rng.standard_normal(weights.shape))
        weights = (1.0 - lr * decay) * weights - lr / norms * pull
        moments.append((pull**2).sum(axis=1))
        squares.append((weights**2).sum(axis=1))
        losses.append(model.loss(weights))
    return SphereRun(rates, np.array(squares), np.array(losses), np.array(moments), weights)
