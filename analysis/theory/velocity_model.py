"""Toy experiments of AutoDrop on its model of the angular velocity: Figs. 4 and 5, claims P1-11 and P1-13 to P1-16.

Everything here is computed, by closed form and step by step; nothing is left to chance.

Source: Teng, Wang and Choromanska, AutoDrop, Sec. 5, App. B.
"""

from collections.abc import Sequence

import numpy as np

from analysis.document import Plate
from analysis.figures.velocity_model import drops, gap_bounds, model_curves
from analysis.theory.experiments import Experiment, Findings, exact
from analysis.verdicts import Verdict
from tune_regimes.theory.autodrop_bounds import (
    drop_range,
    iteration_range,
    theorem_3_constants,
    theorem_3_constants_printed,
)
from tune_regimes.theory.unified_momentum import (
    descent_factor,
    gradient_descent,
    heavy_ball,
    nesterov,
    unified_momentum,
)
from tune_regimes.theory.velocity_model import TAU_0_LIMIT, VelocityModel, algorithm_2, theorem_3_lrs

SOURCE = "Teng, Wang and Choromanska, AutoDrop, Sec. 5"
MODEL = VelocityModel(epsilon=0.6, gamma=0.05)
"""Constants of our own, in the paper's range for learning rates up to 1/2: it gives none."""
LRS = (0.5, 0.25, 0.1, 0.05)
DROPS = 200
SIMULATED = 60
"""Drops that are made step by step too: their iterations grow with the square."""
TAUS = (0.001, 0.01, 0.1, TAU_0_LIMIT)
"""Thresholds tau_0, up to what the proof of Theorem 3 needs."""
ROUNDING = 1e-12
SLOPE_STEP = 1e-4


def limits(model: VelocityModel, lrs: Sequence[float]) -> Verdict:
    """P1-13: 0 at first, (pi / 2)(1 + epsilon lr) in the end, and the derivative by finite differences."""
    statement = "The model rises from 0 to (pi / 2)(1 + epsilon lr), with the derivative that Algorithm 2 looks at"
    times = np.geomspace(1.0, 1e4, 50)
    slopes, forms = zip(*((_slope(model, lr, times), model.derivative(lr, times)) for lr in lrs), strict=True)
    start = max(abs(float(model.velocity(lr, 0.0))) for lr in lrs)
    far = max(abs(float(model.velocity(lr, 1e9 / (model.gamma * lr))) / model.asymptote(lr) - 1) for lr in lrs)
    slope = float(np.max(np.abs(np.array(slopes) / np.array(forms) - 1)))
    statistics = {"v(0)": start, "relative distance from the asymptote": far, "relative error of the slope": slope}
    right = start == 0.0 and far < 1e-8 and slope < 1e-5
    return exact(
        "P1-13", statement, "closed form against central differences and limits", right, statistics, lrs=len(lrs)
    )


def like_the_quadratic(model: VelocityModel, lrs: Sequence[float]) -> Verdict:
    """P1-13b: the model has property P2 of the noisy quadratic."""
    statement = (
        "The model's levels lie between 90 and 120 degrees, fall with the lr, and are reached later at smaller ones"
    )
    levels = np.degrees([model.asymptote(lr) for lr in lrs])
    halves = [1.0 / (model.gamma * lr) for lr in lrs]
    reached = [float(model.velocity(lr, half)) / model.asymptote(lr) for lr, half in zip(lrs, halves, strict=True)]
    right = bool(
        np.all((levels > 90) & (levels < 120))
        and np.all(np.diff(levels) < 0)
        and np.all(np.diff(halves) > 0)
        and np.allclose(reached, 0.5, rtol=ROUNDING)
    )
    statistics = {f"level at {lr:g} (degrees)": float(level) for lr, level in zip(lrs, levels, strict=True)}
    statistics |= {f"half of it after, at {lr:g}": half for lr, half in zip(lrs, halves, strict=True)}
    return exact("P1-13b", statement, "closed forms compared", right, statistics, lrs=len(lrs))


def drops_in_closed_form(model: VelocityModel, count: int = SIMULATED, taus: Sequence[float] = TAUS) -> Verdict:
    """P1-14: Algorithm 2 drops when the closed form of its gaps says."""
    statement = "Algorithm 2, step by step, drops at the times that the closed form of its gaps gives"
    lrs = theorem_3_lrs(count)[1:]
    apart = [np.abs(algorithm_2(model, lrs, tau).drop_times - model.drop_times(lrs, tau)).max() for tau in taus]
    statistics = {"largest difference (iterations)": float(max(apart))}
    test = "drop times of the simulation against the sums of the gaps, each rounded up"
    return exact("P1-14", statement, test, max(apart) == 0, statistics, drops=count * len(taus))


