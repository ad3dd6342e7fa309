"""Claims P0-18 to P0-21 on the study ``transition_epoch``: what momentum does in each phase, and the best transition.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 4, Figs. 6, 7, 13.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.arms import SAME, Arms, same
from analysis.arms import greater as greater_arm
from analysis.statistics import ALPHA, MARGIN, Array, mean_effect
from analysis.tables import by_seed, configs, points
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_all, judge_greater

REFERENCE = "three_step"
FIG_13 = ("classic", "reduced", "adamw")
POINTS_PER_BIN = 2
MOST_BINS = 10

AT_LEAST = (
    "one-sided t test over seeds of best bin - reference > -{margin:g}; bin and reference chosen on the other seeds"
)

Groups = Mapping[int, Sequence[int]]


def claims(trials: pd.DataFrame, *, margin: float = MARGIN) -> tuple[Verdict, ...]:
    """The verdicts on P0-18, P0-19, P0-20 and the two halves of P0-21 from the trials of ``transition_epoch``."""
    table = distinct(points(trials))
    return (
        momentum_in_phase_1(table, "classic", "P0-18", margin),
        aggressive_phase_2(table),
        momentum_for_other_phase_2(table, margin),
        best_against_reference(trials, margin),
        momentum_in_phase_1(table, "fig7", "P0-21b", margin),
    )


def momentum_in_phase_1(
    table: pd.DataFrame, small: str, claim: str, margin: float = MARGIN, alpha_different: float = ALPHA
) -> Verdict:
    """P0-18 for a phase 2: test accuracies with and without momentum in phase 1 have the same distribution."""
    statement = f"Momentum in phase 1 does not change the distribution of test accuracies (phase 2: {small})"
    arms = Arms(arm(table, "momentum", small), arm(table, "no_momentum", small), ("with", "without"))
    return same(claim, statement, arms, margin, alpha_different)


def aggressive_phase_2(table: pd.DataFrame) -> Verdict:
    """P0-19: after the phase 1 of C.6, a larger momentum at a smaller lr beats the classic phase 2 on average."""
    statement = "Larger momentum with a smaller lr in phase 2 beats the classic phase 2 on average"
    arms = Arms(arm(table, "momentum", "reduced"), arm(table, "momentum", "classic"), ("reduced", "classic"))
    return greater_arm("P0-19", statement, arms)


def momentum_for_other_phase_2(table: pd.DataFrame, margin: float = MARGIN) -> Verdict:
    """P0-20: P0-18 for each phase 2 of Fig. 13; a difference is asked for three times, at a third of the level each."""
    statement = f"Momentum in phase 1 makes no difference, whichever phase 2 follows ({', '.join(FIG_13)})"
    parts = {small: momentum_in_phase_1(table, small, "P0-20", margin, ALPHA / len(FIG_13)) for small in FIG_13}
    statistics = {
        f"{name} ({small})": value for small, part in parts.items() for name, value in part.statistics.items()
    }
    p_values = {
        f"{name} {small}": p
        for small, part in parts.items()
        for name, p in part.p_values.items()
        if name != "Mann-Whitney"
    }
    n = {f"points {small}": part.n["points with"] + part.n["points without"] for small, part in parts.items()}
    note = "; ".join(
        f"{small}: {part.verdict}" + (f" ({part.note})" if part.note else "") for small, part in parts.items()
    )
    verdict = judge_all([part.verdict for part in parts.values()])
    return Verdict("P0-20", statement, verdict, SAME.format(margin=margin), statistics, p_values, n, note)


def best_against_reference(trials: pd.DataFrame, margin: float = MARGIN) -> Verdict:
    """P0-21: for at least one transition epoch, two phases match or beat the three-step schedule.

    The best of many bins looks better than it is. So for each seed the best bin, and the best of the reference
    schedules, are chosen on the other seeds and compared on this one; the test is over these differences. A diverged
    run counts as the worst in its bin.
    """
    statement = "For at least one transition epoch, two phases match or beat three steps at constant momentum"
    wide = by_seed(trials).dropna()
    table = distinct(configs(trials).loc[wide.index])
    wide = wide.loc[table.index]
    bins, references = transition_bins(arm(table, "no_momentum", "fig7")), reference_groups(table)
    test = AT_LEAST.format(margin=margin)
    n = {
        "points": sum(map(len, bins.values())),
        "bins": len(bins),
        "references": len(references),
        "seeds": wide.shape[1],
    }
    if reason := _missing(n):
        return Verdict("P0-21", statement, UNDECIDED, test, n=n, note=reason)
    two, three = held_out(wide, bins), held_out(wide, references)
    if not np.isfinite([two, three]).all():
        note = "in some seed the runs that decide diverged"
        return Verdict("P0-21", statement, UNDECIDED, test, n=n, note=note)
    effect = mean_effect(two - three)
    statistics: dict[str, Quantity] = {
        "best bin": float(two.mean()),
        "reference": float(three.mean()),
        "difference": (effect.difference, *effect.interval(0.90)),
    }
    p_values = {"matches or beats": effect.p_above(-margin), "beats": effect.p_above()}
    where = table.loc[list(best_group(wide, bins)), "transition_epoch"]
    note = f"best over all seeds: transition epochs {where.min():g} to {where.max():g}"
    return Verdict("P0-21", statement, judge_greater(effect, -margin), test, statistics, p_values, n, note)


def distinct(table: pd.DataFrame) -> pd.DataFrame:
    """The points without repetitions: a transition epoch drawn twice gives the same runs, not another observation."""
    return table.drop_duplicates(["large", "small", "transition_epoch"])


def arm(table: pd.DataFrame, large: str, small: str) -> pd.DataFrame:
    """The points of one arm by transition epoch: a phase 1 ("momentum", "no_momentum") and a phase 2."""
    chosen = (table["large"] == large) & (table["small"] == small)
    return table[chosen].sort_values("transition_epoch", kind="stable")


def reference_groups(table: pd.DataFrame) -> Groups:
    """The three-step schedules, each a group of its own."""
    return {number: [point] for number, point in enumerate(table.index[table["large"] == REFERENCE])}


def transition_bins(points_of_arm: pd.DataFrame) -> Groups:
    """The points of one arm in bins of equal counts by transition epoch: two points each or more, at most ten bins.

    The paper says "equally sized bins" without a number, and not whether by width or by count.
    """
    ordered = points_of_arm.sort_values("transition_epoch", kind="stable").index.to_numpy()
    count = min(-(-len(ordered) // POINTS_PER_BIN), MOST_BINS)
    return {number: part.tolist() for number, part in enumerate(np.array_split(ordered, count))} if count else {}


def bin_medians(points_of_arm: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles of the points' accuracy in each bin; points without an accuracy are left out.

    Columns: ``center`` (median transition epoch), ``first``, ``last``, ``low``, ``median``, ``high``, ``points``.
    """
    counted = points_of_arm.dropna(subset="value")
    rows = []
    for members in transition_bins(counted).values():
        part = counted.loc[list(members)]
        where = part["transition_epoch"]
        rows.append([where.median(), where.min(), where.max(), *part["value"].quantile([0.25, 0.5, 0.75]), len(part)])
    return pd.DataFrame(rows, columns=["center", "first", "last", "low", "median", "high", "points"])


def held_out(wide: pd.DataFrame, groups: Groups) -> Array:
    """For each seed: its median over the group that is best on the other seeds, shape [seeds].

    Args:
        wide: Values by point and seed, -inf where a run diverged.
        groups: Points of each group.
    """
    return np.array([_median(wide[seed], best_group(wide.drop(columns=seed), groups)) for seed in wide.columns])


def best_group(wide: pd.DataFrame, groups: Groups) -> Sequence[int]:
    """The group with the best median of the points' means over seeds."""
    means = wide.mean(axis=1)
    return max(groups.values(), key=lambda members: _median(means, members))


def _median(values: pd.Series, members: Sequence[int]) -> float:
    return float(values.loc[list(members)].median())


def _missing(n: Mapping[str, int]) -> str:
    if not n["points"]:
        return "no points without momentum in phase 1 and with Fig. 7's phase 2 completed in every seed"
    if not n["references"]:
        return "no three-step schedule completed in every seed"
    return "" if n["seeds"] > 1 else "one seed only: bins cannot be chosen on one seed and compared on another"
