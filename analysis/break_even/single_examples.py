"""Claim P3-17: lambda_K^1 of mini-batches stands for that of single examples (Fig. 9).

The two studies train the same networks, bit for bit, and look at them in the same epochs, so that their looks pair up.
For independent batches of M examples K of mini-batches is about K / M.

Source: Jastrzebski et al., 2020, App. C.
"""

import numpy as np
import pandas as pd
from scipy import stats

from analysis.break_even.curvature_runs import LARGEST, looks
from analysis.groups import judge_ratio
from analysis.statistics import ALPHA, mean_effect
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_all, judge_greater

STRONG = 0.9
"""A correlation above this is a strong one."""
FACTOR = 2.0
FEWEST = 5
"""Looks that a correlation needs."""
NOTE = "add the study mini_batch, or single_example, by --with: no look of both was found"


def paired(single: tuple[pd.DataFrame, pd.DataFrame], batches: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    """Looks that both studies made: ``arm``, ``seed``, ``epoch``, ``single`` and ``batches``, lambda_K^1 of each.

    Args:
        single: Trials and epochs of the study of single examples.
        batches: Those of the study of mini-batches.
    """
    keys = ["arm", "seed", "epoch"]
    one, other = (looks(*tables)[[*keys, LARGEST]] for tables in (single, batches))
    both = one.rename(columns={LARGEST: "single"}).merge(other.rename(columns={LARGEST: "batches"}), on=keys)
    return both.dropna().reset_index(drop=True)


def claims(pairs: pd.DataFrame, size: int) -> tuple[Verdict, Verdict]:
    """The verdicts on P3-17 and P3-17b.

    Args:
        pairs: From :func:`paired`.
        size: Examples M in a mini-batch.
    """
    return correlated(pairs), in_proportion(pairs, size)


def correlated(pairs: pd.DataFrame) -> Verdict:
    """P3-17: the two are strongly correlated along each training."""
    statement = f"lambda_K^1 of mini-batches and of single examples are correlated along a training, r > {STRONG:g}"
    test = f"one-sided t test over seeds, at each learning rate, of Fisher's z against that of {STRONG:g}"
    found = (
        pairs.groupby(["arm", "seed"])[["single", "batches"]].apply(_fisher) if len(pairs) else pd.Series(dtype=float)
    )
    effects = {f"{arm:g}": mean_effect(part) for arm, part in found.dropna().groupby(level=0) if len(part) > 1}
    n = {"looks": len(pairs), "runs": len(found)}
    if not effects:
        return Verdict("P3-17", statement, UNDECIDED, test, n=n, note=NOTE)
    bound = float(np.arctanh(STRONG))
    verdict = judge_all([judge_greater(each, bound, ALPHA / len(effects)) for each in effects.values()])
    statistics: dict[str, Quantity] = {
        f"r at {name}": (float(np.tanh(each.difference)), *map(float, np.tanh(each.interval(0.90))))
        for name, each in effects.items()
    }
    return Verdict("P3-17", statement, verdict, test, statistics, n=n)


def in_proportion(pairs: pd.DataFrame, size: int) -> Verdict:
    """P3-17b: K of mini-batches is K / M."""
    statement = (
        f"lambda_K^1 of mini-batches is 1 / M of that of single examples (M = {size}), within a factor of {FACTOR:g}"
    )
    test = f"TOST over seeds of the mean log ratio, within a factor {FACTOR:g}, at each learning rate"
    logs = np.log(pairs["batches"] * size / pairs["single"]) if len(pairs) else pd.Series(dtype=float)
    means = logs.groupby([pairs["arm"], pairs["seed"]]).mean() if len(pairs) else logs
    effects = {f"{arm:g}": mean_effect(part) for arm, part in means.groupby(level=0) if len(part) > 1}
    n = {"looks": len(pairs), "runs": len(means)}
    if not effects:
        return Verdict("P3-17b", statement, UNDECIDED, test, n=n, note=NOTE)
    statistics: dict[str, Quantity] = {
        f"M lambda_K^M / lambda_K at {name}": (float(np.exp(e.difference)), *map(float, np.exp(e.interval(0.90))))
        for name, e in effects.items()
    }
    return Verdict("P3-17b", statement, judge_ratio(effects, float(np.log(FACTOR))), test, statistics, n=n)


def _fisher(run: pd.DataFrame) -> float:
    if len(run) < FEWEST or run["single"].nunique() < 2 or run["batches"].nunique() < 2:
        return float("nan")
    r = float(stats.pearsonr(run["single"], run["batches"])[0])
    return float(np.arctanh(np.clip(r, -0.999999, 0.999999)))
