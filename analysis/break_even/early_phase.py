"""Claims P3-06 to P3-08 and P3-16 on the study ``early``: the first epochs at two learning rates, in detail.

What is compared are looks within the epochs, up to the training accuracy that every run reaches (at most 65 %, where
the paper ends Fig. 1). The accuracy at a look is interpolated between the epochs: that of an epoch is the mean over its
batches, and counts as reached in its middle.

Source: Jastrzebski et al., 2020, Sec. 4.1, Figs. 1 to 3, and App. A.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from analysis.break_even.curvature_maxima import SHORT, at_equal_accuracy, counts, ordered
from analysis.break_even.curvature_runs import HESSIAN, LARGEST, RATIO, TRACE, looks, varied
from analysis.statistics import ALPHA, Array, Effect, mean_effect
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_all, judge_greater

OUTLIER = 5.0
"""An eigenvalue above this many times the median of its spectrum counts as an outlier, a "spike" of Fig. 3; ours."""
HALF = 0.5
"""Share of its maximum from which on lambda_K^1 counts as near it; ours."""
FEWEST = 5
"""Looks that a correlation needs."""


def detailed(trials: pd.DataFrame, epochs: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """The looks of the probes, with the training accuracy and ``time``, in epochs, of each.

    Args:
        trials: The trials of a study.
        epochs: Its epochs.
        measurements: Its looks.

    Returns:
        The columns of `measurements`, and ``train_loss`` and ``test_accuracy`` of the epoch, ``train_accuracy`` and
        ``time``.
    """
    if measurements.empty or epochs.empty:
        return epochs.iloc[:0].assign(step=np.nan, time=np.nan)
    own = epochs.reindex(columns=["trial_id", "epoch", "lr", "momentum", "train_loss", "test_accuracy", "steps"])
    joined = measurements.merge(own, on=["trial_id", "epoch"])
    joined["time"] = joined["epoch"] - 1 + joined["step"] / joined["steps"]
    reached = {name: part.sort_values("epoch") for name, part in epochs.groupby("trial_id")}
    parts = [
        part.assign(train_accuracy=_accuracy(part["time"], reached[name])) for name, part in joined.groupby("trial_id")
    ]
    return pd.concat(parts).sort_values(["trial_id", "time"], kind="stable").reset_index(drop=True)


def claims(
    trials: pd.DataFrame, epochs: pd.DataFrame, measurements: pd.DataFrame, spectra: pd.DataFrame
) -> tuple[Verdict, ...]:
    """The verdicts on P3-06 to P3-08 and P3-16."""
    rows = detailed(trials, epochs, measurements)
    numbers = {LARGEST: "P3-06", RATIO: "P3-16", TRACE: "P3-16b", HESSIAN: "P3-16c"}
    runs = describe_early(trials, rows)
    return (
        *at_equal_accuracy(numbers, trials, rows),
        correlated(runs, trials),
        unstable(runs, trials),
        decoupled(runs, trials),
        *outliers(trials, rows, spectra),
    )


def describe_early(trials: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """One row per run that counts.

    Columns: ``arm``, ``seed``; ``before`` and ``after``, the Fisher z of Pearson's correlation of the logarithms of
    lambda_K^1 and lambda_H^1 up to the maximum of lambda_K^1 and from that of lambda_H^1 on; ``harm``, the share of
    looks at which the next step raises the loss, where lambda_K^1 has reached half of its maximum, less that before.
    """
    found = [_of_run(part) for _, part in looks(trials, rows).groupby("trial_id")]
    return pd.DataFrame(found, columns=["arm", "seed", "before", "after", "harm"], dtype=float)


def correlated(runs: pd.DataFrame, trials: pd.DataFrame) -> Verdict:
    """P3-07: lambda_K^1 and lambda_H^1 grow together at first."""
    statement = "Up to the maximum of lambda_K^1, lambda_K^1 and lambda_H^1 are correlated"
    test = "one-sided t test over seeds, at each value, of Fisher's z of Pearson's correlation of their logarithms"
    return _each("P3-07", statement, test, runs, "before", trials, np.tanh)


def unstable(runs: pd.DataFrame, trials: pd.DataFrame) -> Verdict:
    """P3-07b: steps do harm more often once lambda_K^1 is near its maximum."""
    statement = "Steps raise the loss more often once lambda_K^1 has come to half of its maximum than before"
    test = "one-sided t test over seeds, at each value, of the difference of the shares of looks"
    return _each("P3-07b", statement, test, runs, "harm", trials)


def decoupled(runs: pd.DataFrame, trials: pd.DataFrame) -> Verdict:
    """P3-07c: behind the maximum of lambda_H^1 the two no longer go together."""
    statement = "Behind the maximum of lambda_H^1 the correlation of the two is weaker than before"
    test = "one-sided t test over seeds, at each value, of the difference of Fisher's z"
    weaker = runs.assign(difference=runs["before"] - runs["after"])
    return _each("P3-07c", statement, test, weaker, "difference", trials)


def outliers(trials: pd.DataFrame, rows: pd.DataFrame, spectra: pd.DataFrame) -> tuple[Verdict, ...]:
    """P3-08: at the maximum there are more outliers at the smaller learning rate, in the spectra of K and of H."""
    setting = varied(trials)
    parts = (("P3-08", "covariance", LARGEST, "K"), ("P3-08b", "hessian", HESSIAN, "H"))
    verdicts = []
    for claim, name, column, matrix in parts:
        tops = spectra_at_maximum(trials, rows, spectra, name, column)
        table = pd.DataFrame(
            [(arm, seed, count_outliers(values)) for (arm, seed), values in tops.items()],
            columns=["arm", "seed", "outliers"],
            dtype=float,
        )
        what = f"number (plus 1) of eigenvalues of {matrix} above {OUTLIER:g} times the median, at max {SHORT[column]}"
        verdicts.append(ordered(claim, what, table.assign(outliers=table["outliers"] + 1), "outliers", setting, trials))
    return tuple(verdicts)


def spectra_at_maximum(
    trials: pd.DataFrame, rows: pd.DataFrame, spectra: pd.DataFrame, name: str, column: str
) -> dict[tuple[float, float], Array]:
    """The spectrum of each run that counts at the look at which a column is largest, descending, by arm and seed."""
    seen = looks(trials, rows).dropna(subset=column)
    tops = seen.loc[seen.groupby("trial_id")[column].idxmax()] if len(seen) else seen
    listed = spectra[spectra["name"] == name] if len(spectra) else pd.DataFrame(columns=["trial_id", "epoch", "step"])
    found = {}
    for top in tops.itertuples():
        here = listed[
            (listed["trial_id"] == top.trial_id) & (listed["epoch"] == top.epoch) & (listed["step"] == top.step)
        ]
        if len(here):
            found[float(top.arm), float(top.seed)] = np.sort(here["value"].to_numpy(float))[::-1]
    return found


def count_outliers(spectrum: Array) -> int:
    """Eigenvalues above `OUTLIER` times the median of those that are positive, zero by centring left out.

    Examples:
        >>> count_outliers(np.array([30.0, 9.0, 2.0, 1.0, 1.0, 1.0, 0.5, 0.0]))
        2
    """
    positive = spectrum[spectrum > 1e-12 * spectrum.max()] if len(spectrum) else spectrum
    return int((positive > OUTLIER * np.median(positive)).sum()) if len(positive) else 0


def _of_run(run: pd.DataFrame) -> dict[str, float]:
    known = run.dropna(subset=[LARGEST, HESSIAN])
    found = {"arm": float(run["arm"].iloc[0]), "seed": float(run["seed"].iloc[0])}
    if known.empty:
        return found | dict.fromkeys(("before", "after", "harm"), float("nan"))
    top_k, top_h = (known[column].idxmax() for column in (LARGEST, HESSIAN))
    near = run[LARGEST].ge(HALF * run[LARGEST].max()).cummax()
    negative = run["loss_change"].lt(0).where(run["loss_change"].notna()).astype(float)
    return found | {
        "before": _fisher(known.loc[:top_k]),
        "after": _fisher(known.loc[top_h:]),
        "harm": float(negative[near].mean() - negative[~near].mean()),
    }


def _fisher(part: pd.DataFrame) -> float:
    positive = part[(part[LARGEST] > 0) & (part[HESSIAN] > 0)]
    if len(positive) < FEWEST:
        return float("nan")
    r = float(stats.pearsonr(np.log(positive[LARGEST]), np.log(positive[HESSIAN]))[0])
    return float(np.arctanh(np.clip(r, -0.999999, 0.999999)))


def _each(
    claim: str, statement: str, test: str, runs: pd.DataFrame, column: str, trials: pd.DataFrame, shown: object = None
) -> Verdict:
    known = runs.dropna(subset=column)
    effects: Mapping[str, Effect] = {
        f"{arm:g}": mean_effect(part[column]) for arm, part in known.groupby("arm") if len(part) > 1
    }
    n = counts(known, trials)
    if not effects:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note="no value has two runs with enough looks")
    verdict = judge_all([judge_greater(each, alpha_below=ALPHA / len(effects)) for each in effects.values()])
    show = shown if callable(shown) else float
    statistics: dict[str, Quantity] = {
        f"mean at {arm}": (float(show(each.difference)), *(float(show(end)) for end in each.interval(0.90)))
        for arm, each in effects.items()
    }
    return Verdict(claim, statement, verdict, test, statistics, {arm: e.p_above() for arm, e in effects.items()}, n)


def _accuracy(times: pd.Series, epochs: pd.DataFrame) -> Array:
    middles = epochs["epoch"].to_numpy(float) - 0.5
    return np.interp(times.to_numpy(float), middles, epochs["train_accuracy"].to_numpy(float))
