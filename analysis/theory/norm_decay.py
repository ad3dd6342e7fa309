"""What is exact about the norm: its recursion, the slopes of Fig. 8, and the two processes of appendix E.

Claims P4-05, P4-06, P4-29 and P4-30.

Source: Li, Lyu and Arora, 2020, Sec. 5, App. E, Fig. 8.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.statistics import Array
from analysis.theory.experiments import exact
from analysis.theory.settled_runs import LR as BASE_LR
from analysis.theory.settled_runs import constant, follow
from analysis.verdicts import Quantity, Verdict
from tune_regimes.theory.effective_lr import equilibrium_gamma, gamma_of, next_norm_squared
from tune_regimes.theory.equivalences import momentum_path, plain_lr
from tune_regimes.theory.lr_changes import Settling, figure_8_slopes
from tune_regimes.theory.scale_invariant import random_sphere_loss
from tune_regimes.theory.sphere_descent import SphereRun

LR, MOMENTUM = 0.01, 0.9
WEIGHT_DECAYS = (1e-4, 5e-4)
"""The larger one is the paper's default; of the other it gives no more than the ratio of the slopes."""
FACTOR = 10
"""K, of Fig. 8: the first stage at 0.1, all of it at 0.01."""
RATIOS = np.array([1.0, 10.0, 5.0, 50.0])
EPOCH = 391
"""Steps of an epoch of CIFAR-10 in batches of 128."""
DROP, END = 80, 120
"""Epochs of Fig. 8's drops; the second is not followed."""
KAIMING = 2e3
"""Squared norm of a Kaiming initialisation, and below the trace of the noise: ours, of a network's magnitude."""
TRACE = 1e4
SCALES = {"Kaiming x 1000": 1e3, "Kaiming x 0.001": 1e-3}
HUGE = 1e6
"""Every weight at the start, for the slopes: so large that the gradient is negligible."""
TWO_STAGE_STARTS = (1e2, 1e4, 1e8)
PROCESS_LR, PROCESS_DECAY = 0.01, 0.1
SLOPE_ERROR, TIME_ERROR, ROUNDING = 0.05, 0.02, 1e-12


@dataclass(frozen=True, eq=False)
class DecayCourse:
    """The squared norm over time from one initialisation.

    Args:
        scale: Name of the initialisation.
        lr: First learning rate.
        weight_decay: Constant.
        steps: Where it was recorded, shape (T,).
        norms_squared: Shape (T,).
    """

    scale: str
    lr: float
    weight_decay: float
    steps: Array
    norms_squared: Array


def decay_courses(epochs: int | None = None, every: int = 50) -> tuple[DecayCourse, ...]:
    """Fig. 8 b without noise: two extreme initialisations, two first learning rates, two weight decays."""
    settings = [(scale, factor, decay) for scale in SCALES for decay in WEIGHT_DECAYS for factor in (1, FACTOR)]
    return tuple(
        _course(scale, factor * LR, decay, (epochs or END) * EPOCH, every) for scale, factor, decay in settings
    )


def norm_recursion(run: SphereRun, intrinsic_lr: float) -> Verdict:
    """P4-05: Eq. 7's counterpart for steps, G' = (1 - le)^2 G + lr^2 q / G, is exact."""
    predicted = next_norm_squared(run.norms_squared[:-1], BASE_LR, intrinsic_lr, run.second_moments)
    error = float(np.abs(run.norms_squared[1:] / predicted - 1.0).max())
    statement = "The squared norm of every step follows (1 - le)^2 G + lr^2 q / G, the discrete form of Eq. 7"
    n = {"steps": int(run.second_moments.size)}
    return exact("P4-05", statement, "relative error", error < ROUNDING, {"largest relative error": error}, **n)


def only_the_ratio(intrinsic_lr: float, replicates: int, factor: float = 10.0) -> Verdict:
    """P4-06: only G / lr matters: weights times root c at lr times c and equal le take the same directions."""
    starts = constant(intrinsic_lr, 1.0, replicates).last
    run = follow(starts, BASE_LR, intrinsic_lr, 0)
    other = follow(np.sqrt(factor) * starts, factor * BASE_LR, intrinsic_lr, 0)
    apart = float(np.abs(run.losses - other.losses).max())
    statement = f"Weights times root {factor:g}, at lr times {factor:g} and the same intrinsic lr, make the same run"
    statistics: dict[str, Quantity] = {"largest difference of losses": apart}
    return exact("P4-06", statement, "losses of both runs", apart < 1e-9, statistics, steps=len(run.lrs))


def slopes_of_figure_8(steps: int = 1000, momentum: float = MOMENTUM) -> Verdict:
    """P4-30: while the gradient is negligible, the slopes of log G are as 1:10:5:50 for (K, wd) as in Fig. 8."""
    statement = "From an extreme initialisation the slopes of log norm(w)^2 are as 1:10:5:50 in Fig. 8's four settings"
    test = f"each ratio within {SLOPE_ERROR:.0%}, momentum SGD on a scale-invariant loss, last half of the steps"
    small = WEIGHT_DECAYS[0]
    settings = [(k * LR, small * times) for times in (1, 5) for k in (1, FACTOR)]
    slopes = np.array([_slope(lr, decay, momentum, steps) for lr, decay in settings])
    predicted = figure_8_slopes(LR, small, momentum)
    ratios = slopes / slopes[0]
    statistics: dict[str, Quantity] = {
        f"ratio {ratio:g}": float(found) for ratio, found in zip(RATIOS, ratios, strict=True)
    }
    statistics |= {
        "first slope per step": float(slopes[0]),
        "largest relative error against the closed form": float(np.abs(slopes / predicted - 1).max()),
    }
    right = bool(np.abs(ratios / RATIOS - 1).max() < SLOPE_ERROR)
    note = f"slopes -2 lr wd / (1 - mu), momentum {momentum:g}"
    return exact("P4-30", statement, test, right, statistics, note, steps=steps)


