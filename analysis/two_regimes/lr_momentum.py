"""Claims P0-13 to P0-17 on the study ``lr_momentum``: in large steps, momentum only multiplies the step size.

The step size of (lr, momentum) is lr / (1 - momentum). Points that diverge in a seed, by the criterion of
:mod:`analysis.regimes`, have neither a best accuracy nor a curve to match; they are left out and counted.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 3.2, Figs. 4, 5, 11, 12, App. B.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd

from analysis.statistics import ALPHA, Array, bootstrap, percentile_interval
from analysis.tables import mean_curves, points
from analysis.two_regimes.matching import Sweep, choice_distances, relate, sweeps
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Quantity, Verdict, judge_all, judge_interval
from tune_regimes.results.curves import by_momentum
from tune_regimes.results.regimes import describe_runs

FACTOR = 2.0
"""Step sizes, or ratios of learning rates, that agree within this factor agree."""
SLOPES = (0.8, 1.25)
"""Slopes of log(match) over log(lr) that count as linear."""
MATCHED_RANGE = (5e-3, 2.0)
"""Learning rates at momentum 0 for which the paper reports an equivalent one (App. B)."""
FEWEST = 5
"""Points that a momentum must have."""

BASELINE = (0.1, 0.9)
"""Learning rate and momentum of the baseline that C.5 matches without momentum."""
MATCHED_LR = 0.9236708571873865
"""Its match at momentum 0, as printed in C.5."""
MATCHED_EPOCHS = 50
"""Epochs over which the paper matched it."""

SHIFTED = f"90 % bootstrap intervals of the ratios of best step sizes, within a factor {FACTOR:g} of 1"
ALIKE = "permutation test, over all choices of one lr per momentum, of the mean L2 distance of loss curves"
LINEAR = (
    f"90 % bootstrap intervals: slope of log(match) over log(lr) within {SLOPES[0]:g} to {SLOPES[1]:g}, "
    f"match / lr within a factor {FACTOR:g} of 1 - momentum"
)
MATCHED = f"the constant bit for bit, and the 90 % bootstrap interval of match / lr within a factor {FACTOR:g} of it"


def sweep_table(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """One row per point of the sweep, by momentum and learning rate.

    Columns: those of :func:`analysis.regimes.describe_runs` (``lr``, ``momentum``, ``step_size``, ``diverges``, ...)
    and of :func:`analysis.tables.points` (``value``, the test accuracy, ``low``, ``high``, ``seeds``, ...).
    """
    summary = points(trials)[["value", "low", "high", "seeds", "diverged", "trials"]]
    return describe_runs(trials, epochs).join(summary, how="inner").sort_values(["momentum", "lr"], kind="stable")


def sound_points(table: pd.DataFrame) -> pd.DataFrame:
    """The points of a sweep with an accuracy and without divergence in any seed."""
    return table[table["value"].notna() & ~table["diverges"].astype(bool)]


def sound_sweeps(trials: pd.DataFrame, epochs: pd.DataFrame, most_epochs: int | None = None) -> dict[float, Sweep]:
    """The loss curves of the sound points, by momentum."""
    return sweeps(sound_points(sweep_table(trials, epochs)), mean_curves(trials, epochs, most_epochs))


def best_points(table: pd.DataFrame) -> dict[float, int]:
    """The point with the best mean test accuracy, by momentum."""
    return {mu: cast(int, part["value"].idxmax()) for mu, part in by_momentum(sound_points(table)).items()}


def best_step_size(step_sizes: Array, values: Array) -> float:
    """Where accuracy is best over log step size: the top of a parabola through the better half of the points.

    Steadier than the single best point; where there is no parabola with a top, the geometric mean of that half.

    Examples:
        >>> step_sizes = np.array([0.001, 0.01, 0.1, 1.0, 10.0, 100.0])
        >>> round(best_step_size(step_sizes, np.array([0.1, 0.5, 0.8, 0.9, 0.8, 0.5])), 6)
        1.0
    """
    better = np.argsort(values)[::-1][: max(3, len(values) // 2)]
    x = np.log(step_sizes[better])
    center = x.mean()
    if len(np.unique(x)) < 3:
        return float(np.exp(center))
    curvature, slope, _ = np.polyfit(x - center, values[better], 2)
    shift = -slope / (2 * curvature) if curvature < 0 else 0.0
    return float(np.exp(np.clip(center + shift, x.min(), x.max())))


def same_best_step_size(table: pd.DataFrame) -> Verdict:
    """P0-13: the accuracy curves of the momenta are shifted copies: their best step sizes agree within a factor 2."""
    statement = "Test accuracy over lr is best at one step size lr / (1 - momentum), whatever the momentum"
    parts = {mu: part for mu, part in by_momentum(sound_points(table)).items() if len(part) >= FEWEST}
    if len(parts) < 2:
        return Verdict("P0-13", statement, UNDECIDED, SHIFTED, n=_counts(table), note=_few_momenta(len(parts)))
    pairs = {mu: (part["step_size"].to_numpy(float), part["value"].to_numpy(float)) for mu, part in parts.items()}
    first, *others = pairs
    best: dict[str, Quantity] = {f"best step size at {mu:g}": best_step_size(*pair) for mu, pair in pairs.items()}
    ratios = {f"ratio {mu:g} to {first:g}": _ratio(pairs[mu], pairs[first]) for mu in others}
    verdict = judge_all([judge_interval(low, high, (1 / FACTOR, FACTOR)) for _, low, high in ratios.values()])
    return Verdict("P0-13", statement, verdict, SHIFTED, best | ratios, n=_counts(table))


def best_curves_alike(table: pd.DataFrame, curves: Mapping[float, Sweep], yardstick: float) -> Verdict:
    """P0-14: the loss curves of each momentum's best lr are more alike than those of other choices of one lr each."""
    statement = "The training-loss curves of the best lr of each momentum are alike"
    usable = {mu: sweep for mu, sweep in curves.items() if len(sweep.lrs) >= FEWEST}
    if len(usable) < 2:
        return Verdict("P0-14", statement, UNDECIDED, ALIKE, n=_counts(table), note=_few_momenta(len(usable)))
    best = {mu: table.loc[point, "lr"] for mu, point in best_points(table).items()}
    chosen = [int(np.flatnonzero(sweep.lrs == best[mu])[0]) for mu, sweep in usable.items()]
    every = choice_distances([sweep.curves for sweep in usable.values()])
    own = float(every[tuple(chosen)])
    p = float((every <= own).mean())
    verdict = HOLDS if p < ALPHA else DOES_NOT_HOLD if p > 0.5 else UNDECIDED
    statistics = {
        "distance": own,
        "median of all choices": float(np.median(every)),
        "two seeds of one point": yardstick,
    }
    return Verdict("P0-14", statement, verdict, ALIKE, statistics, {"as alike": p}, _counts(table))


