"""Claims P4-22 and P4-23 on the study ``averages``: averaging helps all along a run whose weights never stop moving.

Any two networks of one run, at a constant learning rate, average to a better one, as if they lay around one minimum.
But their distance goes on growing with the epochs between them, up to the size of the weights themselves, which it
would not in an Ornstein-Uhlenbeck process around a minimum.

Weights are compared by the study's probe ``weights``; the statistics of BatchNorm are computed anew for averages and
for the networks alone.

Source: Li, Lyu and Arora, 2020, Sec. 4 and App. D, Figs. 6 and 7.
"""

import numpy as np
import pandas as pd

from analysis.groups import FEWEST, paired_or_undecided
from analysis.intrinsic_lr.effective_lr import courses
from analysis.statistics import Array
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_greater, judge_interval

BY = "momentum"
DISTANCE, ACCURACY = "weight_distance", "averaged_test_accuracy"
CLAIMS = (("P4-22", "plain SGD", False), ("P4-23", "SGD with momentum", True))
"""Claim, who trains, and whether with momentum."""
GROWS = 0.9
"""Share of the steps to a larger separation in which a distance that grows steadily is larger."""
ALIKE = 2.0
"""Factor within which distances and norms are of the same magnitude."""
FAR = 0.5
"""Share of the largest separation from which on two networks are far apart."""


def read_pairs(trials: pd.DataFrame, epochs: pd.DataFrame, spectra: pd.DataFrame) -> pd.DataFrame:
    """One row for each pair of looks of every completed run, a look paired with itself included.

    Columns: ``trial_id``, ``momentum``, ``first`` and ``second`` (epochs, first <= second), ``separation``,
    ``distance``, ``accuracy`` (of the average), ``gain`` (over the mean of the two alone), ``norm`` (mean of the two).
    """
    rows = courses(trials, epochs)
    names = spectra["name"].isin((DISTANCE, ACCURACY)) & spectra["trial_id"].isin(rows["trial_id"])
    wide = spectra[names].pivot_table(index=["trial_id", "epoch", "index"], columns="name", values="value")
    pairs = wide.reindex(columns=[DISTANCE, ACCURACY]).set_axis(["distance", "accuracy"], axis=1).reset_index()
    looks = np.sort(pairs["epoch"].unique())
    pairs = pairs.rename(columns={"epoch": "first"}).assign(second=looks[pairs["index"].to_numpy(int)])
    pairs = pairs[pairs["first"] <= pairs["second"]].reset_index(drop=True)
    alone = pairs[pairs["first"] == pairs["second"]].set_index(["trial_id", "first"])["accuracy"]
    told = rows.set_index(["trial_id", "epoch"])[["weight_norm", BY]]
    ends = [pd.MultiIndex.from_frame(pairs[["trial_id", name]]) for name in ("first", "second")]
    own = [alone.reindex(end).to_numpy(float) for end in ends]
    norms = [told["weight_norm"].reindex(end).to_numpy(float) for end in ends]
    return pairs.drop(columns="index").assign(
        momentum=told[BY].reindex(ends[0]).to_numpy(float),
        separation=pairs["second"] - pairs["first"],
        gain=pairs["accuracy"] - (own[0] + own[1]) / 2,
        norm=(norms[0] + norms[1]) / 2,
    )


def claims(pairs: pd.DataFrame) -> tuple[Verdict, ...]:
    """The verdicts on P4-22 (plain SGD) and P4-23 (with momentum), four parts each.

    Args:
        pairs: From :func:`read_pairs`.
    """
    found = []
    for claim, who, moving in CLAIMS:
        own = pairs[(pairs[BY] > 0) == moving]
        apart = own[own["separation"] > 0]
        far = apart[apart["separation"] >= FAR * apart["separation"].max()]
        found += [
            _better(claim, f"{who}: the average of two networks of one run is better than they are", apart),
            _better(f"{claim}b", f"{who}: so it is for networks that are far apart", far),
            _growing(f"{claim}c", f"{who}: their distance grows with the epochs between them", apart),
            _as_large(f"{claim}d", f"{who}: it is of the magnitude of the weights", apart),
        ]
    return tuple(found)


def growth(pairs: pd.DataFrame) -> Array:
    """For each run, the share of the steps to the next separation, from the same look, in which the distance grows."""
    shares = []
    for _, run in pairs.groupby("trial_id"):
        steps = run.sort_values("separation").groupby("first")["distance"].diff().dropna()
        shares.append(float((steps > 0).mean()) if len(steps) else np.nan)
    return np.array(shares)


def _better(claim: str, statement: str, pairs: pd.DataFrame) -> Verdict:
    test = "one-sided t test over runs of the mean gain in test accuracy over the two networks alone"
    gains = pairs.groupby("trial_id")["gain"].mean().to_numpy(float)
    effect, n = paired_or_undecided(gains), _counts(pairs)
    if effect is None:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note=_nothing())
    by_separation = pairs.groupby("separation")["gain"].mean()
    statistics: dict[str, Quantity] = {
        "gain": (effect.difference, *effect.interval(0.90)),
        "smallest mean gain of a separation": float(by_separation.min()),
        "largest": float(by_separation.max()),
    }
    return Verdict(claim, statement, judge_greater(effect), test, statistics, {"greater": effect.p_above()}, n)


def _growing(claim: str, statement: str, pairs: pd.DataFrame) -> Verdict:
    test = f"share of steps to the next separation in which it grows, above {GROWS:g} by its 90 % interval over runs"
    effect, n = paired_or_undecided(growth(pairs)), _counts(pairs)
    if effect is None:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note=_nothing())
    reach = effect.interval(0.90)
    mean = pairs.groupby("separation")["distance"].mean()
    half = mean.index[np.abs(mean.index - mean.index.max() / 2).argmin()]
    statistics: dict[str, Quantity] = {
        "share": (effect.difference, *reach),
        "distance at the largest separation / at half of it": float(mean.iloc[-1] / mean[half]),
    }
    return Verdict(claim, statement, judge_interval(*reach, (GROWS, np.inf)), test, statistics, n=n)


def _as_large(claim: str, statement: str, pairs: pd.DataFrame) -> Verdict:
    test = f"mean log ratio of distance to mean norm over runs, 90 % interval within a factor {ALIKE:g}"
    logs = np.log((pairs["distance"] / pairs["norm"]).where(pairs["distance"] > 0))
    effect, n = paired_or_undecided(logs.groupby(pairs["trial_id"]).mean().to_numpy(float)), _counts(pairs)
    if effect is None:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note=_nothing())
    low, high = (float(end) for end in np.exp(effect.interval(0.90)))
    statistics: dict[str, Quantity] = {
        "distance / norm": (float(np.exp(effect.difference)), low, high),
        "mean norm": float(pairs["norm"].mean()),
        "mean distance": float(pairs["distance"].mean()),
    }
    return Verdict(claim, statement, judge_interval(low, high, (1 / ALIKE, ALIKE)), test, statistics, n=n)


def _counts(pairs: pd.DataFrame) -> dict[str, int]:
    return {"runs": pairs["trial_id"].nunique(), "pairs": len(pairs)}


def _nothing() -> str:
    return f"fewer than {FEWEST} completed runs whose weights were compared: run the study with --probe weights"
