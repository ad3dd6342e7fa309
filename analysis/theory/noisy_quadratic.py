"""Toy experiment of AutoDrop on the noisy quadratic model: Fig. 1, claims P1-03 to P1-06.

Replicates, independent runs of the same iterations, are the units of every test.

Source: Teng, Wang and Choromanska, AutoDrop, Sec. 3, Theorem 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from analysis.document import Plate
from analysis.figures.noisy_quadratic import levels, saturation_course
from analysis.statistics import ALPHA, Array, Effect, mean_effect, welch_effect
from analysis.theory.experiments import Experiment, Findings, exact, interval
from analysis.verdicts import Verdict, judge_all, judge_equivalence, judge_greater, judge_interval
from tune_regimes.theory.angular_velocity import means
from tune_regimes.theory.noisy_quadratic import NoisyQuadratic, paper_quadratic
from tune_regimes.theory.noisy_quadratic_runs import Descent, descend

SOURCE = "Teng, Wang and Choromanska, AutoDrop, Sec. 3"
LRS = (0.06, 0.03, 0.01, 0.001)
"""Learning rates of Fig. 1, the largest first; printed as "0, 001"."""
WINDOW = 20
"""Iterations over which the paper averages angles."""
DEGREE = 1.0
"""Angles within a degree of each other are the same."""
COSINE = 0.005
"""Largest difference of a cosine from its limit that counts as none: 0.3 degrees near 90."""
RELATIVE = 0.02
"""Largest relative difference of an inner product from its limit that counts as none."""


@dataclass(frozen=True)
class Runs:
    """Gradient descent on the paper's model at each learning rate of Fig. 1.

    Args:
        model: The noisy quadratic.
        runs: What each learning rate measured; all of as many iterations and replicates.
    """

    model: NoisyQuadratic
    runs: Mapping[float, Descent]

    @cached_property
    def angles(self) -> Mapping[float, Array]:
        """Means of the angular velocity over blocks of `WINDOW` iterations, shape (blocks, replicates)."""
        return {lr: means(run.angular_velocity, WINDOW) for lr, run in self.runs.items()}

    @property
    def n(self) -> dict[str, int]:
        """Replicates and iterations."""
        steps, replicates = next(iter(self.runs.values())).squared_steps.shape
        return {"replicates": replicates, "iterations": steps}

    def level(self, lr: float) -> Array:
        """Mean angle over the second half of the iterations, by replicate."""
        return self.angles[lr][len(self.angles[lr]) // 2 :].mean(axis=0)

    def saturated(self, lr: float) -> Array:
        """The block at which the angle first comes within a degree of its level, by replicate, from 1."""
        return 1 + np.argmax(np.abs(self.angles[lr] - self.level(lr)) < DEGREE, axis=0).astype(float)

    def cosine(self, lr: float) -> Array:
        """Mean inner product over mean squared step in the second half, by replicate: what C* is the limit of."""
        return self.inner_product(lr) / self._tail(self.runs[lr].squared_steps)

    def inner_product(self, lr: float) -> Array:
        """Mean inner product of successive steps in the second half, by replicate."""
        return self._tail(self.runs[lr].inner_products)

    @staticmethod
    def _tail(values: Array) -> Array:
        return np.asarray(values[len(values) // 2 :].mean(axis=0))


def simulate(iterations: int = 20_000, replicates: int = 20) -> Runs:
    """Fig. 1: from x_0 ~ N(0, 100 I), Sigma = I; the paper gives neither, nor the iterations."""
    model = paper_quadratic()
    return Runs(model, {lr: descend(model, lr, iterations=iterations, replicates=replicates) for lr in LRS})


def saturates(runs: Runs) -> Verdict:
    """P1-03: property P1; the angle rises, and then stands still."""
    statement = "The angular velocity of the noisy quadratic rises at first and then saturates"
    test = f"t test of the rise; TOST of the change between the last two quarters within {DEGREE:g} degree; at each lr"
    rises, changes = {}, {}
    for lr, angles in runs.angles.items():
        quarters = [part.mean(axis=0) for part in np.array_split(angles, 4)]
        rises[lr], changes[lr] = mean_effect(runs.level(lr) - angles[0]), mean_effect(quarters[3] - quarters[2])
    level = ALPHA / len(rises)
    parts = [judge_greater(effect, alpha_below=level) for effect in rises.values()]
    parts += [judge_equivalence(effect, DEGREE, level) for effect in changes.values()]
    statistics = {f"rise at {lr:g}": interval(effect) for lr, effect in rises.items()}
    statistics |= {f"late change at {lr:g}": interval(effect) for lr, effect in changes.items()}
    return Verdict("P1-03", statement, judge_all(parts), test, statistics, n=runs.n)


def large_lr_level(runs: Runs) -> Verdict:
    """P1-04 i: at a learning rate that is too large to converge, between 90 and 120 degrees."""
    effect = mean_effect(runs.level(LRS[0]))
    statement = f"At the largest lr, {LRS[0]:g}, the angular velocity saturates between 90 and 120 degrees"
    verdict = judge_interval(*effect.interval(0.90), (90.0, 120.0))
    test = "90 % interval of the level over replicates within 90 to 120 degrees"
    return Verdict("P1-04a", statement, verdict, test, {"level": interval(effect)}, n=runs.n)


def levels_fall(runs: Runs) -> Verdict:
    """P1-04 ii: the smaller the learning rate, the lower the level."""
    statement = "The smaller the learning rate, the lower the level of saturation"
    return _ordered("P1-04b", statement, "level (degrees)", {lr: runs.level(lr) for lr in LRS}, runs)


def saturates_later(runs: Runs) -> Verdict:
    """P1-04 iii: the smaller the learning rate, the later the saturation; an observation, without a theorem."""
    statement = "The smaller the learning rate, the later the angular velocity saturates"
    blocks = {lr: -WINDOW * runs.saturated(lr) for lr in LRS}
    return _ordered(
        "P1-04c", statement, f"iteration of saturation, within {DEGREE:g} degree of the level", blocks, runs
    )


def small_lr_level(runs: Runs) -> Verdict:
    """P1-04 iv: at a learning rate small enough to converge, 90 degrees."""
    effect = mean_effect(runs.level(LRS[-1]) - 90.0)
    statement = f"At the smallest lr, {LRS[-1]:g}, the angular velocity saturates at 90 degrees"
    test = f"TOST over replicates of the level less 90 degrees, margin {DEGREE:g} degree"
    p_values = {"TOST": effect.p_within(DEGREE)}
    statistics = {"level - 90": interval(effect)}
    return Verdict("P1-04d", statement, judge_equivalence(effect, DEGREE), test, statistics, p_values, runs.n)


def theorem_1(runs: Runs) -> Verdict:
    """P1-05: simulated inner products and cosines against the closed forms."""
    statement = "Simulation gives the limits I* and C* of Theorem 1"
    test = f"TOST over replicates: cosine within {COSINE:g} of C* at each lr; inner product within {RELATIVE:.0%} of I*"
    cosines = {lr: mean_effect(runs.cosine(lr) - runs.model.cosine_limit(lr)) for lr in LRS}
    products = mean_effect(runs.inner_product(LRS[0]) / runs.model.inner_product_limit(LRS[0]) - 1.0)
    statistics = {f"cosine - C* at {lr:g}": interval(effect) for lr, effect in cosines.items()}
    statistics |= {f"I / I* - 1 at {LRS[0]:g}": interval(products)}
    level = ALPHA / (len(cosines) + 1)
    parts = [judge_equivalence(effect, COSINE, level) for effect in cosines.values()]
    parts.append(judge_equivalence(products, RELATIVE, level))
    limits = ", ".join(f"{runs.model.angle_limit(lr):.2f}" for lr in LRS)
    return Verdict(
        "P1-05", statement, judge_all(parts), test, statistics, n=runs.n, note=f"arccos(C*): {limits} degrees"
    )


def theorem_1_bound(noises: tuple[str, ...] = ("identity", "inverse"), grid: int = 200) -> Verdict:
    """P1-05b: C* >= -lr max(a) / 2, at learning rates up to the edge of stability and for both noises."""
    statement = "C* is at least -lr max(a) / 2"
    models = [paper_quadratic(noise) for noise in noises]
    lrs = np.linspace(0.001, 0.999, grid) * models[0].stability_limit
    gaps = [model.cosine_limit(lr) - model.cosine_floor(lr) for model in models for lr in lrs.tolist()]
    return exact(
        "P1-05b",
        statement,
        "closed forms compared over a grid of learning rates, Sigma = I and A^-1",
        min(gaps) >= -1e-12,
        {"smallest C* - bound": min(gaps)},
        cases=len(gaps),
    )


def theorem_1_range() -> Verdict:
    """P1-06: C* in [-1/2, 0], printed without a condition, needs lr max(a) <= 1; the paper's own lr has 1.2."""
    statement = f"Theorem 1 keeps the cosine within [-1/2, 0] at every lr of Fig. 1, {LRS[0]:g} included"
    steepest = NoisyQuadratic(paper_quadratic().curvatures, np.eye(200)[-1])
    found = steepest.cosine_limit(LRS[0])
    note = "with noise along the steepest direction alone; with Sigma = I the cosine stays within"
    statistics = {
        "bound": steepest.cosine_floor(LRS[0]),
        "C*": found,
        "angle (degrees)": steepest.angle_limit(LRS[0]),
        "C* with Sigma = I": paper_quadratic().cosine_limit(LRS[0]),
    }
    return exact("P1-06", statement, "a counterexample in closed form", found >= -0.5, statistics, note)