def on_architectures(by_task: Mapping[str, Verdict]) -> Verdict:
    """P0-15: P0-13 on several architectures and data sets."""
    statement = "P0-13 holds on other architectures and data sets too"
    note = "; ".join(f"{task}: {part.verdict}" for task, part in by_task.items())
    verdict = judge_all([part.verdict for part in by_task.values()])
    if len(by_task) < 2:
        verdict, note = UNDECIDED, f"results of one task only ({note}): run the study with another model"
    return Verdict(
        "P0-15", statement, verdict, f"P0-13's on each task: {SHIFTED}", n={"tasks": len(by_task)}, note=note
    )


def linear_matches(curves: Mapping[float, Sweep], yardstick: float) -> Verdict:
    """P0-16: each lr at momentum 0 has an equivalent at another momentum, in a linear relation: times 1 - momentum."""
    statement = "Each lr without momentum has an equivalent lr with momentum, in a linear relation"
    base = curves[0.0].within(*MATCHED_RANGE) if 0.0 in curves else None
    others = {mu: sweep for mu, sweep in curves.items() if mu > 0 and len(sweep.lrs) >= FEWEST}
    if base is None or len(base.lrs) < FEWEST or not others:
        between = f"{MATCHED_RANGE[0]:g} to {MATCHED_RANGE[1]:g}"
        note = f"at least {FEWEST} lrs are needed: without momentum in {between}, and with"
        return Verdict("P0-16", statement, UNDECIDED, LINEAR, note=note)
    relations = {mu: relate(base, sweep, yardstick) for mu, sweep in others.items()}
    statistics: dict[str, Quantity] = {"distance of two seeds of one point": yardstick}
    for mu, relation in ((mu, relation) for mu, relation in relations.items() if relation.n):
        statistics |= {f"slope at {mu:g}": relation.slope, f"match / lr at {mu:g}": relation.ratio}
        statistics |= {f"median distance at {mu:g}": relation.distance}
    n = {f"matches at {mu:g}": relation.n for mu, relation in relations.items()}
    ambiguous = {f"ambiguous at {mu:g}": relation.ambiguous for mu, relation in relations.items()}
    verdicts = [_linear(mu, relation.slope, relation.ratio) for mu, relation in relations.items() if relation.n]
    verdict = judge_all(verdicts) if len(verdicts) == len(relations) else UNDECIDED
    note = (
        "" if all(n.values()) else "too few matches are clear and inside the range of learning rates that was sampled"
    )
    return Verdict("P0-16", statement, verdict, LINEAR, statistics, n=n | ambiguous, note=note)


