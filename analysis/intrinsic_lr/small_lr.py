"""Claims P4-14 on the study ``small_lr`` and P4-15 on ``levels``: small learning rates from the start are as good.

Source: Li, Lyu and Arora, 2020, Secs. 5.3 and 6, Figs. 2 and 10.
"""

import numpy as np
import pandas as pd

from analysis.groups import pair_effect, slope_effect, too_few
from analysis.statistics import MARGIN, Array
from analysis.tables import by_seed, configs
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_greater

REACHES = "one-sided Welch test of final test accuracy, small - {0} > -{1:g}"
RISES = "one-sided t test of the slope of final test accuracy over log10(1 / lr); runs"
FEWEST_LEVELS = 3


def claims(trials: pd.DataFrame, margin: float = MARGIN) -> tuple[Verdict, ...]:
    """P4-14 against the baseline, and against the same long schedule after a large start."""
    groups = accuracies(trials)
    small = next((label for label in groups if starts_small(label)), None)
    large = sorted((label for label in groups if not starts_small(label)), key=last_drop)
    baseline, long = (large[0] if large else None), (large[-1] if len(large) > 1 else None)
    statement = "A small lr from the start, for long, reaches the baseline's test accuracy"
    then = "A large start makes no better what a small lr from the start reaches in as many epochs"
    return (
        _reaches("P4-14", statement, groups, small, baseline, margin),
        _reaches("P4-14b", then, groups, small, long, margin),
    )


def accuracies(trials: pd.DataFrame, setting: str = "label") -> dict[str, Array]:
    """Final test accuracies of the completed seeds by the value of a setting."""
    values, names = by_seed(trials).replace(-np.inf, np.nan), configs(trials)[setting]
    pooled = {str(name): values.loc[part.index].to_numpy(float).ravel() for name, part in names.groupby(names)}
    return {name: each[np.isfinite(each)] for name, each in pooled.items() if np.isfinite(each).any()}


def starts_small(label: str) -> bool:
    """Whether a label divides its learning rate before training begins.

    Examples:
        >>> starts_small("wd_lr_0_0_5000"), starts_small("wd_0_lr_80_120")
        (True, False)
    """
    return label.partition("_lr")[2].split("_")[1:2] == ["0"]


def last_drop(label: str) -> int:
    """The last epoch at which a label's learning rate is divided; 0 where it never is.

    Examples:
        >>> last_drop("wd_lr_80_120"), last_drop("wd_5_lr")
        (120, 0)
    """
    return max((int(number) for number in label.partition("_lr")[2].split("_")[1:]), default=0)


def _reaches(
    claim: str, statement: str, groups: dict[str, Array], small: str | None, other: str | None, margin: float
) -> Verdict:
    test = REACHES.format(other, margin)
    compared = {label: groups[label] for label in (small, other) if label is not None}
    n = {label: len(values) for label, values in compared.items()}
    if reason := too_few(compared):
        return Verdict(claim, statement, UNDECIDED, test, n=n, note=reason)
    effect = pair_effect(*compared.values())
    statistics: dict[str, Quantity] = {label: float(values.mean()) for label, values in compared.items()}
    statistics["difference"] = (effect.difference, *effect.interval(0.90))
    return Verdict(
        claim, statement, judge_greater(effect, -margin), test, statistics, {"reaches": effect.p_above(-margin)}, n
    )


def better_from_smaller(trials: pd.DataFrame) -> Verdict:
    """P4-15: after lr / 10, the smaller the intrinsic learning rate of the equilibrium was, the better the accuracy."""
    statement = "The equilibrium of a smaller intrinsic lr gives a higher test accuracy after lr / 10"
    groups = {float(level): values for level, values in accuracies(trials, "lr").items()}
    n = {"lrs": len(groups), "runs": sum(map(len, groups.values()))}
    if len(groups) < FEWEST_LEVELS or n["runs"] < len(groups) + 2:
        return Verdict(
            "P4-15", statement, UNDECIDED, RISES, n=n, note=f"at least {FEWEST_LEVELS} lrs with seeds are needed"
        )
    x = np.concatenate([np.full(len(values), -np.log10(level)) for level, values in groups.items()])
    effect = slope_effect(x, np.concatenate(list(groups.values())))
    statistics: dict[str, Quantity] = {"slope per decade": (effect.difference, *effect.interval(0.90))}
    statistics |= {f"at lr {level:g}": float(values.mean()) for level, values in sorted(groups.items())}
    return Verdict("P4-15", statement, judge_greater(effect), RISES, statistics, {"greater": effect.p_above()}, n)