def noisy_quadratic(iterations: int = 20_000, replicates: int = 20) -> Findings:
    """Fig. 1: P1-03 to P1-06."""
    runs = simulate(iterations, replicates)
    judged = (saturates, large_lr_level, levels_fall, saturates_later, small_lr_level, theorem_1)
    verdicts = (*(judge(runs) for judge in judged), theorem_1_bound(), theorem_1_range())
    plates = (
        Plate(
            "saturation",
            saturation_course(runs.model, runs.runs, runs.angles, WINDOW),
            "Loss without noise and angular velocity (Fig. 1), means of 20 iterations and over replicates. Dashed: the "
            "limits of Theorem 1, and the stationary loss.",
        ),
        Plate(
            "levels",
            levels(runs.model, {lr: runs.level(lr) for lr in LRS}),
            "The level of saturation: arccos(C*) of Theorem 1 as a function of the learning rate, and the simulation.",
        ),
    )
    setup = (
        "200 coordinates with curvatures 0.1, 0.2, ..., 20; Sigma = I and x_0 ~ N(0, 100 I): the paper gives neither",
        f"{iterations} iterations, {replicates} replicates at each lr: {', '.join(f'{lr:g}' for lr in LRS)}",
    )
    return Findings("autodrop.noisy_quadratic", f"{SOURCE}, Fig. 1, Theorem 1", setup, verdicts, plates)


def _ordered(claim: str, statement: str, what: str, values: Mapping[float, Array], runs: Runs) -> Verdict:
    """Whether a value falls from each learning rate to the next smaller one."""
    steps: dict[str, Effect] = {
        f"{large:g} - {small:g}": welch_effect(values[large], values[small]) for large, small in pairwise(LRS)
    }
    parts = [judge_greater(effect, alpha_below=ALPHA / len(steps)) for effect in steps.values()]
    statistics = {name: interval(effect) for name, effect in steps.items()}
    test = f"Welch's t test of the {what}, at each learning rate against the next smaller one"
    p_values = {name: effect.p_above() for name, effect in steps.items()}
    return Verdict(claim, statement, judge_all(parts), test, statistics, p_values, runs.n)


EXPERIMENTS = (
    Experiment(
        "autodrop.noisy_quadratic",
        "saturation of the angular velocity on the noisy quadratic, against the limits of Theorem 1",
        SOURCE,
        ("1",),
        ("P1-03", "P1-04", "P1-05", "P1-06"),
        noisy_quadratic,
    ),
)