def matched_baseline(
    curves: Mapping[float, Sweep],
    constant: float,
    baseline: tuple[float, float] = BASELINE,
    yardstick: float = 0.0,
) -> Verdict:
    """P0-17: the momentum-free lr that matches (0.1, 0.9) over the first 50 epochs is 0.92, a ratio of 9.2.

    Args:
        curves: Loss curves of the sound points over the epochs to match.
        constant: The lr of the momentum-free phase 1 in the study's preset.
        baseline: The baseline's lr in the network at hand, and its momentum; lrs within a factor of it are matched too.
        yardstick: Distance of the loss curves of two seeds of one point.
    """
    lr, momentum = baseline
    statement = f"The lr without momentum that matches (0.1, 0.9) is {MATCHED_LR!r}"
    if constant != MATCHED_LR:
        return Verdict("P0-17", statement, DOES_NOT_HOLD, MATCHED, {"constant": constant}, note="the preset differs")
    near = curves[momentum].within(lr / FACTOR, lr * FACTOR) if momentum in curves else None
    free = curves.get(0.0)
    if near is None or free is None or not len(near.lrs) or len(free.lrs) < FEWEST:
        note = f"the constant is exact, but the sweep has too little to match near lr {lr:g} at momentum {momentum:g}"
        return Verdict("P0-17", statement, UNDECIDED, MATCHED, {"constant": constant}, note=note)
    relation = relate(near, free, yardstick, fewest=1)
    printed = MATCHED_LR / BASELINE[0]
    statistics: dict[str, Quantity] = {"constant": constant, "printed match / lr": printed}
    n = {"matches": relation.n, "ambiguous": relation.ambiguous, "lrs": len(free.lrs)}
    if not relation.n:
        note = "the constant is exact, but what matches the baseline is ambiguous or at the end of what was sampled"
        return Verdict("P0-17", statement, UNDECIDED, MATCHED, statistics, n=n, note=note)
    verdict = judge_interval(*relation.ratio[1:], (printed / FACTOR, printed * FACTOR))
    return Verdict("P0-17", statement, verdict, MATCHED, statistics | {"match / lr": relation.ratio}, n=n)


def _linear(momentum: float, slope: tuple[float, float, float], ratio: tuple[float, float, float]) -> str:
    bounds = ((1 - momentum) / FACTOR, (1 - momentum) * FACTOR)
    return judge_all([judge_interval(*slope[1:], SLOPES), judge_interval(*ratio[1:], bounds)])


def _ratio(first: Sequence[Array], second: Sequence[Array]) -> tuple[float, float, float]:
    """Ratio of two best step sizes, each side given as (step sizes, values), with its bootstrap interval."""

    def draw(rng: np.random.Generator) -> float:
        chosen = [rng.integers(len(side[0]), size=len(side[0])) for side in (first, second)]
        return best_step_size(*(v[chosen[0]] for v in first)) / best_step_size(*(v[chosen[1]] for v in second))

    return (best_step_size(*first) / best_step_size(*second), *percentile_interval(bootstrap(draw)))


def _counts(table: pd.DataFrame) -> dict[str, int]:
    usable = {f"points at {mu:g}": len(part) for mu, part in by_momentum(sound_points(table)).items()}
    diverged = int(table["diverges"].astype(bool).sum())
    return usable | ({"diverged": diverged} if diverged else {})


def _few_momenta(count: int) -> str:
    return f"at least {FEWEST} points without divergence at two momenta are needed; {count} momenta have them"
