"""The located regimes in words; the criteria are those of :mod:`tune_regimes.results.regimes`.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 3 (A and B, footnote 1).
"""

import numpy as np
import pandas as pd


def regime_lines(regimes: pd.DataFrame) -> list[str]:
    """The located regimes in words, one line per momentum."""
    return [_line(row) for _, row in regimes.iterrows()]


def _line(row: pd.Series) -> str:
    diverging = f"the smallest that does is {row['diverging_lr']:.3g}"
    return (
        f"momentum {row['momentum']:g}, {row['points']:.0f} points: "
        f"the largest lr that does not diverge is A = {row['large_lr']:.3g} "
        f"({row['falling_at_large']:.0%} of epochs fall), "
        f"{'none diverges' if np.isnan(row['diverging_lr']) else diverging}; "
        f"the largest at which the loss falls consistently is B = {row['small_lr']:.3g} ({row['falling_at_small']:.0%})"
    )
