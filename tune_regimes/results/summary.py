"""From trials to points: the mean over seeds with its interval, and which point is best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tune_regimes.errors import StudyError
from tune_regimes.results.schema import POINTS, STATUSES

if TYPE_CHECKING:
    import pandas as pd

COUNTED = ("completed", "pruned")
"""The statuses of the trials whose final value counts in a mean."""


@dataclass(frozen=True)
class Interval:
    """A mean of ``n`` values and the ends of its confidence interval, nan where ``n`` is too small for it."""

    mean: float
    low: float
    high: float
    n: int


def student_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean and Student's t interval, mean +- t(n - 1) s / sqrt(n), of independent values, shape [n].

    One value has no interval (nan), none has no mean either.

    Examples:
        >>> found = student_interval([0.25, 0.5, 0.75])  # 0.5 +- 4.303 * 0.25 / sqrt(3)
        >>> found.mean, round(found.low, 3), round(found.high, 3), found.n
        (0.5, -0.121, 1.121, 3)
    """
    from scipy.special import stdtrit

    sample = np.asarray(values, dtype=float)
    if sample.size < 2:
        return Interval(float(sample[0]) if sample.size else np.nan, np.nan, np.nan, sample.size)
    mean = float(sample.mean())
    error = float(sample.std(ddof=1)) / np.sqrt(sample.size)
    half = float(stdtrit(sample.size - 1, (1 + confidence) / 2) * error)
    return Interval(mean, mean - half, mean + half, sample.size)


def final_values(trials: "pd.DataFrame", metric: str) -> "pd.Series[float]":
    """The final value of a metric for the trials that count (completed or pruned, and finite), by index of ``trials``.

    Raises:
        StudyError: No trial reports such a metric.
    """
    import pandas as pd

    column = f"final_{metric}"
    counted = trials[trials["status"].isin(COUNTED)]
    if column not in trials and not counted.empty:
        names = [str(name) for name in trials.columns]
        reported = ", ".join(name.removeprefix("final_") for name in names if name.startswith("final_"))
        raise StudyError(f"a metric must be one that the epochs report; got {metric!r}; choose one of {reported}")
    values = counted.get(column, pd.Series(dtype=float)).astype(float)
    return values[np.isfinite(values)]


def summarise(trials: "pd.DataFrame", metric: str) -> "pd.DataFrame":
    """The points table: one row per point, its settings, the interval of the metric, and its trials by status."""
    import pandas as pd

    trials = trials.sort_values(["point", "seed"])
    settings = [name for name in trials if str(name).startswith("config.")]
    firsts = trials.drop_duplicates("point").set_index("point")
    values = final_values(trials, metric)
    groups = dict(iter(values.groupby(trials["point"])))
    intervals = [student_interval(groups.get(point, ())) for point in firsts.index]
    counts = pd.crosstab(trials["point"], trials["status"]).reindex(columns=list(STATUSES), fill_value=0)
    table = pd.DataFrame(intervals, index=firsts.index, columns=["mean", "low", "high", "n"])
    table = table.assign(config=firsts["config"], metric=metric, n_seeds=counts.sum(axis=1))
    table = table.join(counts.add_prefix("n_")).join(firsts[settings])
    return table.reset_index()[[*(column.name for column in POINTS), *settings]]


def rank(points: "pd.DataFrame", mode: str, seeds: int) -> "pd.DataFrame":
    """The points that have a value, best first: by how their ``seeds`` ended, then by their mean ("max" or "min").

    Points all of whose seeds completed come first, then those whose seeds all ended without diverging or failing, then
    those with a diverged, failed or unfinished seed. Of equals, the first stays first.
    """
    valued = points[points["n"] > 0]
    unharmed = valued["n_seeds"] == valued["n"]
    whole = unharmed & (valued["n_completed"] >= seeds)
    sound = unharmed & (valued["n_completed"] + valued["n_pruned"] >= seeds)
    merit = whole.astype(int) + sound.astype(int)
    order = np.lexsort((valued["mean"] * (1 if mode == "min" else -1), -merit))
    return valued.iloc[order].reset_index(drop=True)


def best_point(points: "pd.DataFrame", mode: str, seeds: int) -> "pd.Series[Any]":
    """The first row of :func:`rank`; StudyError when no point has a value yet."""
    ranked = rank(points, mode, seeds)
    if ranked.empty:
        held = {status: int(points[f"n_{status}"].sum()) for status in STATUSES}
        raise StudyError(
            f"the best point needs a trial that completed or was pruned; got {described(held)}; "
            "resume the study, or widen its space where every trial diverged"
        )
    best: pd.Series[Any] = ranked.iloc[0]
    return best


def pareto(points: "pd.DataFrame", trials: "pd.DataFrame", mode: str, seeds: int) -> "pd.DataFrame":
    """The points that no other beats in both the metric and the epochs, fewest epochs first.

    Points all of whose ``seeds`` completed are compared by their mean metric and by the mean number of epochs that
    their trials went through, whoever trained them. One point beats another if it is at least as good in both and
    better in one; of equal points all are kept. The mean number of epochs is added as the column ``epochs``.
    """
    whole = points[(points["n_completed"] >= seeds) & (points["n_seeds"] == points["n"])]
    epochs = whole["point"].map(trials.groupby("point")["epochs"].mean()).astype(float)
    losses = whole["mean"] * (1 if mode == "min" else -1)
    front: list[int] = []
    least = (np.nan, np.inf)
    for row in np.lexsort((losses, epochs)):
        at = (float(epochs.iloc[row]), float(losses.iloc[row]))
        if at[1] < least[1] or at == least:
            front.append(int(row))
            least = at
    return whole.assign(epochs=epochs).iloc[front].reset_index(drop=True)


def described(counts: Mapping[str, int]) -> str:
    """Trials by status in words.

    Examples:
        >>> described({"completed": 3, "pruned": 0, "diverged": 1})
        '4 trials (3 completed, 1 diverged)'
        >>> described({})
        'no trials'
    """
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    total = sum(counts.values())
    return f"{total} trial{'s' if total > 1 else ''} ({', '.join(parts)})" if parts else "no trials"
