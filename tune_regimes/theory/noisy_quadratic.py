"""The noisy quadratic model of AutoDrop and the limits that its first theorem gives, in closed form.

The loss is L(x) = (x - c)^T A (x - c) / 2 with A diagonal and c drawn anew in every iteration from N(0, Sigma), Sigma
diagonal; gradient descent makes x' = x - lr A (x - c). It is stable when lr a_i < 2 for every curvature a_i.
Source: AutoDrop, Eqs. 3-6 and appendix A.
"""

from dataclasses import dataclass, replace

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_choice, check_count, check_number, check_vector

COSINE_RANGE_PRINTED = (-0.5, 0.0)
"""Where Theorem 1 places C*: 90 to 120 degrees. That needs lr max(a_i) <= 1; the paper's own lr of 0.06 has 1.2.

The bound that always holds is `NoisyQuadratic.cosine_floor`.
"""


@dataclass(frozen=True, eq=False)
class NoisyQuadratic:
    """A quadratic whose minimum is redrawn in every iteration.

    Args:
        curvatures: The diagonal a_i of A, above 0, shape (d,).
        variances: The diagonal sigma_i^2 of Sigma, at least 0, shape (d,). Theorem 1 calls that diagonal sigma_i, and
            yet uses sigma_i^2; the appendix, whose proof is right, calls it sigma_i^2.

    Raises:
        TheoryError: An empty spectrum, a value out of range, or two lengths.

    Examples:
        >>> model = paper_quadratic()
        >>> [round(model.angle_limit(lr), 2) for lr in (0.06, 0.03, 0.01, 0.001)]
        [118.23, 103.28, 94.33, 90.43]
    """

    curvatures: Array
    variances: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "curvatures", check_vector("curvatures", self.curvatures, positive=True))
        object.__setattr__(self, "variances", check_vector("variances", self.variances))
        if self.curvatures.shape != self.variances.shape:
            raise TheoryError(
                f"a noisy quadratic needs one variance for each curvature: received {self.variances.size} variances "
                f"and {self.curvatures.size} curvatures. Give vectors of equal length."
            )

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return int(self.curvatures.size)

    @property
    def stability_limit(self) -> float:
        """The learning rate below which gradient descent is stable: 2 / max(a_i)."""
        return 2.0 / float(self.curvatures.max())

    def check_lr(self, lr: object) -> float:
        """Return a learning rate that gradient descent bears.

        Raises:
            TheoryError: It is not above 0, or lr a_i >= 2 for some curvature.
        """
        rate = check_number("lr", lr, positive=True)
        highest = rate * float(self.curvatures.max())
        if highest >= 2.0:
            raise TheoryError(
                "lr times every curvature must stay below 2, else the iterates grow without limit: received lr "
                f"{rate:g} and a largest curvature of {self.curvatures.max():g}, product {highest:g}. "
                f"Give an lr below {self.stability_limit:g}."
            )
        return rate

    def loss(self, x: Array) -> Array:
        """The loss without noise, sum_i a_i x_i^2 / 2, of iterates of shape (..., d)."""
        return 0.5 * (x * x) @ self.curvatures

    def stationary_variance(self, lr: float) -> Array:
        """The limit of E[x_i^2], lr a_i sigma_i^2 / (2 - lr a_i), Eq. 13; shape (d,).

        Raises:
            TheoryError: The learning rate is not stable.
        """
        scaled = self.check_lr(lr) * self.curvatures
        return scaled * self.variances / (2.0 - scaled)

    def stationary_variance_printed(self, lr: float) -> Array:
        """The fixed point of the recursion as the appendix prints it, V = (I - lr A)^2 V + lr A^2 Sigma.

        The noise enters with (lr A)^2 Sigma, so this is too large by 1 / lr; the next line there, Eq. 13, is right.

        Raises:
            TheoryError: The learning rate is not stable.
        """
        return self.stationary_variance(lr) / lr

    def stationary_loss(self, lr: float) -> float:
        """The limit of the expected loss without noise, sum_i a_i E[x_i^2] / 2.

        Raises:
            TheoryError: The learning rate is not stable.
        """
        return float(0.5 * self.curvatures @ self.stationary_variance(lr))

    def inner_product_limit(self, lr: float) -> float:
        """I*, the limit of E<s_t, s_(t+1)>: -lr^3 sum_i a_i^3 sigma_i^2 / (2 - lr a_i), Eqs. 5 and 18.

        Raises:
            TheoryError: The learning rate is not stable.
        """
        return -(self.check_lr(lr) ** 3) * self._moment(lr, 3)

    def squared_step_limit(self, lr: float) -> float:
        """N*, the limit of E|s_t|^2: 2 lr^2 sum_i a_i^2 sigma_i^2 / (2 - lr a_i), Eq. 20.

        Raises:
            TheoryError: The learning rate is not stable.
        """
        return 2.0 * self.check_lr(lr) ** 2 * self._moment(lr, 2)

    def cosine_limit(self, lr: float) -> float:
        """C* = I* / N*, to which the mean cosine of successive steps tends approximately, Eqs. 6 and 23.

        Raises:
            TheoryError: The learning rate is not stable, or no coordinate has noise: the steps then tend to 0.
        """
        self.check_lr(lr)
        if not self.variances.any():
            raise TheoryError(
                "the limit of the cosine needs noise in some coordinate: received variances that are all 0. "
                "Give at least one variance above 0."
            )
        return -0.5 * lr * self._moment(lr, 3) / self._moment(lr, 2)

    def angle_limit(self, lr: float) -> float:
        """The angular velocity at saturation, arccos(C*), in degrees per iteration.

        Raises:
            TheoryError: The learning rate is not stable, or no coordinate has noise.
        """
        return float(np.degrees(np.arccos(self.cosine_limit(lr))))

    def cosine_floor(self, lr: float) -> float:
        """The bound -lr max(a_i) / 2 below C*, Eq. 6: the printed -1/2 where lr max(a_i) <= 1, and lower elsewhere.

        Raises:
            TheoryError: The learning rate is not stable.
        """
        return -0.5 * self.check_lr(lr) * float(self.curvatures.max())

    def second_moments(self, lr: float, iterations: int, start: Array) -> Array:
        """E[x_i^2] over the iterations: r^t m_i + (1 - r^t) V_i, r = (1 - lr a_i)^2 and V the stationary variance.

        Args:
            lr: Learning rate.
            iterations: Number of iterations T.
            start: The second moments m_i at the start, shape (d,).

        Returns:
            Shape (T + 1, d).

        Raises:
            TheoryError: The learning rate is not stable, or a start of another shape.
        """
        moments = self._start(start)
        times = np.arange(check_count("iterations", iterations) + 1)[:, None]
        share = (1.0 - self.check_lr(lr) * self.curvatures) ** (2 * times)
        return share * moments + (1.0 - share) * self.stationary_variance(lr)

    def expected_angles(self, lr: float, iterations: int, start: Array) -> Array:
        """The angular velocity on its way to saturation, arccos(E<s_(t-1), s_t> / sqrt(E|s_(t-1)|^2 E|s_t|^2)).

        Args:
            lr: Learning rate.
            iterations: Number of iterations T, at least 2.
            start: The second moments of x at the start, shape (d,).

        Returns:
            Degrees per iteration, of the iterations 2..T, shape (T - 1,); it tends to `angle_limit`.

        Raises:
            TheoryError: The learning rate is not stable, too few iterations, or a start of another shape.
        """
        moments = self.second_moments(lr, check_count("iterations", iterations, low=2) - 1, start)
        weights = (lr * self.curvatures) ** 2
        squares = (moments + self.variances) @ weights
        products = ((1.0 - lr * self.curvatures) * moments - lr * self.curvatures * self.variances) @ weights
        cosines = products[:-1] / np.sqrt(squares[:-1] * squares[1:])
        return np.asarray(np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))))

    def _start(self, start: Array) -> Array:
        moments = check_vector("second moments at the start", start)
        if moments.shape != self.curvatures.shape:
            raise TheoryError(
                f"the start needs one second moment for each curvature: received {moments.size} for {self.dimension} "
                "coordinates. Give a vector of that length."
            )
        return moments

    def _moment(self, lr: float, power: int) -> float:
        """sum_i a_i^power sigma_i^2 / (2 - lr a_i)."""
        return float(np.sum(self.curvatures**power * self.variances / (2.0 - lr * self.curvatures)))


def paper_quadratic(noise: str = "identity") -> NoisyQuadratic:
    """The model of the paper's figures 1 and 3: 200 coordinates with curvatures 1/10, 2/10, ..., 20.

    Args:
        noise: "identity" (Sigma = I) or "inverse" (Sigma = A^-1); the paper does not say which it took.

    Raises:
        TheoryError: Another noise.
    """
    check_choice("noise", noise, ("identity", "inverse"))
    curvatures = np.arange(1, 201) / 10.0
    return NoisyQuadratic(curvatures, np.ones(200) if noise == "identity" else 1.0 / curvatures)


def printed_variances(model: NoisyQuadratic) -> NoisyQuadratic:
    """The model whose limits are those of Theorem 1 taken by the letter of the main text.

    There sigma_i is the diagonal of Sigma, a variance, and the formulas square it once more; the proof does not. Both
    agree for Sigma = I.
    """
    return replace(model, variances=model.variances**2)
