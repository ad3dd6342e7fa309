"""Compare two methods seed by seed: the same seed gives both the same initial weights and the same batches."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics import ALPHA, MARGIN, Array, Effect, fisher_p_value, mean_effect
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Quantity, Verdict, judge_all, judge_greater

LESS = "one-sided paired t test over seeds"
NO_WORSE = f"one-sided paired t test over seeds that the error is not more than {MARGIN:g} larger"
FEWEST = 2
"""Seeds that both methods must have completed."""


@dataclass(frozen=True)
class Pairs:
    """A value of two methods by seed, the smaller the better: NaN where a run is missing, infinite if it diverged."""

    first: pd.Series
    second: pd.Series
    names: tuple[str, str]

    @property
    def differences(self) -> Array:
        """First less second, of the seeds that completed in both."""
        both = (self.first - self.second).replace([np.inf, -np.inf], np.nan).dropna()
        return both.to_numpy(float)

    @property
    def effect(self) -> Effect:
        """Mean of second less first: above zero where the first is better."""
        return mean_effect(-self.differences)

    @property
    def diverged(self) -> tuple[int, int]:
        """Diverged runs of each method."""
        return int(np.isinf(self.first).sum()), int(np.isinf(self.second).sum())

    @property
    def n(self) -> dict[str, int]:
        """Seeds compared, and diverged runs of both methods."""
        counts = {"seeds": len(self.differences)}
        return counts | ({"diverged": sum(self.diverged)} if any(self.diverged) else {})

    @property
    def p_diverged(self) -> float:
        """P-value of Fisher's exact test that runs diverge as often with both methods."""
        runs = (int(self.first.notna().sum()), int(self.second.notna().sum()))
        first, second = ((bad, total - bad) for bad, total in zip(self.diverged, runs, strict=True))
        return fisher_p_value(first, second)

    @property
    def statistics(self) -> dict[str, Quantity]:
        """Means of both methods and of their difference, with its 90 % interval."""
        low, high = (-end for end in self.effect.interval(0.90))
        names = f"{self.names[0]} - {self.names[1]}"
        return {names: (-self.effect.difference, high, low)}


def value_of(table: pd.DataFrame, method: str) -> pd.Series:
    """The values of a method by seed, NaN where it was not run, from values by method (rows) and seed (columns)."""
    return table.loc[method] if method in table.index else pd.Series(np.nan, table.columns)


def less(claim: str, statement: str, pairs: Pairs, alpha_contrary: float = ALPHA) -> Verdict:
    """Whether the first method's value is the smaller: holds, or does not hold, where a paired t test shows it.

    Args:
        claim: The claim's number.
        statement: The claim in a sentence.
        pairs: Both methods, seed by seed.
        alpha_contrary: Level of the tests that show the contrary, smaller where the claim asks several times.
    """
    if any(pairs.diverged):
        p, (first, second) = pairs.p_diverged, pairs.diverged
        verdict = UNDECIDED if p >= alpha_contrary else DOES_NOT_HOLD if first > second else HOLDS
        note = f"{first} runs of {pairs.names[0]} and {second} of {pairs.names[1]} diverged"
        return Verdict(claim, statement, verdict, "Fisher's exact test", {}, {"diverged": p}, pairs.n, note)
    if len(pairs.differences) < FEWEST:
        note = f"{len(pairs.differences)} seeds completed with both methods, at least {FEWEST} are needed"
        return Verdict(claim, statement, UNDECIDED, LESS, n=pairs.n, note=note)
    verdict = judge_greater(pairs.effect, alpha_below=alpha_contrary)
    return Verdict(claim, statement, verdict, LESS, pairs.statistics, {"less": pairs.effect.p_above()}, pairs.n)


def no_worse(claim: str, statement: str, pairs: Pairs, alpha_contrary: float = ALPHA) -> Verdict:
    """Whether the first method's error is the same or smaller: larger by less than `MARGIN`, as a paired t test shows.

    Args:
        claim: The claim's number.
        statement: The claim in a sentence.
        pairs: Both methods, seed by seed.
        alpha_contrary: Level of the test that shows the contrary, smaller where the claim asks several times.
    """
    if any(pairs.diverged) or len(pairs.differences) < FEWEST:
        return less(claim, statement, pairs, alpha_contrary)
    verdict = judge_greater(pairs.effect, -MARGIN, alpha_contrary)
    p_values = {"no worse": pairs.effect.p_above(-MARGIN), "less": pairs.effect.p_above()}
    return Verdict(claim, statement, verdict, NO_WORSE, pairs.statistics, p_values, pairs.n)


def less_in_each(claim: str, statement: str, parts: Mapping[str, Pairs]) -> Verdict:
    """Whether the first method's value is the smaller in each of several comparisons."""
    judged = {name: less(claim, statement, pairs, ALPHA / len(parts)) for name, pairs in parts.items()}
    statistics = {name: value for name, part in judged.items() for value in part.statistics.values()}
    p_values = {name: p for name, part in judged.items() for p in part.p_values.values()}
    n = {"seeds": min((part.n["seeds"] for part in judged.values()), default=0), "comparisons": len(judged)}
    words = [f"{name}: {part.verdict}" + (f" ({part.note})" if part.note else "") for name, part in judged.items()]
    verdict = judge_all([part.verdict for part in judged.values()])
    return Verdict(claim, statement, verdict, f"{LESS}, in each", statistics, p_values, n, "; ".join(words))
