"""Claims P3-14, P3-15 and P3-26: what BatchNorm changes, by learning rate (Fig. 7) and by batch size (Fig. 26).

A scale of BatchNorm starts at ones, so that its norm starts at the square root of its length.

Source: Jastrzebski et al., 2020, Sec. 4.3 and App. H.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.break_even.curvature_maxima import SHORT, conjectures, counts, ordered
from analysis.break_even.curvature_runs import HESSIAN, LARGEST, RATIO, SCALE, SPAN, describe_runs, looks
from analysis.groups import pair_effect
from analysis.statistics import ALPHA, Effect, mean_effect
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Quantity, Verdict, judge_all, judge_greater

UNITS = 128
"""Units of the last BatchNorm of SimpleCNN-BN at its full width."""
LARGE_LR = 0.1
"""From which on the paper sees the scale of the last BatchNorm fall at first."""
FIRST_SHARE = 0.1
LAST_SHARE = 0.25
"""Of the epochs: what counts as the beginning, and as the end."""
EXCEPTION = 10
"""The batch size that App. H calls an exception."""
NO_OTHER = "add the study {} by --with"

Tables = tuple[pd.DataFrame, pd.DataFrame]


def claims(
    trials: pd.DataFrame, epochs: pd.DataFrame, task: Mapping[str, Any], without: Tables | None
) -> tuple[Verdict, ...]:
    """The verdicts on P3-14 and P3-15.

    Args:
        trials: Those of the study with BatchNorm.
        epochs: Its epochs.
        task: Its task, as its specification has it.
        without: Trials and epochs of the study without BatchNorm, if there is one.
    """
    return (
        *conjectures(trials, epochs, {LARGEST: "P3-14", RATIO: "P3-14b", HESSIAN: "P3-14c"}),
        decays(trials, epochs),
        shrinks(trials, epochs, task),
        bears(trials, epochs, without),
        no_better(trials, epochs, without),
        needs_large_steps(trials, epochs),
    )


def decays(trials: pd.DataFrame, epochs: pd.DataFrame) -> Verdict:
    """P3-14d: lambda_K^1 starts high and falls, but at the smallest learning rate."""
    statement = "With BatchNorm lambda_K^1 falls from the first look to the end, at all but the smallest learning rate"
    test = f"one-sided t test over seeds, at each, of log10(first look / mean of the last {LAST_SHARE:.0%})"
    seen = looks(trials, epochs)
    kept = seen[seen["arm"] > seen["arm"].min()]
    falls = kept.groupby(["arm", "trial_id"])[["epoch", LARGEST]].apply(_fall)
    return _each("P3-14d", statement, test, _by_arm(falls), trials, seen)


def shrinks(trials: pd.DataFrame, epochs: pd.DataFrame, task: Mapping[str, Any]) -> Verdict:
    """P3-14e: large learning rates shrink the scale of the last BatchNorm at first."""
    statement = f"At learning rates of {LARGE_LR:g} and more |gamma| of the last BatchNorm falls at first"
    test = (
        f"one-sided t test over seeds, at each, of |gamma| at the start less its mean over the first {FIRST_SHARE:.0%}"
    )
    seen = looks(trials, epochs)
    start = first_scale(task)
    early = seen[(seen["arm"] >= LARGE_LR) & (seen["epoch"] <= np.ceil(FIRST_SHARE * seen["epoch"].max()))]
    falls = start - early.groupby(["arm", "trial_id"])[SCALE].mean().dropna()
    return _each("P3-14e", statement, test, _by_arm(falls), trials, seen)


def first_scale(task: Mapping[str, Any]) -> float:
    """|gamma| of the last BatchNorm of SimpleCNN-BN before training.

    Examples:
        >>> first_scale({"options": {"width": 0.5}})
        8.0
    """
    width = float((task.get("options") or {}).get("width") or 1.0)
    return float(np.sqrt(max(1, round(UNITS * width))))


def bears(trials: pd.DataFrame, epochs: pd.DataFrame, without: Tables | None) -> Verdict:
    """P3-14f: the largest learning rate is one for BatchNorm alone."""
    statement = "At the largest learning rate every run with BatchNorm learns, and none without it"
    test = "a count of runs that learn"
    own, plain = _learning(trials, epochs), None if without is None else _learning(*without)
    if plain is None or not own[1] or not plain[1]:
        return Verdict("P3-14f", statement, UNDECIDED, test, note=NO_OTHER.format("no_batch_norm"))
    verdict = HOLDS if own[0] == own[1] and plain[0] == 0 else DOES_NOT_HOLD
    n = {"with, learning": own[0], "with": own[1], "without, learning": plain[0], "without": plain[1]}
    return Verdict("P3-14f", statement, verdict, test, n=n)


def no_better(trials: pd.DataFrame, epochs: pd.DataFrame, without: Tables | None) -> Verdict:
    """P3-15: with BatchNorm and the smallest learning rate, the noise is no smaller than without it at the next one."""
    statement = "With BatchNorm max lambda_K^1 at the smallest learning rate is larger than without it at the next"
    test = "one-sided Welch test of log10 of the maxima"
    runs = describe_runs(trials, epochs)
    plain = runs.iloc[:0] if without is None else describe_runs(*without)
    lrs = sorted(set(runs["arm"].dropna()))
    first = np.log10(runs.loc[runs["arm"] == lrs[0], LARGEST].dropna()) if lrs else []
    second = np.log10(plain.loc[plain["arm"] == lrs[1], LARGEST].dropna()) if len(lrs) > 1 else []
    if min(len(first), len(second)) < 2:
        note = NO_OTHER.format("no_batch_norm") if without is None else "two runs of either that learned are needed"
        return Verdict("P3-15", statement, UNDECIDED, test, note=note)
    return _greater("P3-15", statement, test, first, second, (f"with, {lrs[0]:g}", f"without, {lrs[1]:g}"))


def needs_large_steps(trials: pd.DataFrame, epochs: pd.DataFrame) -> Verdict:
    """P3-15b: with BatchNorm a large learning rate is what takes gradients out of few directions."""
    statement = "With BatchNorm max |g| / |g5| is larger at the largest learning rate than at the smallest"
    test = "one-sided Welch test of log10 of the maxima"
    runs = describe_runs(trials, epochs).dropna(subset=[SPAN])
    lrs = sorted(set(runs["arm"].dropna()))
    parts = [np.log10(runs.loc[runs["arm"] == lr, SPAN]) for lr in (lrs[-1:] + lrs[:1])]
    if len(lrs) < 2 or min(map(len, parts)) < 2:
        return Verdict("P3-15b", statement, UNDECIDED, test, note="two learning rates with two runs each are needed")
    return _greater("P3-15b", statement, test, parts[0], parts[1], (f"at {lrs[-1]:g}", f"at {lrs[0]:g}"))


def together(studies: Sequence[tuple[int, pd.DataFrame, pd.DataFrame]]) -> Tables:
    """Studies of one batch size each as if they were one study over the batch size: its trials and epochs."""
    trials, epochs = [], []
    for number, (size, own, rows) in enumerate(sorted(studies, key=lambda each: each[0])):
        named = {"trial_id": own["trial_id"] + f"-batch-{size}", "point": own["point"] + number * 1000}
        trials.append(own.assign(**named, **{"config.batch_size": size}))
        epochs.append(rows.assign(trial_id=rows["trial_id"] + f"-batch-{size}"))
    return pd.concat(trials, ignore_index=True), pd.concat(epochs, ignore_index=True)


def batch_claims(trials: pd.DataFrame, epochs: pd.DataFrame) -> tuple[Verdict, ...]:
    """The verdicts on P3-26, of :func:`together`'s tables."""
    runs = describe_runs(trials, epochs)
    usual, of_usual = runs[runs["arm"] > EXCEPTION], trials[trials["config.batch_size"] > EXCEPTION]
    missing = f"{NO_OTHER.format('batch_norm_<batch size>')} for each batch size" if runs["arm"].nunique() < 2 else ""
    ordering = [
        ordered("P3-26", f"max {SHORT[LARGEST]}", runs, LARGEST, "batch_size", trials, missing),
        ordered(
            "P3-26b", f"max {SHORT[RATIO]} above batch size {EXCEPTION}", usual, RATIO, "batch_size", of_usual, missing
        ),
    ]
    return (*ordering, exception(runs))


