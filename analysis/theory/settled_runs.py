"""SGD with weight decay on a noisy scale-invariant loss: constant settings, and changes made at equilibrium.

What :mod:`analysis.theory.settling` judges. The trace of the gradient noise is constant, so that Lemma 5.2 has
epsilon = 0.

Source: Li, Lyu and Arora, 2020, Sec. 5.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.intrinsic_lr.recovery import RECOVERED, crossing
from analysis.statistics import Array, IntArray
from tune_regimes.theory.effective_lr import equilibrium_gamma, gamma_after, gamma_of
from tune_regimes.theory.lr_changes import Change
from tune_regimes.theory.sphere_descent import NoisySphere, SphereRun, descend, starts_of_norm

MODEL = NoisySphere(np.array([0.0] + [1.0] * 19), sigma=2.0)
"""Loss (1 - u_1^2) / 2 in 20 dimensions: ours, the paper has networks."""
LR = 0.1
REACH = 4.0
"""Time that a run is followed for, in units of 1 / intrinsic lr: gamma's distance from equilibrium falls by e^(-16)."""


@dataclass(frozen=True, eq=False)
class Settled:
    """Replicates at equilibrium, and what follows a change that is made there.

    Args:
        before: The run up to the change.
        after: The run from the change on.
        intrinsic_lr: Before the change.
        change: What was changed.
    """

    before: SphereRun
    after: SphereRun
    intrinsic_lr: float
    change: Change

    @cached_property
    def base(self) -> Array:
        """Mean effective learning rate over the last half before the change, by replicate, shape (R,)."""
        return last_half(self.before.effective_lrs)

    @cached_property
    def relative(self) -> Array:
        """Effective learning rates after the change in units of those before it, shape (T, R)."""
        return np.asarray(self.after.effective_lrs / self.base)

    @cached_property
    def recovered(self) -> Array:
        """Steps from the change until `RECOVERED` of the former effective learning rate is reached, shape (R,)."""
        steps = np.arange(len(self.relative), dtype=float)
        return np.array([crossing(steps, values, RECOVERED) for values in self.relative.T])


def constant(intrinsic_lr: float, start: float, replicates: int, seed: int = 0) -> SphereRun:
    """Replicates at a constant intrinsic learning rate, from gamma_0 in units of the equilibrium."""
    norm = LR * np.sqrt(start * equilibrium_gamma(intrinsic_lr, MODEL.sigma**2, discrete=False))
    return follow(starts_of_norm(MODEL, float(norm), replicates, seed), LR, intrinsic_lr, seed)


def settle(intrinsic_lr: float, change: Change, replicates: int, seed: int = 0) -> Settled:
    """Replicates that reach equilibrium, are changed there, and are followed until they have settled again."""
    before = constant(intrinsic_lr, 1.0, replicates, seed)
    after = follow(before.last, LR * change.lr, intrinsic_lr * change.settled**2, seed + 1)
    return Settled(before, after, intrinsic_lr, change)


def gammas(run: SphereRun) -> Array:
    """Return gamma before each step of a run, shape (T, R)."""
    return gamma_of(run.norms_squared[:-1], run.lrs[:, None])


def lemma(run: SphereRun, intrinsic_lr: float, steps: IntArray) -> Array:
    """Eq. 12 at steps of a run at a constant intrinsic learning rate, shape (T, 1)."""
    start = float(gammas(run)[0].mean())
    return gamma_after(steps, start, intrinsic_lr, MODEL.sigma**2)[:, None]


def last_half(values: Array) -> Array:
    """Means over the last half of the first axis, shape (R,) for values of shape (T, R)."""
    return np.asarray(values[len(values) // 2 :].mean(axis=0))


def follow(starts: Array, lr: float, intrinsic_lr: float, seed: int) -> SphereRun:
    """Replicates from given weights at constant settings, for `REACH` / intrinsic lr steps."""
    steps = round(REACH / intrinsic_lr)
    lrs, decays = np.full(steps, lr), np.full(steps, intrinsic_lr / lr)
    return descend(MODEL, starts, lrs=lrs, weight_decays=decays, seed=seed)
