"""From the tables of a study to the values an analysis compares: points, their seeds, and their loss curves.

A point is one configuration; its seeds are repetitions of it. Only completed trials have a final metric that counts.
Diverged trials are counted wherever they occur, the rest (pruned, failed, still running) are left out and counted too.
"""

from typing import cast

import numpy as np
import pandas as pd
from scipy import stats

from analysis.statistics import Array
from tune_regimes.results.curves import loss_curves

CONFIG = "config."


def configs(trials: pd.DataFrame) -> pd.DataFrame:
    """The configuration of each point, one row per point in the order of the points, without the ``config.`` prefix."""
    columns = {name: name.removeprefix(CONFIG) for name in trials.columns if name.startswith(CONFIG)}
    return trials.groupby("point").first()[list(columns)].rename(columns=columns)


def by_seed(trials: pd.DataFrame, metric: str = "test_accuracy", summary: str = "final") -> pd.DataFrame:
    """A metric by point (rows) and seed (columns): NaN where a trial did not complete, -inf where it diverged.

    Args:
        trials: The trials.
        metric: Name of the metric, the larger the better.
        summary: Its value after the last epoch ("final") or the best of all epochs ("best").
    """
    values = trials[f"{summary}_{metric}"].where(trials["status"] == "completed").astype(float)
    values = values.mask(trials["status"] == "diverged", -np.inf)
    return trials.assign(value=values).pivot(index="point", columns="seed", values="value")


def points(trials: pd.DataFrame, metric: str = "test_accuracy") -> pd.DataFrame:
    """One row per point: its configuration, and a final metric over its completed seeds.

    Columns beside the configuration: ``value`` (mean), ``low`` and ``high`` (Student-t 95 % interval, NaN with one
    seed), ``seeds`` (completed), ``diverged`` and ``trials`` (counts).
    """
    wide = by_seed(trials, metric)
    finite = wide.where(np.isfinite(wide))
    seeds = finite.count(axis=1)
    reach = stats.t.ppf(0.975, (seeds - 1).clip(lower=1)) * finite.std(axis=1) / np.sqrt(seeds.clip(lower=1))
    mean = finite.mean(axis=1)
    counts = trials.groupby("point").agg(
        trials=("seed", "size"), diverged=("status", lambda s: int((s == "diverged").sum()))
    )
    summary = pd.DataFrame({"value": mean, "low": mean - reach, "high": mean + reach, "seeds": seeds})
    return configs(trials).join(summary).join(counts)


def status_counts(trials: pd.DataFrame) -> dict[str, int]:
    """How many trials ended in which way, the most frequent first."""
    return {str(status): int(count) for status, count in trials["status"].value_counts().items()}


def mean_curves(trials: pd.DataFrame, epochs: pd.DataFrame, most_epochs: int | None = None) -> pd.DataFrame:
    """Mean training loss over seeds: rows are the points all of whose trials completed, columns are epochs."""
    curves = loss_curves(trials, epochs).iloc[:, :most_epochs]
    whole = trials.groupby("point")["status"].agg(lambda status: bool((status == "completed").all()))
    means = curves.groupby("point").mean()
    return means.loc[whole.reindex(means.index)].dropna()


def seed_distance(trials: pd.DataFrame, epochs: pd.DataFrame, most_epochs: int | None = None) -> float:
    """Median L2 distance between the loss curves of two seeds of one point: of runs that are alike by design.

    NaN where no point has two completed seeds.
    """
    curves = loss_curves(trials, epochs).iloc[:, :most_epochs].dropna()
    pairs = [_pair_distances(cast(Array, group.to_numpy(float))) for _, group in curves.groupby("point")]
    every = np.concatenate([*pairs, np.empty(0)])
    return float(np.median(every)) if len(every) else float("nan")


def distances(first: Array, second: Array) -> Array:
    """L2 distances between curves, shape [n, m] from [n, epochs] and [m, epochs]: sqrt of the sum over epochs."""
    return cast(Array, np.sqrt(((first[:, None, :] - second[None, :, :]) ** 2).sum(axis=2)))


def _pair_distances(curves: Array) -> Array:
    return distances(curves, curves)[np.triu_indices(len(curves), 1)]
