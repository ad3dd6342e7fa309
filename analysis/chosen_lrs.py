"""Optimizers that each have a grid of learning rates: which one to compare, and by what.

A learning rate that is best on the runs that are then compared flatters an optimizer, the more so the more learning
rates it was tried at. So that of a seed is chosen on the other seeds.
"""

import pandas as pd

from analysis.tables import configs


def by_optimizer(values: pd.DataFrame, trials: pd.DataFrame, setting: str) -> dict[str, pd.DataFrame]:
    """Values by point (rows) and seed (columns) as values by learning rate and seed, for each optimizer.

    Args:
        values: The smaller the better: NaN where a run did not complete, infinite where it diverged.
        trials: The trials of these points.
        setting: What holds ``optimizer`` and ``lr`` in their configuration, as in "method".
    """
    settings = configs(trials).loc[values.index]
    optimizers = settings[f"{setting}.optimizer"]
    lrs = settings[f"{setting}.lr"].astype(float).rename("lr")
    parts = {name: values[optimizers == name] for name in dict.fromkeys(optimizers)}
    return {name: part.set_index(lrs[part.index]).sort_index() for name, part in parts.items()}


def best_lr(table: pd.DataFrame, least: float = 0.0, below: float = float("inf")) -> float:
    """The learning rate with the smallest mean over seeds; NaN where none completed in every seed.

    Args:
        table: Values by learning rate and seed.
        least: Smallest learning rate to choose.
        below: The learning rate is below this one.
    """
    means = table[(table.index >= least) & (table.index < below)].mean(axis=1, skipna=False).dropna()
    return float(means.idxmin()) if len(means) else float("nan")


def chosen_lrs(table: pd.DataFrame, least: pd.Series | None = None, below: pd.Series | None = None) -> pd.Series:
    """For each seed, the learning rate that is best on the others; NaN where there are none.

    Args:
        table: Values by learning rate and seed.
        least: Smallest learning rate to choose, by seed; 0 where none is given.
        below: The learning rates are below these, by seed; no bound where none is given.
    """
    low = pd.Series(0.0, table.columns) if least is None else least
    high = pd.Series(float("inf"), table.columns) if below is None else below
    found = {seed: best_lr(table.drop(columns=seed), low[seed], high[seed]) for seed in table.columns}
    return pd.Series(found, index=table.columns, dtype=float)


def at_lrs(table: pd.DataFrame, lrs: pd.Series) -> pd.Series:
    """The values of each seed at a learning rate of its own; NaN where the table has no such one."""
    found = [table.at[lr, seed] if lr in table.index else float("nan") for seed, lr in lrs.items()]
    return pd.Series(found, index=lrs.index, dtype=float)


def held_out(table: pd.DataFrame) -> pd.Series:
    """For each seed, its value at the learning rate that is best on the others."""
    return at_lrs(table, chosen_lrs(table))
