"""What each run of a ``break_even`` study says: the maxima of curvature along it, and where it reaches them.

A run counts where it completed and learned: the conjectures are about learning rates and batch sizes that converge. It
did not learn where its last training loss is not below 90 % of the first, its own or the largest of the runs with the
smallest step size: a run that blows up in its first epoch and answers at chance ever after has come down from its own.
A measurement that failed is null and is left out of a maximum. Maxima are of single looks; only figures are smoothed.

Source: Jastrzebski et al., 2020, Secs. 3 and 4.2.
"""

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import pandas as pd

from analysis.statistics import Array
from tune_regimes.results.regimes import LEARNED
from tune_regimes.theory.break_even import first_unstable

LARGEST, RATIO, TRACE, HESSIAN = "covariance_largest", "covariance_ratio", "covariance_trace", "hessian_largest"
"""lambda_K^1, lambda_K^* / lambda_K^1 (called condition number in the paper, of which it is the inverse), Tr(K) and
lambda_H^1, the most positive eigenvalue."""
SPAN = "gradient_ratio"
"""|g| / |g5|."""
SCALE = "bn_scale_norm"
STABILITY = "stability"
"""The left side of Eq. 1."""
MEASURED = (LARGEST, RATIO, TRACE, HESSIAN, SPAN)
"""Of which the maxima are taken."""
ALONG = ("epoch", "step", "time", "lr", "momentum", "train_loss", "train_accuracy", "test_accuracy")
"""What else is kept of a look; ``step`` and ``time`` of looks within epochs alone."""
MOST_ACCURACY = 0.65
"""Training accuracy at which the paper ends Fig. 1."""
STEP = 0.05

SETTINGS: Mapping[str, tuple[Callable[[Array], Array], float]] = {
    "lr": (np.log10, -1.0),
    "batch_size": (np.log10, 1.0),
    "momentum": (lambda momentum: -np.log10(1.0 - momentum), -1.0),
}
"""What a study varies: the coordinate in which slopes are taken, and the direction in which the maxima grow with it.

A momentum counts as what it multiplies the step size by, 1 / (1 - momentum).
"""


def varied(trials: pd.DataFrame) -> str:
    """The setting that a study varies; "lr" where it varies none."""
    counts = {name: trials[f"config.{name}"].nunique() for name in SETTINGS if f"config.{name}" in trials}
    return max(counts, key=lambda name: counts[name]) if counts else "lr"


def looks(trials: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the runs that count, in order, with the setting of their point as ``arm``, ``point`` and ``seed``.

    Args:
        trials: The trials of a study.
        rows: Its epochs, with the columns of the probes; what is missing is NaN.
    """
    column = f"config.{varied(trials)}"
    kept = trials.loc[
        trials["status"] == "completed", ["trial_id", "point", "seed", *trials.columns.intersection([column])]
    ]
    kept = kept.rename(columns={column: "arm"}).reindex(columns=["trial_id", "point", "seed", "arm"])
    measured = rows.reindex(columns=["trial_id", *ALONG, *MEASURED, STABILITY, SCALE, "loss_change"])
    joined = measured.merge(kept, on="trial_id").sort_values(["trial_id", "epoch"], kind="stable")
    numbers = [name for name in joined.columns if name != "trial_id"]
    joined[numbers] = joined[numbers].astype(float)
    return joined[joined["trial_id"].isin(_learned(joined))].reset_index(drop=True)


def _learned(rows: pd.DataFrame) -> pd.Index:
    """The trials that learned, of rows in order."""
    begun = rows.groupby("trial_id")[["lr", "momentum", "train_loss"]].first()
    step_size = begun["lr"] / (1.0 - begun["momentum"])
    calm = begun.loc[step_size == step_size.min(), "train_loss"].max()
    last = rows.groupby("trial_id")["train_loss"].last()
    return last.index[last < LEARNED * begun["train_loss"].clip(upper=calm)]


def describe_runs(trials: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """One row per run that counts.

    Columns: ``arm``, ``seed``, ``lr`` and ``momentum`` (the first); of each of `MEASURED` the maximum, ``<name>.epoch``
    and ``<name>.accuracy``, the epoch and the training accuracy there, ``<name>.even``, its value at the break-even
    point, and ``<name>.behind``, its median from there on; ``even``, the first epoch at which Eq. 1 is not met, NaN
    where it always is; ``epochs``; ``looked``, the last epoch in which a probe looked.
    """
    runs = [_of_run(part) for _, part in looks(trials, rows).groupby("trial_id")]
    extra = [f"{name}.{what}" for name in MEASURED for what in ("epoch", "accuracy", "even", "behind")]
    once = ["arm", "seed", "lr", "momentum", "epochs", "looked", "even"]
    return pd.DataFrame(runs, columns=[*once, *MEASURED, *extra], dtype=float)


def accuracy_threshold(seen: pd.DataFrame) -> float:
    """The training accuracy at which runs are compared: a multiple of 5 % that each has at a look, at most 65 %.

    The paper picks its thresholds by hand.

    Args:
        seen: From :func:`looks`.

    Examples:
        >>> seen = pd.DataFrame({"trial_id": ["a", "a", "b"], "train_accuracy": [0.3, 0.99, 0.58]})
        >>> accuracy_threshold(seen.assign(covariance_largest=1.0))
        0.55
    """
    known = seen[seen[LARGEST].notna()]
    if known.empty:
        return float("nan")
    reached = float(known.groupby("trial_id")["train_accuracy"].max().min())
    return round(min(MOST_ACCURACY, float(np.floor(reached / STEP + 1e-9)) * STEP), 10)


def at_accuracy(seen: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The first epoch of each run, of those in which a probe looked, that has the training accuracy or a higher one."""
    above = seen[(seen["train_accuracy"] >= threshold) & seen[LARGEST].notna()]
    return above.groupby("trial_id").head(1)


def slopes(runs: pd.DataFrame, column: str, setting: str) -> Array:
    """The slope of log10 of a column over the coordinate of the setting, for each seed with two values or more.

    Its sign is turned where the column is to fall with the setting, so that the conjectures have it positive.

    Args:
        runs: With ``arm``, ``seed`` and the column.
        column: What is positive.
        setting: One of `SETTINGS`.
    """
    coordinate, sign = SETTINGS[setting]
    known = runs[(runs[column] > 0) & runs["arm"].notna()]
    parts = [part for _, part in known.groupby("seed") if part["arm"].nunique() > 1]
    found = [np.polyfit(coordinate(part["arm"].to_numpy(float)), np.log10(part[column]), 1)[0] for part in parts]
    return sign * np.array(found, float)


def _of_run(run: pd.DataFrame) -> dict[str, float]:
    first = run.iloc[0]
    unstable = first_unstable(run[STABILITY])
    even = None if unstable is None else run.iloc[unstable]
    found = {name: float(first[name]) for name in ("arm", "seed", "lr", "momentum")}
    found |= {"epochs": float(run["epoch"].max()), "even": float("nan") if even is None else float(even["epoch"])}
    found["looked"] = float(run.loc[run[LARGEST].notna(), "epoch"].max())
    for name in MEASURED:
        known = run[name].dropna()
        top = run.loc[cast(int, known.idxmax())] if len(known) else None
        found[name] = float("nan") if top is None else float(top[name])
        found[f"{name}.epoch"] = float("nan") if top is None else float(top["epoch"])
        found[f"{name}.accuracy"] = float("nan") if top is None else float(top["train_accuracy"])
        found[f"{name}.even"] = float("nan") if even is None else float(even[name])
        found[f"{name}.behind"] = float("nan") if even is None else float(run.loc[even.name :, name].median())
    return found
