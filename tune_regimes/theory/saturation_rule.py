"""The rule of AutoDrop's motivating example: halve the learning rate when the mean angular velocity stands still.

"The change of the angular velocity averaged across 20 iterations is smaller than 0.01 degree between 2 consecutive
iterations": the paper does not say whether the averages are those of a window that slides by one iteration or of blocks
that share none. They differ: at saturation the mean of a sliding window changes by about 0.4 degrees from one
iteration to the next, so it is below 0.01 soon, by chance, and all drops are made within hundreds of iterations; with
blocks they take thousands. Both end at the same loss. Source: AutoDrop, section 3 and figure 3.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tune_regimes.errors import TheoryError
from tune_regimes.theory.angular_velocity import AVERAGES, angle
from tune_regimes.theory.checks import Array, check_choice, check_count, check_number
from tune_regimes.theory.noisy_quadratic import NoisyQuadratic
from tune_regimes.theory.noisy_quadratic_runs import Iterates

NEVER = -1
"""The iteration of a drop that was not made."""


@dataclass(frozen=True)
class SaturationRule:
    """When and how far the learning rate drops.

    Args:
        average: "moving" or "disjoint" means of the angular velocity.
        lr: Learning rate at the start.
        min_lr: The smallest learning rate; no drop is made there.
        factor: Factor of each drop, in (0, 1).
        window: Iterations of a mean.
        threshold: Degrees; a smaller change of the mean makes a drop.

    Raises:
        TheoryError: A value outside its range, or a floor above the start.

    Examples:
        >>> SaturationRule("moving").levels()
        (0.06, 0.03, 0.015, 0.0075, 0.00375, 0.001875, 0.001)
    """

    average: str
    lr: float = 0.06
    min_lr: float = 0.001
    factor: float = 0.5
    window: int = 20
    threshold: float = 0.01

    def __post_init__(self) -> None:
        check_choice("average", self.average, AVERAGES)
        for name in ("lr", "min_lr", "threshold"):
            check_number(name, getattr(self, name), positive=True)
        check_number("factor", self.factor, below=1.0, positive=True)
        check_count("window", self.window)
        if self.min_lr > self.lr:
            raise TheoryError(
                f"the smallest lr must not be above the first: received {self.min_lr} and {self.lr}. Lower min_lr."
            )

    def levels(self) -> tuple[float, ...]:
        """The learning rates that are visited: lr <- max(min_lr, factor lr)."""
        visited = [self.lr]
        while visited[-1] > self.min_lr:
            visited.append(max(self.min_lr, self.factor * visited[-1]))
        return tuple(visited)


@dataclass(frozen=True, eq=False)
class RuleRun:
    """What a rule did to R replicates.

    Args:
        drops: The iteration (from 1) after which each drop was made, `NEVER` where it was not, shape (R, levels - 1).
        losses: Loss without noise before the first iteration and after each, shape (T + 1, R).
        lrs: Learning rate of each iteration, shape (T, R).
        mean_velocity: The means that the rule looked at, in degrees; NaN in the iterations without one, shape (T, R).
    """

    drops: npt.NDArray[np.int64]
    losses: Array
    lrs: Array
    mean_velocity: Array


class _Watch:
    """Forms the means of all replicates and makes their drops."""

    def __init__(self, rule: SaturationRule, replicates: int) -> None:
        self.rule, self.seen = rule, 0
        self.lowest = len(rule.levels()) - 1
        self.recent = np.zeros((rule.window, replicates))
        self.mean = np.full(replicates, np.nan)
        self.level = np.zeros(replicates, dtype=np.int64)
        self.drops = np.full((replicates, self.lowest), NEVER, dtype=np.int64)

    def observe(self, iteration: int, velocity: Array) -> Array:
        """Take the velocities after an iteration, drop where the mean stands still, return the means (or NaN)."""
        window = self.rule.window
        self.recent[self.seen % window] = velocity
        self.seen += 1
        if self.seen < window or (self.rule.average == "disjoint" and self.seen % window):
            return np.full(velocity.shape, np.nan)
        before, self.mean = self.mean, self.recent.mean(axis=0)
        falls = (np.abs(self.mean - before) < self.rule.threshold) & (self.level < self.lowest)
        self.drops[falls, self.level[falls]] = iteration
        self.level = self.level + falls
        return self.mean


def follow(
    model: NoisyQuadratic,
    rule: SaturationRule,
    *,
    iterations: int,
    replicates: int = 1,
    spread: float = 10.0,
    seed: int = 0,
) -> RuleRun:
    """Run gradient descent on a noisy quadratic under the rule; every replicate drops by itself.

    The means go on over a drop: the paper's text does not interrupt them, nor say that it means to. (The policy
    `SaturationDrop`, for networks, fills its windows anew.)

    Args:
        model: The noisy quadratic.
        rule: When to drop.
        iterations: Number of iterations T.
        replicates: Independent runs R.
        spread: Standard deviation of every coordinate at the start (the paper gives none).
        seed: Of the start and of the noise.

    Returns:
        Drops, losses, learning rates and means of all replicates.

    Raises:
        TheoryError: A first learning rate that is not stable, or a count out of range.
    """
    model.check_lr(rule.lr)
    runs, watch, levels = Iterates(model, replicates, spread, seed), _Watch(rule, replicates), np.array(rule.levels())
    losses = np.empty((check_count("iterations", iterations) + 1, replicates))
    lrs, means = np.empty((iterations, replicates)), np.full((iterations, replicates), np.nan)
    losses[0], previous = model.loss(runs.x), np.zeros(replicates)
    for t in range(iterations):
        lrs[t] = levels[watch.level]
        square, product = runs.advance(lrs[t][:, None])
        losses[t + 1], norm = model.loss(runs.x), np.sqrt(square)
        if t > 0:
            means[t] = watch.observe(t + 1, angle(product, norm, previous))
        previous = norm
    return RuleRun(watch.drops, losses, lrs, means)


def chance_of_standing_still(deviation: float, threshold: float = 0.01) -> float:
    """The probability that a normal change of the mean is below the threshold: erf(threshold / (deviation sqrt 2)).

    Its inverse is the expected number of means from one drop to the next once the angular velocity has saturated.

    Args:
        deviation: Standard deviation of the change of successive means at saturation, in degrees.
        threshold: Degrees.

    Raises:
        TheoryError: A value that is not above 0.

    Examples:
        >>> round(1.0 / chance_of_standing_still(0.38))
        48
    """
    spread = check_number("deviation", deviation, positive=True)
    return math.erf(check_number("threshold", threshold, positive=True) / (spread * math.sqrt(2.0)))
