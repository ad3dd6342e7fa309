"""Compare two arms of a study: points that differ in one setting, and in a transition epoch drawn at random.

So that the scatter of the transition epochs does not hide what is asked, the difference is taken within blocks of
equal or neighbouring transition epochs. Points are the units: their seeds are averaged, so that the intervals are those
of these seeds. Diverged runs have no accuracy to average; they are counted instead: where they are more frequent in one
arm than in the other the arms differ, where they are many nothing is concluded from the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from analysis.statistics import (
    ALPHA,
    Array,
    Effect,
    IntArray,
    blocked_effect,
    fisher_p_value,
    ks_p_value,
    quantile_blocks,
    rank_p_value,
    welch_effect,
)
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Quantity, Verdict, judge_equivalence, judge_greater

FEWEST = 3
"""Points that an arm must have for a comparison."""
DIVERGED_SHARE = 0.1
"""Share of diverged runs above which the accuracies of the others are no fair sample of an arm."""

SAME = "TOST of the difference of means within blocks of transition epochs, margin {margin:g}"
GREATER = "one-sided t test of the difference of means within blocks of transition epochs"


@dataclass(frozen=True)
class Arms:
    """Two arms: rows of :func:`analysis.tables.points` with a ``transition_epoch``, and names for both.

    Effects are first minus second.
    """

    first: pd.DataFrame
    second: pd.DataFrame
    names: tuple[str, str]

    @property
    def n(self) -> dict[str, int]:
        """Points with a value in each arm, and what became of the others."""
        both = pd.concat([self.first, self.second])
        counts = {f"points {name}": len(values) for name, values in zip(self.names, self.values, strict=True)}
        diverged = int(both["diverged"].sum()) if len(both) else 0
        return (
            counts
            | {"runs": int(both["seeds"].sum()) if len(both) else 0}
            | ({"diverged": diverged} if diverged else {})
        )

    @cached_property
    def values(self) -> tuple[Array, Array]:
        """The points' values in each arm, over the seeds that completed."""
        first, second = (part["value"].dropna().to_numpy(float) for part in (self.first, self.second))
        return first, second

    @cached_property
    def effect(self) -> Effect:
        """The difference of the arms' means within blocks of transition epochs."""
        return blocked_effect(*self.values, self.blocks)

    @property
    def blocks(self) -> IntArray:
        """The block of each point: its transition epoch where both arms have the same ones, else its neighbourhood."""
        parts = [part.dropna(subset="value")["transition_epoch"] for part in (self.first, self.second)]
        both = np.concatenate([part.to_numpy(np.int64) for part in parts])
        return both if sorted(parts[0]) == sorted(parts[1]) else quantile_blocks(both)

    @property
    def p_diverged(self) -> float:
        """P-value of Fisher's exact test that runs diverge as often in both arms."""
        first, second = (
            (int(p["diverged"].sum()), int(p["trials"].sum() - p["diverged"].sum())) for p in (self.first, self.second)
        )
        return fisher_p_value(first, second)

    @property
    def reason(self) -> str:
        """Why the arms' accuracies cannot be compared; empty where they can."""
        for name, part, values in zip(self.names, (self.first, self.second), self.values, strict=True):
            if len(part) and part["diverged"].sum() > DIVERGED_SHARE * part["trials"].sum():
                share = part["diverged"].sum() / part["trials"].sum()
                return f"{share:.0%} of the runs {name} diverged: the rest is no fair sample"
            if len(values) < FEWEST:
                return f"{len(values)} points {name}, at least {FEWEST} are needed"
        return ""

    @property
    def statistics(self) -> dict[str, Quantity]:
        """The difference with its 90 % interval, the one that a TOST at 5 % looks at."""
        return {f"{self.names[0]} - {self.names[1]}": (self.effect.difference, *self.effect.interval(0.90))}


def same(claim: str, statement: str, arms: Arms, margin: float, alpha_different: float = ALPHA) -> Verdict:
    """Whether two arms are alike: equivalent means, and no other difference that the Kolmogorov-Smirnov test sees.

    Args:
        claim: The claim's number.
        statement: The claim in a sentence.
        arms: The two arms.
        margin: Largest difference of means that counts as none.
        alpha_different: Level of the tests that show a difference, smaller where the claim asks several times.
    """
    test = SAME.format(margin=margin)
    if len(arms.first) and len(arms.second) and arms.p_diverged < alpha_different:
        note = "runs diverge more often in one arm than in the other"
        return Verdict(
            claim, statement, DOES_NOT_HOLD, "Fisher's exact test", {}, {"diverged": arms.p_diverged}, arms.n, note
        )
    if arms.reason:
        return Verdict(claim, statement, UNDECIDED, test, n=arms.n, note=arms.reason)
    p_values = {
        "TOST": arms.effect.p_within(margin),
        "KS": ks_p_value(*arms.values),
        "Mann-Whitney": rank_p_value(*arms.values),
    }
    verdict, note = judge_equivalence(arms.effect, margin, alpha_different), ""
    if verdict == HOLDS and p_values["KS"] < ALPHA:
        verdict, note = (
            UNDECIDED,
            "the means are equivalent, yet the Kolmogorov-Smirnov test tells the distributions apart",
        )
    return Verdict(claim, statement, verdict, test, arms.statistics, p_values, arms.n, note)


def greater(claim: str, statement: str, arms: Arms) -> Verdict:
    """Whether the first arm is better on average, by a one-sided test in either direction."""
    if arms.reason:
        return Verdict(claim, statement, UNDECIDED, GREATER, n=arms.n, note=arms.reason)
    p_values: Mapping[str, float] = {
        "greater": arms.effect.p_above(),
        "Welch": welch_effect(*arms.values).p_above(),
        "Mann-Whitney": rank_p_value(*arms.values, "greater"),
    }
    return Verdict(claim, statement, judge_greater(arms.effect), GREATER, arms.statistics, p_values, arms.n)