def exception(runs: pd.DataFrame) -> Verdict:
    """P3-26c: at the smallest batch both ratios are smaller again."""
    statement = f"At batch size {EXCEPTION} max lambda_K^* / lambda_K^1 and max |g| / |g5| are smaller than at the next"
    test = "one-sided Welch tests of the maxima"
    sizes = sorted(size for size in set(runs["arm"].dropna()) if size >= EXCEPTION)[:2]
    parts = {name: [runs.loc[runs["arm"] == size, name].dropna() for size in sizes[::-1]] for name in (RATIO, SPAN)}
    if len(sizes) < 2 or sizes[0] != EXCEPTION or min(len(each) for pair in parts.values() for each in pair) < 2:
        note = NO_OTHER.format("batch_norm_<batch size>") + " for each batch size"
        return Verdict("P3-26c", statement, UNDECIDED, test, note=note)
    effects = {name: pair_effect(*(each.to_numpy(float) for each in pair)) for name, pair in parts.items()}
    verdict = judge_all([judge_greater(each, alpha_below=ALPHA / 2) for each in effects.values()])
    statistics: dict[str, Quantity] = {
        f"{name} at {sizes[1]:g} less at {sizes[0]:g}": (e.difference, *e.interval(0.90)) for name, e in effects.items()
    }
    return Verdict("P3-26c", statement, verdict, test, statistics, n={"runs": len(runs)})


