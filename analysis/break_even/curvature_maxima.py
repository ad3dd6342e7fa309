"""Claims P3-02, P3-04, P3-05 and P3-09 to P3-12: how the maxima of K and H depend on learning rate and batch size.

Conjecture 1: the maxima of lambda_K^1 and lambda_H^1 are smaller for a larger learning rate or a smaller batch size.
Conjecture 2: that of lambda_K^* / lambda_K^1 is larger, and that of Tr(K) smaller. Each is judged by the slopes of the
seeds: log10 of the maximum over log10 of what is varied.

Source: Jastrzebski et al., 2020, Secs. 3 and 4.2.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.break_even.curvature_runs import (
    HESSIAN,
    LARGEST,
    RATIO,
    TRACE,
    accuracy_threshold,
    at_accuracy,
    describe_runs,
    looks,
    slopes,
    varied,
)
from analysis.groups import judge_ratio
from analysis.statistics import ALPHA, Effect, mean_effect
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_all, judge_greater

SLOPE = "one-sided t test over seeds of the slope of log10({what}) over log10({setting}){turned}"
NAMES = {"lr": "lr", "batch_size": "batch size", "momentum": "1 / (1 - momentum)"}
SHORT = {LARGEST: "lambda_K^1", RATIO: "lambda_K^* / lambda_K^1", TRACE: "Tr(K)", HESSIAN: "lambda_H^1"}
LARGER = {
    "lr": "the smaller the learning rate",
    "batch_size": "the larger the batch",
    "momentum": "the smaller the momentum",
}
EARLY_SHARE = 0.25
"""Share of the epochs within which a maximum counts as early."""
FACTOR = 2.0
"""lambda_H^1 within this factor of 2 / lr counts as near it."""


def conjectures(trials: pd.DataFrame, rows: pd.DataFrame, claims: Mapping[str, str]) -> tuple[Verdict, ...]:
    """Both conjectures on the maxima of a study.

    Args:
        trials: Its trials.
        rows: Its epochs.
        claims: The claim's number by column: of `LARGEST`, `RATIO`, `TRACE` and `HESSIAN`.
    """
    setting, runs = varied(trials), describe_runs(trials, rows)
    return tuple(
        ordered(claim, f"max {SHORT[column]}", runs, column, setting, trials, _rising(runs, column))
        for column, claim in claims.items()
    )


def ordered(
    claim: str, what: str, runs: pd.DataFrame, column: str, setting: str, trials: pd.DataFrame, note: str = ""
) -> Verdict:
    """Whether a quantity grows in the direction of the conjectures; the ratio is to fall where the others grow."""
    falls = column.startswith(RATIO)
    statement = f"{LARGER[setting].capitalize()}, the {'smaller' if falls else 'larger'} {what}"
    turned = "" if (setting == "batch_size") != falls else ", sign turned"
    test = SLOPE.format(what=what, setting=NAMES[setting], turned=turned)
    found = slopes(runs, column, setting) * (-1.0 if falls else 1.0)
    n = counts(runs, trials)
    if len(found) < 2:
        few = "two seeds with two values each are needed"
        return Verdict(claim, statement, UNDECIDED, test, n=n, note="; ".join(filter(None, [few, note])))
    effect = mean_effect(found)
    means = runs.groupby("arm")[column].mean()
    statistics: dict[str, Quantity] = {"slope": (effect.difference, *effect.interval(0.90))}
    statistics |= {f"mean at {arm:g}": float(mean) for arm, mean in means.items()}
    return Verdict(claim, statement, judge_greater(effect), test, statistics, {"slope": effect.p_above()}, n, note)


def at_equal_accuracy(claims: Mapping[str, str], trials: pd.DataFrame, rows: pd.DataFrame) -> tuple[Verdict, ...]:
    """P3-09: the order is there where the runs first reach one training accuracy, so that speed does not make it.

    Args:
        claims: The claim's number by column.
        trials: The trials of a study.
        rows: Its epochs.
    """
    setting, seen = varied(trials), looks(trials, rows)
    threshold = accuracy_threshold(seen)
    then = at_accuracy(seen, threshold) if np.isfinite(threshold) else seen.iloc[:0]
    where = f" where training accuracy first reaches {threshold:.0%}" if np.isfinite(threshold) else ""
    return tuple(
        ordered(claim, SHORT[column] + where, then, column, setting, trials) for column, claim in claims.items()
    )


def at_break_even(claims: Mapping[str, str], trials: pd.DataFrame, rows: pd.DataFrame) -> tuple[Verdict, ...]:
    """P3-02: Theorem 1 on networks, at the first look at which Eq. 1 is not met."""
    setting, runs = varied(trials), describe_runs(trials, rows)
    never = int(runs["even"].isna().sum())
    note = f"{never} of {len(runs)} runs never reach it at a look" if never else ""
    return tuple(
        ordered(claim, f"{SHORT[column]} at the break-even point", runs, f"{column}.even", setting, trials, note)
        for column, claim in claims.items()
    )


def near_two_over_lr(trials: pd.DataFrame, rows: pd.DataFrame) -> tuple[Verdict, Verdict]:
    """P3-11: lambda_H^1 is near 2 / lr, at each learning rate; for the largest batch alone where batch sizes vary.

    Its maximum, as the paper has it, is the largest of many looks; P3-11b takes the median behind the break-even point.
    """
    runs, setting = describe_runs(trials, rows), varied(trials)
    largest = setting == "batch_size"
    kept = runs[runs["arm"] == runs["arm"].max()] if largest else runs
    asked = trials[trials["config.batch_size"] == trials["config.batch_size"].max()] if largest else trials
    where = "for the largest batch" if largest else "at each learning rate"
    return (
        _near("P3-11", f"max lambda_H^1 is within a factor of {FACTOR:g} of 2 / lr {where}", kept, HESSIAN, asked),
        _near(
            "P3-11b",
            f"Behind the break-even point the median of lambda_H^1 is within a factor of {FACTOR:g} of 2 / lr {where}",
            kept,
            f"{HESSIAN}.behind",
            asked,
        ),
    )


def early(trials: pd.DataFrame, rows: pd.DataFrame) -> tuple[Verdict, ...]:
    """P3-12: the maxima are reached early."""
    runs = describe_runs(trials, rows)
    return tuple(_early(claim, runs, column, trials) for claim, column in (("P3-12", LARGEST), ("P3-12b", HESSIAN)))


def before_the_drop(trials: pd.DataFrame, rows: pd.DataFrame) -> Verdict:
    """P3-25e: where the learning rate drops in the middle, the maxima of lambda_K^1 lie before the drop."""
    runs = describe_runs(trials, rows)
    statement = "max lambda_K^1 is reached before the learning rate drops"
    return _each_below("P3-25e", statement, runs, LARGEST, 0.5, trials)


def counts(runs: pd.DataFrame, trials: pd.DataFrame) -> dict[str, int]:
    """Runs that count, and what became of the others."""
    known = {"runs": len(runs), "values": int(runs["arm"].nunique()), "seeds": int(runs["seed"].nunique())}
    left_out = len(trials) - len(runs)
    return known | ({"diverged, unfinished or without learning": left_out} if left_out > 0 else {})


def _near(claim: str, statement: str, runs: pd.DataFrame, column: str, trials: pd.DataFrame) -> Verdict:
    test = f"TOST over seeds of the mean log ratio to 2 / lr, within a factor {FACTOR:g}, at each value"
    ratios = np.log(runs[column] * runs["lr"] / 2.0).groupby(runs["arm"])
    effects = {f"{arm:g}": mean_effect(part.dropna()) for arm, part in ratios if part.notna().sum() > 1}
    n = counts(runs, trials)
    if not effects:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note="no value has two runs that learned")
    statistics: dict[str, Quantity] = {
        f"lambda_H^1 lr / 2 at {name}": (float(np.exp(each.difference)), *map(float, np.exp(each.interval(0.90))))
        for name, each in effects.items()
    }
    return Verdict(claim, statement, judge_ratio(effects, float(np.log(FACTOR))), test, statistics, n=n)


def _early(claim: str, runs: pd.DataFrame, column: str, trials: pd.DataFrame) -> Verdict:
    statement = f"max {SHORT[column]} is reached within the first {EARLY_SHARE:.0%} of the epochs"
    return _each_below(claim, statement, runs, column, EARLY_SHARE, trials)


def _each_below(
    claim: str, statement: str, runs: pd.DataFrame, column: str, share: float, trials: pd.DataFrame
) -> Verdict:
    test = f"one-sided t test over seeds, at each value, of {share:g} less the share of the epochs at the maximum"
    shares = (runs[f"{column}.epoch"] / runs["epochs"]).groupby(runs["arm"])
    effects = {f"{arm:g}": _below(part.dropna(), share) for arm, part in shares if part.notna().sum() > 1}
    n = counts(runs, trials)
    if not effects:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note="no value has two runs that learned")
    verdict = judge_all([judge_greater(each, alpha_below=ALPHA / len(effects)) for each in effects.values()])
    statistics: dict[str, Quantity] = {
        f"share of the epochs at {name}": share - e.difference for name, e in effects.items()
    }
    accuracy = runs.groupby("arm")[f"{column}.accuracy"].mean()
    statistics |= {f"training accuracy there at {arm:g}": float(value) for arm, value in accuracy.items()}
    return Verdict(claim, statement, verdict, test, statistics, n=n, note=_rising(runs, column))


def _below(shares: pd.Series, share: float) -> Effect:
    return mean_effect(share - shares.to_numpy(float))


def _rising(runs: pd.DataFrame, column: str) -> str:
    last = int((runs[f"{column}.epoch"] == runs["looked"]).sum())
    return f"at the last look in {last} of {len(runs)} runs" if last else ""
