"""From the tables of a study to what a sweep of learning rates is judged by: settings, and loss curves, of its points.

A point is one configuration; its seeds are repetitions of it.
"""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pandas as pd


def first_settings(trials: "pd.DataFrame", epochs: "pd.DataFrame", warm_up: int = 0) -> "pd.DataFrame":
    """Learning rate, momentum and step size of each point's first epoch after a warm-up, as trained.

    Args:
        trials: The trials table, or some of its rows.
        epochs: The epochs table.
        warm_up: Epochs that all points have in common.

    Returns:
        Columns ``lr``, ``momentum``, ``step_size`` = lr / (1 - momentum); points without such an epoch are left out.
    """
    first = epochs.loc[epochs["epoch"] == warm_up + 1, ["trial_id", "lr", "momentum"]]
    settings = trials[["trial_id", "point"]].merge(first, on="trial_id").groupby("point")[["lr", "momentum"]].first()
    return settings.assign(step_size=settings["lr"] / (1 - settings["momentum"]))


def by_momentum(table: "pd.DataFrame") -> "dict[float, pd.DataFrame]":
    """The parts of a table with one ``momentum`` each, the smallest momentum first."""
    return {cast(float, momentum): part for momentum, part in table.groupby("momentum")}


def loss_curves(trials: "pd.DataFrame", epochs: "pd.DataFrame", column: str = "train_loss") -> "pd.DataFrame":
    """A column of the epochs of every completed trial: rows (point, seed), columns epoch 1, 2, ..."""
    done = trials.loc[trials["status"] == "completed", ["trial_id", "point", "seed"]]
    rows = epochs.merge(done, on="trial_id")
    return rows.set_index(["point", "seed", "epoch"])[column].astype(float).unstack("epoch")
