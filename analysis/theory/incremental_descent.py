"""Toy experiment of SGDL: incremental gradient descent with a constant step, Fig. 2, claims P2-09 to P2-11 and P2-13.

Sweeps over N components are an affine map, so that nothing is left to chance but the noise of the data: claims on it
are asked of many draws.

Source: Training by Vanilla SGD with Larger Learning Rates, Sec. 5 and App. A.2, Examples 1 to 3.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.document import Plate
from analysis.figures.incremental_descent import errors_by_step, radius_by_step, solution_at_step
from analysis.statistics import Array, mean_effect
from analysis.theory.experiments import Experiment, Findings, exact
from analysis.verdicts import DOES_NOT_HOLD, UNDECIDED, Quantity, Verdict, judge_greater
from tune_regimes.theory.components import Components, least_squares, noisy_logistic, separable_squares
from tune_regimes.theory.incremental import best_step, radii, range_printed, sweep, true_range

SOURCE = "Training by Vanilla SGD with Larger Learning Rates (submitted to ICLR 2021), Sec. 5"
LARGE = 3.0
"""The step of Fig. 2, right."""
NOISE = 0.02
EIGENVALUE = 1e-10
"""How near 1 an eigenvalue is that counts as 1."""


@dataclass(frozen=True)
class Example:
    """The example of Fig. 2 with one draw of its data.

    Args:
        components: The functions.
        data: x_hat, shape (n,), sorted by z.
        steps: Step sizes t, increasing, shape (T,).
    """

    components: Components
    data: Array
    steps: Array

    @cached_property
    def radii(self) -> Array:
        """The spectral radius of a sweep at each step, shape (T,)."""
        return radii(self.components, self.steps)

    @cached_property
    def errors(self) -> Array:
        """norm(x(t) - x_hat)^2 of the limit x(t) at each step, NaN where sweeps do not converge, shape (T,)."""
        found = np.full(len(self.steps), np.nan)
        for number in np.flatnonzero(self.radii < 1.0):
            found[number] = float(((self.limit(float(self.steps[number])) - self.data) ** 2).sum())
        return found

    def limit(self, step: float) -> Array:
        """Where sweeps with a step end, shape (n,)."""
        return sweep(self.components, step).fixed_point

    @property
    def deviation(self) -> float:
        """Root mean square of the distance of the limit at `LARGE` from the data; infinite where there is no limit."""
        if radii(self.components, [LARGE])[0] >= 1.0:
            return float("inf")
        return float(np.sqrt(np.mean((self.limit(LARGE) - self.data) ** 2)))


def draw(seed: int, points: int = 200) -> Example:
    """The example with the data of a seed, at steps up to just beyond its range."""
    components, data = noisy_logistic(seed, noise=NOISE)
    return Example(components, data, np.linspace(0.0, 1.05 * true_range(components), points + 1)[1:])


def gaussian_rows(rows: int = 40, columns: int = 6, penalty: float = 0.1) -> Components:
    """A regularised least-squares problem of Example 3 with rows from a normal distribution."""
    rng = np.random.default_rng(0)
    return least_squares(rng.normal(size=(rows, columns)), rng.normal(size=rows), penalty=penalty)


def printed_range(components: Components) -> Verdict:
    """P2-09: sweeps converge at every step below the printed bound."""
    statement = "Sweeps converge at every step below 2N / rho(mu D + A^T A)"
    printed, true = range_printed(components), true_range(components)
    statistics: dict[str, Quantity] = {"printed end": printed, "true end": true}
    note = "decided on the spectral radius of one sweep; rows of a normal distribution"
    return exact("P2-09", statement, "spectral radii over a grid of steps", true >= printed, statistics, note)


def larger_is_faster(components: Components) -> Verdict:
    """P2-09b: the larger the step, the smaller the radius, within a fairly large range: up to the best step."""
    statement = "The larger the step is, the smaller is the spectral radius, up to a third of the range or more"
    end = true_range(components)
    best, radius = best_step(components, upper=end)
    steps = np.linspace(0.0, best, 101)[1:]
    falls = bool((np.diff(radii(components, steps)) <= 1e-12).all())
    statistics: dict[str, Quantity] = {"best step": best, "its radius": radius, "true end": end}
    return exact("P2-09b", statement, "spectral radii over a grid of steps", falls and best >= end / 3, statistics)


def separable(dimension: int = 5) -> Verdict:
    """P2-10: Example 1, f = sum x_i^2, converges exactly for steps in (0, 1)."""
    components = separable_squares(dimension)
    end, printed = true_range(components), range_printed(components)
    statement = "Example 1 converges for steps in (0, 1) and for no other"
    note = "Examples 3 and 4 would give the printed end"
    return exact(
        "P2-10",
        statement,
        "spectral radii against abs(1 - 2t)",
        abs(end - 1.0) < 1e-6 and bool(np.allclose(radii(components, [0.2, 0.7, 1.3]), [0.6, 0.4, 1.6])),
        {"true end": end, "printed end": printed},
        note,
        dimensions=dimension,
    )


def underdetermined(rows: int = 4, columns: int = 7) -> Verdict:
    """P2-11: Example 2, fewer rows than unknowns: a kernel vector of A keeps an eigenvalue of 1 at every step."""
    rng = np.random.default_rng(1)
    components = least_squares(rng.normal(size=(rows, columns)), rng.normal(size=rows))
    steps = np.geomspace(1e-3, 1.0, 50)
    nearest = max(
        float(np.abs(np.linalg.eigvals(sweep(components, step).matrix) - 1.0).min()) for step in steps.tolist()
    )
    statement = "Without a penalty and with fewer rows than unknowns, sweeps have an eigenvalue of 1 at every step"
    statistics: dict[str, Quantity] = {"largest distance from 1": nearest, "true end": true_range(components)}
    return exact("P2-11", statement, "eigenvalues over steps", nearest < EIGENVALUE, statistics, steps=len(steps))


def wide_range(examples: tuple[Example, ...]) -> Verdict:
    """P2-13: the example of Fig. 2 converges for steps up to 3."""
    ends = [true_range(example.components) for example in examples]
    statement = f"The example of Fig. 2 converges for every step up to {LARGE:g}"
    statistics: dict[str, Quantity] = {
        "true end": min(ends),
        "printed end": min(range_printed(example.components) for example in examples),
    }
    return exact("P2-13", statement, "spectral radii", min(ends) > LARGE, statistics, _OURS, draws=len(ends))


def close_to_data(examples: tuple[Example, ...]) -> Verdict:
    """P2-13b: the solution at the step 3 deviates from the noisy data by less than the noise, on average over draws."""
    statement = f"The solution at the step {LARGE:g} is nearer to the noisy data than the noise is large"
    test = "one-sided t test over draws of the data that the deviation (RMS) is below the noise"
    found = np.array([example.deviation for example in examples])
    n, note = {"draws": len(found)}, _OURS
    if not np.isfinite(found).all():
        return Verdict("P2-13b", statement, DOES_NOT_HOLD, test, n=n, note=f"no solution; {note}")
    effect = mean_effect(NOISE - found)
    low, high = (NOISE - end for end in effect.interval(0.90))
    statistics: dict[str, Quantity] = {
        "deviation (RMS)": (float(found.mean()), high, low),
        "largest": float(found.max()),
        "noise": NOISE,
    }
    return Verdict("P2-13b", statement, judge_greater(effect), test, statistics, {"below": effect.p_above()}, n, note)


def rises_then_grows_slowly(examples: tuple[Example, ...]) -> Verdict:
    """P2-13c: log norm(x(t) - x_hat)^2 rises rapidly at first; what the paper leaves open decides it."""
    early, whole = [], []
    for example in examples:
        logs = np.log(example.errors[example.steps <= LARGE])
        early.append(float(logs[len(logs) // 10] - logs[0]))
        whole.append(float(logs[-1] - logs[0]))
    statement = "The error grows slowly with the step, after an initial rapid rise"
    statistics: dict[str, Quantity] = {
        "rise over the first tenth of the steps, mean": float(np.mean(early)),
        f"rise up to {LARGE:g}, mean": float(np.mean(whole)),
    }
    note = f"{_OURS}; ours has no rapid rise, which says nothing about theirs"
    return Verdict("P2-13c", statement, UNDECIDED, "none", statistics, n={"draws": len(examples)}, note=note)


def incremental_descent(draws: int = 20) -> Findings:
    """Fig. 2, and Examples 1 to 3: P2-09 to P2-11 and P2-13."""
    gaussian, examples = gaussian_rows(), tuple(draw(seed) for seed in range(draws))
    verdicts = (
        printed_range(gaussian),
        larger_is_faster(gaussian),
        separable(),
        underdetermined(),
        wide_range(examples),
        close_to_data(examples),
        rises_then_grows_slowly(examples),
    )
    first = examples[0]
    plates = (
        Plate("radius", radius_by_step(first.steps, first.radii), "Spectral radius of a sweep (Fig. 2, left)."),
        Plate(
            "errors",
            errors_by_step(first.steps, [example.errors for example in examples]),
            "Log error of the limit against the noisy data (Fig. 2, middle); a line per draw of the data.",
        ),
        Plate(
            "solution",
            solution_at_step(first.data, first.limit(LARGE), first.components.solution, LARGE),
            f"The limit at the step {LARGE:g} and the minimiser, with the data (Fig. 2, right).",
        ),
    )
    setup = (
        f"x_hat = 1 / (1 + e^z) + N(0, {NOISE:g}^2), z uniform on (0, 10), 20 points; A = 0.8 I, D of second "
        "differences and mu = 0.1: the paper gives neither these nor the noise",
        f"{draws} draws of the data; 40 rows of 6 unknowns from a normal distribution for P2-09",
    )
    return Findings("sgdl.incremental_descent", f"{SOURCE}, Fig. 2, Examples 1 to 3", setup, verdicts, plates)


_OURS = "A, D, mu, N and the noise are ours: the paper gives none"

EXPERIMENTS = (
    Experiment(
        "sgdl.incremental_descent",
        "which constant steps converge in incremental gradient descent, and where to",
        SOURCE,
        ("2",),
        ("P2-09", "P2-10", "P2-11", "P2-13"),
        incremental_descent,
    ),
)
