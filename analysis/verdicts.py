"""A claim of a paper, what the data say about it, and the rules that turn an effect into a verdict.

A verdict never follows from a failure to reject. "The two are the same" holds where equivalence within a stated margin
is shown (two one-sided tests); it does not hold where a difference beyond that margin is shown; all else is undecided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from analysis.statistics import ALPHA, Effect

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
UNDECIDED = "undecided"
VERDICTS = (HOLDS, DOES_NOT_HOLD, UNDECIDED)

Quantity = float | tuple[float, float, float]
"""A value, or a value with the two ends of its 90 % interval."""


@dataclass(frozen=True)
class Verdict:
    """What the data say about one claim.

    Args:
        claim: The claim's number in the list of the papers' claims, as in "P0-18".
        statement: The claim in one sentence.
        verdict: "holds", "does not hold" or "undecided".
        test: Name of the test that decided, or would have.
        statistics: What was measured, by name.
        p_values: The p-values, by name.
        n: What was counted, by name.
        note: What a reader must know beside it; the reason where it is undecided.

    Raises:
        ValueError: The verdict is none of the three.
    """

    claim: str
    statement: str
    verdict: str
    test: str
    statistics: Mapping[str, Quantity] = field(default_factory=dict)
    p_values: Mapping[str, float] = field(default_factory=dict)
    n: Mapping[str, int] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}; got {self.verdict!r}")

    @property
    def measured(self) -> str:
        """Statistics and p-values in one line, intervals in brackets.

        Examples:
            >>> Verdict("P0-18", "", "holds", "", {"difference": (0.001, -0.004, 0.006)}, {"TOST": 0.003}).measured
            'difference 0.001 [-0.004, 0.006]; p(TOST) 0.003'
        """
        values = [f"{name} {_quantity(value)}" for name, value in self.statistics.items()]
        return "; ".join(values + [f"p({name}) {value:.2g}" for name, value in self.p_values.items()])

    @property
    def counted(self) -> str:
        """The counts in one line."""
        return ", ".join(f"{name} {count}" for name, count in self.n.items())

    def line(self) -> str:
        """The verdict in one line of plain text.

        Examples:
            >>> Verdict("P0-18", "They are the same", "undecided", "TOST", n={"points": 2}, note="too few").line()
            'P0-18  undecided      They are the same (points 2): too few'
        """
        counted = f" ({self.counted})" if self.n else ""
        return f"{self.claim:<6} {self.verdict:<14} {self.statement}{counted}" + (f": {self.note}" if self.note else "")


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """The verdicts as a table: claim, statement, verdict, test, measured, n, note."""
    columns = ["claim", "statement", "verdict", "test", "measured", "n", "note"]
    rows = [(v.claim, v.statement, v.verdict, v.test, v.measured, v.counted, v.note) for v in verdicts]
    return pd.DataFrame(rows, columns=columns)


def judge_equivalence(effect: Effect, margin: float, alpha_beyond: float = ALPHA) -> str:
    """Whether a difference is within a margin: "holds" by two one-sided tests, "does not hold" by a test beyond it.

    ``alpha_beyond`` is the level of the latter, smaller where it is one of several.

    Examples:
        >>> judge_equivalence(Effect(0.001, 0.002, 20), 0.01), judge_equivalence(Effect(0.05, 0.002, 20), 0.01)
        ('holds', 'does not hold')
        >>> judge_equivalence(Effect(0.001, 0.02, 20), 0.01)
        'undecided'
    """
    if effect.p_within(margin) < ALPHA:
        return HOLDS
    return DOES_NOT_HOLD if effect.p_beyond(margin) < alpha_beyond else UNDECIDED


def judge_greater(effect: Effect, bound: float = 0.0, alpha_below: float = ALPHA) -> str:
    """Whether a difference is above a bound: one-sided in either direction, "undecided" between.

    ``alpha_below`` is the level of the test that shows the contrary, smaller where it is one of several.

    Examples:
        >>> judge_greater(Effect(0.02, 0.005, 20)), judge_greater(Effect(-0.02, 0.005, 20))
        ('holds', 'does not hold')
    """
    if effect.p_above(bound) < ALPHA:
        return HOLDS
    return DOES_NOT_HOLD if effect.p_below(bound) < alpha_below else UNDECIDED


def judge_interval(low: float, high: float, bounds: tuple[float, float]) -> str:
    """Whether a quantity lies within bounds, from its interval: all inside, all outside, or neither.

    With a 90 % interval, "holds" is two one-sided tests at 5 %.

    Examples:
        >>> [judge_interval(low, high, (0.5, 2.0)) for low, high in [(0.8, 1.5), (3.0, 4.0), (1.0, 3.0)]]
        ['holds', 'does not hold', 'undecided']
    """
    if bounds[0] <= low and high <= bounds[1]:
        return HOLDS
    return DOES_NOT_HOLD if high < bounds[0] or low > bounds[1] else UNDECIDED


def judge_all(verdicts: Sequence[str]) -> str:
    """The verdict on a claim made of several: it holds if each holds, and does not if one does not.

    Examples:
        >>> judge_all(["holds", "undecided"]), judge_all(["undecided", "does not hold"]), judge_all([])
        ('undecided', 'does not hold', 'undecided')
    """
    if DOES_NOT_HOLD in verdicts:
        return DOES_NOT_HOLD
    return HOLDS if verdicts and set(verdicts) == {HOLDS} else UNDECIDED


def _quantity(value: Quantity) -> str:
    if not isinstance(value, tuple):
        return f"{value:.4g}"
    return f"{value[0]:.4g} [{value[1]:.4g}, {value[2]:.4g}]"
