"""Courses of a study's runs by regime, momentum and seed, and the claims on their losses that two studies share.

The studies ``momentum`` (mini-batches) and ``gradient_descent`` both have the settings ``regime``, "large" (A) or
"small" (B), and ``momentum``. All arms run with the same seeds, so that differences are taken seed by seed.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 3.1, Figs. 1 and 9.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from analysis.pairs import FEWEST, Pairs, less, less_in_each
from analysis.statistics import ALPHA
from analysis.tables import configs
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Quantity, Verdict
from search_spaces.two_regimes_momentum import LARGE, REGIMES, SMALL
from tune_regimes.results.curves import loss_curves

NAMES: Mapping[str, str] = {LARGE: "A", SMALL: "B"}
TREND = "Page's trend test over momenta, one-sided; seeds are the blocks"


def run_courses(trials: pd.DataFrame, epochs: pd.DataFrame, column: str = "train_loss") -> pd.DataFrame:
    """A column of the epochs of every completed run in a regime.

    Returns:
        Rows (``regime``, ``momentum``, ``seed``), columns epoch 1, 2, ...
    """
    settings = configs(trials)[["regime", "momentum"]]
    settings = settings[settings["regime"].isin(REGIMES)].astype({"momentum": float})
    courses = loss_curves(trials, epochs, column).reset_index().merge(settings, left_on="point", right_index=True)
    return courses.drop(columns="point").set_index(["regime", "momentum", "seed"]).sort_index()


def arm_courses(courses: pd.DataFrame, regime: str, momentum: float) -> pd.DataFrame:
    """The courses of one arm, a row per seed; without rows where none completed."""
    index = courses.index
    own = (index.get_level_values("regime") == regime) & (index.get_level_values("momentum") == momentum)
    return courses[own].droplevel(["regime", "momentum"])


def by_arm(values: pd.Series, trials: pd.DataFrame, diverged: float = np.nan) -> pd.DataFrame:
    """Values of runs as a table: rows (``regime``, ``momentum``), a column per seed.

    Args:
        values: By (``regime``, ``momentum``, ``seed``).
        trials: The trials, for those without a value.
        diverged: What a diverged run has; other runs without a value have NaN.
    """
    every = trials[trials["config.regime"].isin(REGIMES)]
    runs = [every["config.regime"], every["config.momentum"].astype(float), every["seed"]]
    ended = pd.Series(np.where(every["status"] == "diverged", diverged, np.nan), runs, dtype=float)
    table = values.reindex(ended.index).fillna(ended).rename_axis(["regime", "momentum", "seed"])
    return table.unstack("seed").sort_index()


def final_losses(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """Training loss of the last epoch by (regime, momentum) and seed: infinite where a run diverged."""
    return by_arm(run_courses(trials, epochs).iloc[:, -1:].sum(axis=1, min_count=1), trials, np.inf)


def rising_shares(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """Share of the epochs in which the training loss rises, by (regime, momentum) and seed.

    It is NaN where a run diverged.
    """
    steps = run_courses(trials, epochs).diff(axis=1).iloc[:, 1:]
    known = steps.notna().sum(axis=1)
    return by_arm(((steps > 0).sum(axis=1) / known).where(known > 0), trials)


def arm(table: pd.DataFrame, regime: str) -> pd.DataFrame:
    """The part of a table of one regime: momenta (rows) by seed (columns); without rows where it was not run."""
    return table[table.index.get_level_values("regime") == regime].droplevel("regime").sort_index()


def over_momenta(table: pd.DataFrame, regime: str) -> pd.Series:
    """The mean over momenta of each seed; NaN where one is missing."""
    part = arm(table, regime)
    return part.mean(skipna=False) if len(part) else pd.Series(np.nan, table.columns)


def rises_more_often(claim: str, shares: pd.DataFrame) -> Verdict:
    """The loss rises in more epochs in A than in B; shares are averaged over momenta."""
    statement = "The training loss rises in more epochs in regime A than in B"
    pairs = Pairs(over_momenta(shares, SMALL), over_momenta(shares, LARGE), ("share in B", "share in A"))
    return less(claim, statement, pairs)


def largest_is_worst(claim: str, losses: pd.DataFrame) -> Verdict:
    """In A the largest momentum ends at a larger training loss than each other."""
    statement = "In regime A the largest momentum gives the worst final training loss"
    part = arm(losses, LARGE)
    if len(part) < 2:
        return Verdict(claim, statement, UNDECIDED, TREND, note=f"{len(part)} momenta were run, two are needed")
    largest = part.index[-1]
    pairs = {f"{mu:g} - {largest:g}": _pair(part, mu, largest) for mu in part.index[:-1]}
    return less_in_each(claim, statement, pairs)


def falls_with_momentum(claim: str, losses: pd.DataFrame) -> Verdict:
    """In B the final training loss decreases as the momentum increases: Page's test, in either direction."""
    statement = "In regime B the final training loss decreases as the momentum increases"
    part = arm(losses, SMALL)
    complete = part.loc[:, part.notna().all()]
    n = {"seeds": complete.shape[1], "momenta": len(part)}
    if complete.shape[1] < FEWEST or len(part) < 3:
        note = f"{complete.shape[1]} seeds have runs at {len(part)} momenta; {FEWEST} at 3 are needed"
        return Verdict(claim, statement, UNDECIDED, TREND, n=n, note=note)
    falls, rises = (_page(complete.iloc[::order]) for order in (-1, 1))
    verdict = HOLDS if falls < ALPHA else DOES_NOT_HOLD if rises < ALPHA else UNDECIDED
    means: dict[str, Quantity] = {f"loss at {mu:g}": float(row.mean()) for mu, row in complete.iterrows()}
    return Verdict(claim, statement, verdict, TREND, means, {"falls": falls, "rises": rises}, n)


def _page(rows: pd.DataFrame) -> float:
    """P-value that the values increase from row to row; columns are blocks."""
    return float(stats.page_trend_test(rows.to_numpy(float).T).pvalue)


def _pair(part: pd.DataFrame, momentum: float, largest: float) -> Pairs:
    return Pairs(part.T[momentum], part.T[largest], (f"loss at {momentum:g}", f"{largest:g}"))