def two_stages() -> Verdict:
    """P4-29: the exact recursion takes as long as integration of Eq. 10 says, at lr and first at K lr."""
    statement = (
        "Both processes of App. E take the steps that Eq. 10 gives, the first stage 1 / K of the dependence on ln G_0"
    )
    found, formula = [], []
    for start in TWO_STAGE_STARTS:
        process = _process(start)
        formula.append((process.direct(), sum(process.two_stage(FACTOR))))
        found.append((_steps(process, 1.0), _steps(process, FACTOR)))
    error = float(np.abs(np.array(found) / np.array(formula) - 1).max())
    growth = np.array(found)[-1] - np.array(found)[0]
    statistics: dict[str, Quantity] = {
        f"steps from gamma_0 = {start:g}, {name}": float(steps)
        for start, both in zip(TWO_STAGE_STARTS, found, strict=True)
        for name, steps in zip(("at lr", f"first at {FACTOR} lr"), both, strict=True)
    }
    statistics |= {"largest relative error": error, "ratio of growths": float(growth[0] / growth[1])}
    right = bool(error < TIME_ERROR and abs(growth[0] / growth[1] / FACTOR - 1) < 0.1)
    note = "App. E prints gamma_0 = G_0 / lr^2 where it is G_0^2 / lr^2"
    return exact("P4-29", statement, "steps of the recursion", right, statistics, note, starts=len(found))


def two_stages_shorten(factor: float = FACTOR, points: int = 200) -> Verdict:
    """P4-29b: a first stage at K lr is faster wherever gamma_0 is above K, but for the tolerance."""
    statement = f"A first stage at {factor:g} lr makes settling faster wherever gamma_0 is above 1.1 K"
    edge = factor * (1 + _process(1e2).tolerance)
    starts = np.geomspace(edge * 1.001, 1e16, points)
    saved = np.array([_process(start).direct() - sum(_process(start).two_stage(factor)) for start in starts.tolist()])
    small = _process(0.01)
    le = small.intrinsic_lr
    statistics: dict[str, Quantity] = {
        "least saved (x le)": float(saved.min() * le),
        "saved at 1e8 (x le)": float(np.interp(np.log(1e8), np.log(starts), saved) * le),
        "saved at 0.01 (x le)": float((small.direct() - sum(small.two_stage(factor))) * le),
    }
    note = "from a gamma_0 below equilibrium it is slower in continuous time; in steps a tiny norm leaps to a huge one"
    return exact("P4-29b", statement, "closed forms", bool((saved > 0).all()), statistics, note, starts=points)


def stage_times(factors: tuple[float, ...] = (2.0, FACTOR, 50.0)) -> tuple[Array, Mapping[float, Array]]:
    """Values of gamma_0, shape (T,), and the time to settle in units of 1 / le by K, 1 for a single stage."""
    starts = np.geomspace(20.0, 1e12, 60)
    processes = [_process(start) for start in starts.tolist()]
    times = {1.0: np.array([each.direct() * each.intrinsic_lr for each in processes])}
    times |= {k: np.array([sum(each.two_stage(k)) * each.intrinsic_lr for each in processes]) for k in factors}
    return starts, times


def _course(scale: str, lr: float, weight_decay: float, steps: int, every: int) -> DecayCourse:
    g, rows = KAIMING * SCALES[scale] ** 2, []
    for step in range(steps):
        if step % every == 0:
            rows.append(g)
        rate = plain_lr(lr if step < DROP * EPOCH else LR, MOMENTUM)
        g = float(next_norm_squared(g, rate, rate * weight_decay, TRACE))
    return DecayCourse(scale, lr, weight_decay, np.arange(0, steps, every), np.array(rows))


def _slope(lr: float, weight_decay: float, momentum: float, steps: int) -> float:
    loss, batches = random_sphere_loss(0, 6, 8), np.random.default_rng(0).integers(8, size=steps)
    path = momentum_path(
        lambda w, t: loss.gradient(w, batches[t]),
        HUGE * np.ones(6),
        np.full(steps, lr),
        momentum=momentum,
        weight_decay=weight_decay,
    )
    logs = np.log((path**2).sum(axis=1))
    return float((logs[-1] - logs[steps // 2]) / (steps - steps // 2))


def _process(start: float) -> Settling:
    """The two processes from a gamma_0 in the paper's normalisation."""
    return Settling(float(np.sqrt(start) * PROCESS_LR), PROCESS_LR, PROCESS_DECAY)


def _steps(process: Settling, factor: float) -> float:
    """Steps of the exact recursion until gamma has settled, through a first stage at K lr where K is above 1."""
    g, total = process.norm_squared, 0
    for k in (factor, 1.0) if factor > 1 else (1.0,):
        lr, le = k * process.lr, k * process.intrinsic_lr
        goal = equilibrium_gamma(le, 2 * process.intrinsic_lr)
        while abs(float(gamma_of(g, lr)) / goal - 1) > process.tolerance:
            g = float(next_norm_squared(g, lr, le, 2 * process.intrinsic_lr))
            total += 1
    return float(total)
