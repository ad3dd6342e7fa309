"""Whether several groups of runs are alike: each pair by two one-sided tests, and all of them together.

One observation is one run: the groups differ in their schedule, and their seeds are the repetitions.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from analysis.statistics import ALPHA, Array, Effect, mean_effect, welch_effect
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Quantity, Verdict, judge_all, judge_equivalence

FEWEST = 2
"""Runs that a group must have."""
ALIKE = "TOST of the Welch difference of every pair, margin {margin:.3g} of {quantity}; a difference at 5 % / pairs"


def all_alike(claim: str, statement: str, groups: Mapping[str, Array], margin: float, quantity: str) -> Verdict:
    """Whether all groups have equal means within a margin.

    It holds where every pair is shown to be equivalent, which needs no correction; it does not hold where some pair is
    shown to differ by more than the margin, at the level 5 % divided by the number of pairs.

    Args:
        claim: The claim's number.
        statement: The claim in a sentence.
        groups: Values of the runs by name of the group.
        margin: Largest difference of means that counts as none.
        quantity: What the values are, for the report.
    """
    test = ALIKE.format(margin=margin, quantity=quantity)
    n = {name: len(values) for name, values in groups.items()}
    if reason := too_few(groups):
        return Verdict(claim, statement, UNDECIDED, test, n=n, note=reason)
    effects = {pair: pair_effect(groups[pair[0]], groups[pair[1]]) for pair in combinations(groups, 2)}
    verdict = judge_all([judge_equivalence(each, margin, ALPHA / len(effects)) for each in effects.values()])
    (first, second), widest = max(effects.items(), key=lambda item: abs(item[1].difference))
    statistics: dict[str, Quantity] = {
        f"largest difference of {quantity} ({first} - {second})": (widest.difference, *widest.interval(0.90))
    }
    p_values = {"TOST": max(each.p_within(margin) for each in effects.values())}
    return Verdict(claim, statement, verdict, test, statistics, p_values, n)


def pair_effect(first: Array, second: Array) -> Effect:
    """The Welch difference; where neither group varies, a difference without error."""
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return Effect(float(first[0] - second[0]), 0.0, len(first) + len(second) - 2)
    return welch_effect(first, second)


def too_few(groups: Mapping[str, Array]) -> str:
    """Why the groups cannot be compared; empty where they can."""
    if len(groups) < 2:
        return f"{len(groups)} groups completed, two are needed"
    least = min(groups, key=lambda name: len(groups[name]))
    if len(groups[least]) < FEWEST:
        return f"{len(groups[least])} runs of {least}, at least {FEWEST} are needed"
    return ""


def together(claim: str, statement: str, parts: Mapping[str, Verdict], test: str = "") -> Verdict:
    """The verdict on a claim made of several: it holds if all do, and does not if one does not."""
    note = "; ".join(f"{name}: {part.verdict}" for name, part in parts.items())
    verdict = judge_all([part.verdict for part in parts.values()])
    return Verdict(
        claim, statement, verdict, test or f"those of {', '.join(parts)}", n={"parts": len(parts)}, note=note
    )


def slope_effect(x: Array, y: Array) -> Effect:
    """The slope of the least-squares line of y over x, with its standard error; at least three different x.

    Examples:
        >>> effect = slope_effect(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.9, 5.1, 7.0]))
        >>> round(effect.difference, 2), effect.dof
        (2.02, 2)
    """
    centred = x - x.mean()
    spread = float((centred**2).sum())
    slope = float((centred * y).sum()) / spread
    residuals = y - y.mean() - slope * centred
    dof = len(x) - 2
    return Effect(slope, float(np.sqrt((residuals**2).sum() / dof / spread)), dof)


def judge_ratio(effects: Mapping[str, Effect], margin: float) -> str:
    """Whether several differences of logarithms are all zero within a margin."""
    level = ALPHA / max(1, len(effects))
    return judge_all([judge_equivalence(each, margin, level) for each in effects.values()])


def sign_test(successes: int, runs: int) -> tuple[str, float, float]:
    """Whether something happens in most runs: the verdict, and the p-values against "in at most" and "at least half".

    Exact one-sided binomial tests against one half, so that five runs of one kind decide.

    Examples:
        >>> [sign_test(successes, 5)[0] for successes in (5, 3, 0)]
        ['holds', 'undecided', 'does not hold']
    """
    from scipy import stats

    if not runs:
        return UNDECIDED, 1.0, 1.0
    above = float(stats.binom.sf(successes - 1, runs, 0.5))
    below = float(stats.binom.cdf(successes, runs, 0.5))
    return (HOLDS if above < ALPHA else DOES_NOT_HOLD if below < ALPHA else UNDECIDED), above, below


def paired_or_undecided(differences: Array) -> Effect | None:
    """The mean of differences with its error; None where fewer than two are known."""
    finite = differences[np.isfinite(differences)]
    return mean_effect(finite) if len(finite) >= FEWEST else None