def printed_order(model: VelocityModel, count: int = SIMULATED, tau: float = TAU_0_LIMIT) -> Verdict:
    """P1-14b: as printed, the update comes before the test, so each rate is applied one iteration late."""
    statement = "Algorithm 2 as printed applies lr_i from t_i on, and stops after T = t_n iterations (Eq. 9)"
    lrs = theorem_3_lrs(count)[1:]
    run = algorithm_2(model, lrs, tau, printed=True)
    late = int(np.sum(run.lrs[run.drop_times[:-1]] != lrs[1:]))
    statistics = {"rates applied late": float(late), "T - t_n": float(len(run.lrs) - run.drop_times[-1])}
    note = "it tests for saturation after the update; testing before it has both"
    test = "learning rate at each drop time, and the number of iterations"
    return exact("P1-14b", statement, test, not late and statistics["T - t_n"] == 0, statistics, note, drops=count)


def gaps_bounded(model: VelocityModel, count: int = DROPS, taus: Sequence[float] = TAUS) -> Verdict:
    """P1-15: kappa_1 / lr_i <= k_i <= kappa_2 / lr_i, with lr_i = 1 / (i + 2) and kappa_2 as in the proof."""
    statement = "kappa_1 / lr_i <= k_i <= kappa_2 / lr_i for lr_i = 1 / (i + 2) and tau_0 <= 1/2"
    return _bounded("P1-15", statement, model, count, taus, printed=False)


def gaps_bounded_printed(model: VelocityModel, count: int = DROPS, taus: Sequence[float] = TAUS) -> Verdict:
    """P1-15b: the same with kappa_2 as the theorem's text sets it, sqrt(2 pi / 3 tau_0) read from left to right."""
    statement = "The same with kappa_2 as printed, sqrt(2 pi / 3 tau_0) / gamma"
    return _bounded("P1-15b", statement, model, count, taus, printed=True)


def iterations_bounded(model: VelocityModel, count: int = DROPS, tau: float = TAU_0_LIMIT) -> Verdict:
    """P1-16: Lemma 1 on the iterations of Algorithm 2 after each number of drops."""
    statement = "kappa_1 n (n + 3) / 2 <= T <= kappa_2 n (n + 3) / 2, and from it the range of n (Lemma 1)"
    lrs = theorem_3_lrs(count)[1:]
    kappas = theorem_3_constants(model.gamma, tau)
    totals = np.cumsum([model.gap(lr, tau) for lr in lrs.tolist()])
    outside = 0
    for n, total in enumerate(totals.tolist(), start=1):
        (low, high), (least, most) = iteration_range(n, *kappas), drop_range(total, *kappas)
        outside += not (low <= total <= high and least <= n <= most)
    statistics = {"violations": float(outside), "T after the last drop": float(totals[-1])}
    return exact("P1-16", statement, "both ranges after each drop", outside == 0, statistics, drops=count)


