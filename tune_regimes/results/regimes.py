"""Where the two regimes of a network lie: the learning rates A and B of the paper, located on a sweep.

A, the large-step regime, is the largest learning rate usable without divergence; B, the small-step regime, the largest
at which the loss falls consistently. The paper gives no criterion for either; these are ours:

- A run *diverges* if it ended as diverged, or if its last training loss is not below 90 % of the initial one although a
  smaller learning rate learned: a network that a large step broke, and that answers at chance ever after, has finite
  losses too, while one that is merely slow has not diverged. The initial loss is the first epoch's training loss at
  the smallest step size of the sweep, a little below that of the untrained network.
- The loss *falls consistently* if at least 90 % of the differences between successive epochs, over all seeds, are
  negative.

A warm-up that all runs have in common counts for neither, but its first epoch is the one with the initial loss.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 3 (A and B, footnote 1).
"""

from typing import Any

import pandas as pd

from tune_regimes.results.curves import by_momentum, first_settings, loss_curves

LEARNED = 0.9
"""Share of the initial training loss below which the last one must lie."""
FALLING = 0.9
"""Share of the differences between successive epochs that must be negative."""

COLUMNS = (
    "momentum",
    "large_lr",
    "large_step_size",
    "diverging_lr",
    "small_lr",
    "small_step_size",
    "falling_at_large",
    "falling_at_small",
    "points",
)


def describe_runs(trials: pd.DataFrame, epochs: pd.DataFrame, warm_up: int = 0) -> pd.DataFrame:
    """What decides the regime of each point of a sweep: one row per point with a completed or diverged run.

    Args:
        trials: The trials table.
        epochs: The epochs table.
        warm_up: Epochs with which all runs begin, at settings of their own.

    Returns:
        Columns ``lr``, ``momentum``, ``step_size``, ``diverges`` (in any seed), ``falling`` (share of falling epochs
        over the completed seeds), ``final_loss`` (mean last training loss of the completed seeds).
    """
    ended = trials[trials["status"].isin(["completed", "diverged"])]
    settings = first_settings(ended, epochs, warm_up)
    curves = loss_curves(ended, epochs)
    final = curves.ffill(axis=1).iloc[:, -1] if curves.shape[1] else pd.Series(index=curves.index, dtype=float)
    stuck = (final >= LEARNED * initial_loss(settings, curves)).groupby("point").any()
    diverges = (ended["status"] == "diverged").groupby(ended["point"]).any().reindex(settings.index)
    diverges |= broken(settings, stuck).reindex(settings.index)
    described = settings.assign(diverges=diverges)
    return described.assign(falling=share_falling(curves.iloc[:, warm_up:]), final_loss=final.groupby("point").mean())


def broken(settings: pd.DataFrame, stuck: pd.Series) -> pd.Series:
    """Which points did not learn at a learning rate above one, of the same momentum, that did.

    Args:
        settings: ``lr`` and ``momentum`` by point.
        stuck: Whether a point did not learn, by point; points without a completed run are absent.
    """
    learned = settings.loc[stuck.index[~stuck]]
    least = settings["momentum"].map(learned.groupby("momentum")["lr"].min())
    return stuck.reindex(settings.index, fill_value=False) & (settings["lr"] > least)


def initial_loss(settings: pd.DataFrame, curves: pd.DataFrame) -> float:
    """Training loss of the first epoch at the smallest step size that has one, over seeds; NaN without runs."""
    known = settings.loc[settings.index.isin(curves.index.get_level_values("point")), "step_size"]
    if known.empty:
        return float("nan")
    return float(curves.loc[known.index[int(known.argmin())]].iloc[:, 0].mean())


def share_falling(curves: pd.DataFrame) -> pd.Series:
    """Share of the differences between successive epochs that are negative, by point over its seeds; NaN for one epoch.

    Examples:
        >>> index = pd.MultiIndex.from_tuples([(7, 0), (7, 1)], names=["point", "seed"])
        >>> share_falling(pd.DataFrame([[3.0, 2.0, 1.0], [3.0, 2.0, 2.5]], index=index)).to_dict()
        {7: 0.75}
    """
    steps = curves.diff(axis=1).iloc[:, 1:]
    known = steps.notna().sum(axis=1).groupby("point").sum()
    return ((steps < 0).sum(axis=1).groupby("point").sum() / known).where(known > 0)


def locate_regimes(trials: pd.DataFrame, epochs: pd.DataFrame, warm_up: int = 0) -> pd.DataFrame:
    """The two regimes by momentum, one row each.

    Columns: ``momentum``; ``large_lr`` (A) and ``large_step_size``; ``diverging_lr``, the smallest learning rate that
    diverges; ``small_lr`` (B, at most A) and ``small_step_size``; the shares of falling epochs at A and at B;
    ``points``. NaN where the sweep has no such learning rate.
    """
    runs = describe_runs(trials, epochs, warm_up)
    rows = [_locate(momentum, part) for momentum, part in by_momentum(runs).items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _locate(momentum: float, runs: pd.DataFrame) -> dict[str, Any]:
    diverges = runs["diverges"].astype(bool)
    large = _largest(runs[~diverges])
    small = _largest(runs[~diverges & (runs["falling"] >= FALLING)])
    row = {"momentum": momentum, "points": len(runs), "diverging_lr": runs.loc[diverges, "lr"].min()}
    for name, found in (("large", large), ("small", small)):
        row |= {
            f"{name}_lr": found["lr"],
            f"{name}_step_size": found["step_size"],
            f"falling_at_{name}": found["falling"],
        }
    return row


def _largest(runs: pd.DataFrame) -> pd.Series:
    """The point with the largest learning rate; NaN where there is none."""
    if runs.empty:
        return pd.Series(float("nan"), index=runs.columns)
    return runs.sort_values("lr", kind="stable").iloc[-1]