def _fall(run: pd.DataFrame) -> float:
    late = run.loc[run["epoch"] > (1 - LAST_SHARE) * run["epoch"].max(), LARGEST].mean()
    return float(np.log10(run[LARGEST].iloc[0] / late))


def _by_arm(values: pd.Series) -> dict[str, Effect]:
    if values.empty:
        return {}
    return {f"{arm:g}": mean_effect(part) for arm, part in values.dropna().groupby(level=0) if len(part) > 1}


def _each(
    claim: str, statement: str, test: str, effects: Mapping[str, Effect], trials: pd.DataFrame, seen: pd.DataFrame
) -> Verdict:
    n = counts(seen.groupby("trial_id").head(1), trials)
    if not effects:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note="no learning rate has two runs that learned")
    verdict = judge_all([judge_greater(each, alpha_below=ALPHA / len(effects)) for each in effects.values()])
    statistics: dict[str, Quantity] = {
        f"mean at {arm}": (each.difference, *each.interval(0.90)) for arm, each in effects.items()
    }
    return Verdict(claim, statement, verdict, test, statistics, n=n)


def _learning(trials: pd.DataFrame, epochs: pd.DataFrame) -> tuple[int, int]:
    """Runs at the largest learning rate that learned, and all that have ended."""
    if "config.lr" not in trials or trials.empty:
        return 0, 0
    ended = trials[
        (trials["config.lr"] == trials["config.lr"].max()) & trials["status"].isin(["completed", "diverged"])
    ]
    return int(ended["trial_id"].isin(looks(trials, epochs)["trial_id"]).sum()), len(ended)


def _greater(
    claim: str, statement: str, test: str, first: pd.Series, second: pd.Series, names: tuple[str, str]
) -> Verdict:
    effect = pair_effect(first.to_numpy(float), second.to_numpy(float))
    statistics: dict[str, Quantity] = {
        f"mean {name}": float(10 ** part.mean()) for name, part in zip(names, (first, second), strict=True)
    }
    statistics["log10 of their ratio"] = (effect.difference, *effect.interval(0.90))
    n = {name: len(part) for name, part in zip(names, (first, second), strict=True)}
    return Verdict(claim, statement, judge_greater(effect), test, statistics, {"Welch": effect.p_above()}, n)