def three_faces(iterations: int = 60, momentum: float = 0.9, seed: int = 0) -> Verdict:
    """P1-11: Unified Momentum is heavy ball, Nesterov's method or gradient descent, also when the lr drops."""
    statement = "Unified Momentum is heavy ball (s = 0), Nesterov (s = 1) and gradient descent (s = 1 / (1 - beta))"
    rng = np.random.default_rng(seed)
    start, noise = rng.standard_normal(8), 0.1 * rng.standard_normal((iterations, 8))
    lrs = np.where(np.arange(iterations) < iterations // 3, 0.1, 0.02)

    def gradient(x: np.ndarray, t: int) -> np.ndarray:
        return np.linspace(0.1, 1.0, 8) * x + noise[t]

    factor = descent_factor(momentum)
    pairs = {
        "heavy ball": (0.0, heavy_ball(gradient, start, lrs, momentum=momentum)),
        "Nesterov": (1.0, nesterov(gradient, start, lrs, momentum=momentum)),
        "gradient descent": (factor, gradient_descent(gradient, start, factor * lrs)),
    }
    apart = {
        name: float(np.abs(unified_momentum(gradient, start, lrs, momentum=momentum, s=s) - path).max())
        for name, (s, path) in pairs.items()
    }
    test = f"largest difference of the iterates below {ROUNDING:g}, noisy gradients, lr dropped after a third"
    return exact("P1-11", statement, test, max(apart.values()) < ROUNDING, apart, iterations=iterations)


def velocity_model() -> Findings:
    """Fig. 4: P1-13."""
    plate = Plate(
        "model",
        model_curves(MODEL, LRS, 400.0),
        "The model of the angular velocity (Fig. 4) by learning rate. Dashed: asymptotes; dotted: 90 and 120 degrees.",
    )
    verdicts = (limits(MODEL, LRS), like_the_quadratic(MODEL, LRS))
    return Findings("autodrop.velocity_model", f"{SOURCE}, Fig. 4, Eq. 10", _setup(), verdicts, (plate,))


def approximate_autodrop() -> Findings:
    """Fig. 5: P1-11 and P1-14 to P1-16."""
    lrs = theorem_3_lrs(DROPS)[1:]
    gaps = np.array([MODEL.gap(lr, TAU_0_LIMIT) for lr in lrs.tolist()])
    constants = theorem_3_constants(MODEL.gamma, TAUS[0]), theorem_3_constants_printed(MODEL.gamma, TAUS[0])
    smallest = np.array([MODEL.gap(lr, TAUS[0]) for lr in lrs.tolist()])
    verdicts = (
        three_faces(),
        drops_in_closed_form(MODEL),
        printed_order(MODEL),
        gaps_bounded(MODEL),
        gaps_bounded_printed(MODEL),
        iterations_bounded(MODEL),
    )
    plates = (
        Plate(
            "drops",
            drops(algorithm_2(MODEL, lrs[:6], TAU_0_LIMIT)),
            "Angular velocity and learning rate of Algorithm 2 (Fig. 5): six drops of lr_i = 1 / (i + 2).",
        ),
        Plate(
            "gaps",
            gap_bounds(lrs, smallest, constants[0], constants[1][1]),
            f"Gaps between the drops for tau_0 = {TAUS[0]:g}, with the bounds of Theorem 3.",
        ),
    )
    setup = (
        *_setup(),
        f"lr_i = 1 / (i + 2), {DROPS} drops, {SIMULATED} of them step by step",
        f"tau_0 = {', '.join(f'{tau:g}' for tau in TAUS)}",
    )
    sections = {"Gaps": [f"drop {i + 1}: {gaps[i]:.1f} iterations at lr {lrs[i]:.3g}" for i in (0, 1, 9, 99, 199)]}
    name = "autodrop.approximate"
    return Findings(name, f"{SOURCE}, Fig. 5, Algorithm 2, Theorem 3", setup, verdicts, plates, sections)


def _setup() -> tuple[str, ...]:
    return (f"epsilon = {MODEL.epsilon:g}, gamma = {MODEL.gamma:g}: ours, the paper gives none",)


def _slope(model: VelocityModel, lr: float, times: np.ndarray) -> np.ndarray:
    step = SLOPE_STEP * times
    return np.asarray((model.velocity(lr, times + step) - model.velocity(lr, times - step)) / (2 * step))


def _bounded(
    claim: str, statement: str, model: VelocityModel, count: int, taus: Sequence[float], *, printed: bool
) -> Verdict:
    lrs = theorem_3_lrs(count)[1:]
    constants = theorem_3_constants_printed if printed else theorem_3_constants
    broken, lowest, highest = 0, np.inf, 0.0
    for tau in taus:
        low, high = constants(model.gamma, tau)
        masses = np.array([model.gap(lr, tau) * lr for lr in lrs.tolist()])
        broken += int(np.sum((masses < low) | (masses > high)))
        lowest, highest = min(lowest, float(masses.min() / low)), max(highest, float(masses.max() / high))
    statistics = {"violations": float(broken), "least k lr / kappa_1": lowest, "most k lr / kappa_2": highest}
    return exact(
        claim, statement, "both inequalities at each drop and tau_0", not broken, statistics, gaps=count * len(taus)
    )


EXPERIMENTS = (
    Experiment(
        "autodrop.velocity_model",
        "the model of the angular velocity, its limits and derivative",
        SOURCE,
        ("4",),
        ("P1-13",),
        velocity_model,
    ),
    Experiment(
        "autodrop.approximate",
        "Algorithm 2 step by step against the closed form of its gaps, and their bounds",
        SOURCE,
        ("5",),
        ("P1-11", "P1-14", "P1-15", "P1-16"),
        approximate_autodrop,
    ),
)
