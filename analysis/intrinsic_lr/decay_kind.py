"""Claims P4-19, P4-16 and P4-08 on the study ``decay_kind``: it makes no difference which of the two is halved.

Stretches of epochs without a change are compared in their last quarter. Claims about equilibria take only stretches
that last at least as many steps as `LONG` times 1 / intrinsic lr: exp(-4) of the distance is left by then.

Source: Li, Lyu and Arora, 2020, Sec. 6.2, Fig. 4; Sec. 5.3.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.groups import all_alike, judge_ratio, pair_effect, slope_effect, together, too_few
from analysis.intrinsic_lr.effective_lr import (
    FACTOR,
    MARGIN,
    courses,
    known,
    steps_between,
    stretches,
    tail_of,
    window_means,
)
from analysis.intrinsic_lr.recovery import HALF, RECOVERED, SLOPE, crossing
from analysis.statistics import MARGIN as ACCURACY_MARGIN
from analysis.statistics import Array, Effect, mean_effect
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_equivalence, judge_greater, judge_interval

BY = "config.decays"
ARMS = {"lr": "lr halved", "weight_decay": "weight decay halved"}
LONG = 1.0
FEWEST = 3
SAME = "TOST of the Welch difference at the end of every stretch, margin {0:.3g} of log effective lr"

Stretch = tuple[int, int]


def claims(trials: pd.DataFrame, epochs: pd.DataFrame, margin: float = ACCURACY_MARGIN) -> tuple[Verdict, ...]:
    """The verdicts on the three parts of P4-19, on P4-16 and on P4-08."""
    rows = courses(trials, epochs)
    return (
        same_effective_lr(rows),
        same_accuracy(rows, margin),
        slower_when_smaller(rows),
        falls_by_the_root(rows),
        square_root_law(rows),
    )


def decayed(rows: pd.DataFrame) -> list[Stretch]:
    """The stretches with weight decay, in order; none where no norm is known."""
    if not known(rows):
        return []
    with_decay = set(rows.loc[rows["weight_decay"] > 0, "epoch"])
    return [stretch for stretch in stretches(rows) if stretch[0] in with_decay]


def long_enough(rows: pd.DataFrame) -> list[Stretch]:
    """The stretches with weight decay that last long enough for an equilibrium."""
    return [stretch for stretch in decayed(rows) if _times(rows, stretch) >= LONG]


def same_effective_lr(rows: pd.DataFrame) -> Verdict:
    """P4-19: the effective learning rates of the two arms agree at the end of every stretch."""
    statement = "Halving lr or weight decay gives the same effective lr"
    test = SAME.format(MARGIN)
    groups = {stretch: _late(rows, stretch) for stretch in decayed(rows)}
    n = {name: len(values) for name, values in next(iter(groups.values()), {}).items()}
    reason = next((text for part in groups.values() if (text := too_few(part))), "" if groups else "no weight norms")
    if reason:
        return Verdict("P4-19", statement, UNDECIDED, test, n=n, note=reason)
    effects = {f"epochs {first}-{last}": pair_effect(*part.values()) for (first, last), part in groups.items()}
    statistics: dict[str, Quantity] = {
        f"ratio, {name}": (np.exp(each.difference), *np.exp(each.interval(0.90))) for name, each in effects.items()
    }
    return Verdict("P4-19", statement, judge_ratio(effects, MARGIN), test, statistics, n=n | {"stretches": len(groups)})


def same_accuracy(rows: pd.DataFrame, margin: float = ACCURACY_MARGIN) -> Verdict:
    """P4-19b: accuracies agree, on average over the ends of the stretches, and at their best after the fine-tuning."""
    statement = "Halving lr or weight decay gives the same training and test accuracy"
    parts = {
        name: all_alike("P4-19b", statement, groups, margin, name)
        for name, groups in {
            "train accuracy": _over_stretches(rows, "train_accuracy"),
            "test accuracy": _over_stretches(rows, "test_accuracy"),
            "best test accuracy": _best(rows),
        }.items()
    }
    joint = together("P4-19b", statement, parts)
    statistics = {name: value for part in parts.values() for name, value in part.statistics.items()}
    first = next(iter(parts.values()))
    test = first.test.replace("of train accuracy", "of accuracy")
    return Verdict("P4-19b", statement, joint.verdict, test, statistics, n=first.n, note=joint.note)


def slower_when_smaller(rows: pd.DataFrame) -> Verdict:
    """P4-19c: steps to settle grow with 1 / intrinsic lr.

    Steps until 80 % of the way, in log effective learning rate, from the change to the end of the stretch; one
    observation is the mean over the runs of an arm in a stretch.
    """
    statement = "A smaller intrinsic lr takes longer to stabilise"
    test = "one-sided t test of the slope of log steps to settle over log(1 / intrinsic lr)"
    table = settling(rows)
    n = {"stretches": len(table), "intrinsic lrs": table["intrinsic_lr"].nunique()}
    if n["intrinsic lrs"] < FEWEST:
        return Verdict("P4-19c", statement, UNDECIDED, test, n=n, note=_too_few(n["intrinsic lrs"]))
    effect = slope_effect(-np.log(table["intrinsic_lr"].to_numpy(float)), np.log(table["steps"].to_numpy(float)))
    statistics: dict[str, Quantity] = {"slope": (effect.difference, *effect.interval(0.90))}
    return Verdict("P4-19c", statement, judge_greater(effect), test, statistics, {"greater": effect.p_above()}, n)


def falls_by_the_root(rows: pd.DataFrame) -> Verdict:
    """P4-16: lr / 2 halves the effective lr at once, and in equilibrium divides it by the root of two only."""
    statement = "A divided lr divides the effective lr at once, but its equilibrium by the square root only"
    test = f"TOST of the mean log ratio of successive equilibria, within a factor {FACTOR:g} of 2^-0.5; runs"
    pairs = [
        (a, b) for a, b in zip(stretches(rows), stretches(rows)[1:], strict=False) if {a, b} <= set(long_enough(rows))
    ]
    ratios = _ratios(rows[rows[BY] == "lr"], pairs) if pairs else np.empty(0)
    n = {"runs": len(ratios), "halvings": len(pairs)}
    if len(ratios) < 2:
        return Verdict("P4-16", statement, UNDECIDED, test, n=n, note="too few runs with two equilibria in a row")
    effect = mean_effect(ratios)
    from_law = Effect(effect.difference + np.log(2) / 2, effect.error, effect.dof)
    ratio = (float(np.exp(effect.difference)), *map(float, np.exp(effect.interval(0.90))))
    statistics: dict[str, Quantity] = {"ratio at once": 0.5, "ratio in equilibrium": ratio, "predicted": 2**-0.5}
    return Verdict("P4-16", statement, judge_equivalence(from_law, MARGIN), test, statistics, n=n)


def square_root_law(rows: pd.DataFrame) -> Verdict:
    """P4-08: over the stretches that last long enough, effective lr grows as the square root of the intrinsic lr."""
    statement = "In equilibrium the effective lr grows as the square root of the intrinsic lr"
    found = long_enough(rows)
    rates = np.array([_rate(rows, stretch) for stretch in found])
    test, n = SLOPE.format(*HALF).replace("means over seeds", "means over runs"), {"stretches": len(found)}
    if len(found) < FEWEST:
        return Verdict("P4-08", statement, UNDECIDED, test, n=n, note=_too_few(len(found)))
    means = np.array([np.concatenate(list(_late(rows, stretch).values())).mean() for stretch in found])
    effect = slope_effect(np.log(rates), means)
    slope = (effect.difference, *effect.interval(0.90))
    return Verdict("P4-08", statement, judge_interval(*slope[1:], HALF), test, {"slope": slope}, n=n)


def settling(rows: pd.DataFrame) -> pd.DataFrame:
    """Steps to settle by arm and stretch, for stretches after a change that last long enough.

    Columns: ``arm``, ``intrinsic_lr``, ``steps``.
    """
    later = [stretch for stretch in long_enough(rows) if stretch[0] > 1]
    table = [
        [
            arm,
            _rate(rows, stretch),
            float(np.mean([_steps_to_settle(run, stretch) for _, run in part.groupby("trial_id")])),
        ]
        for arm, part in rows.groupby(BY)
        for stretch in later
    ]
    return pd.DataFrame(table, columns=["arm", "intrinsic_lr", "steps"]).dropna()


def _steps_to_settle(run: pd.DataFrame, stretch: Stretch) -> float:
    before = run[run["epoch"] == stretch[0] - 1].iloc[0]
    inside = run[run["epoch"].between(*stretch)]
    jump = np.log(inside["lr"].iloc[0] / before["lr"])
    course = np.concatenate([[before["log_effective_lr"] + jump], inside["log_effective_lr"].to_numpy(float)])
    steps = np.concatenate([[0.0], inside["step"].to_numpy(float) - before["step"]])
    late = float(run.loc[run["epoch"].between(*tail_of(*stretch)), "log_effective_lr"].mean())
    return crossing(steps, (course - course[0]) / (late - course[0]), RECOVERED)


def _ratios(rows: pd.DataFrame, pairs: Sequence[tuple[Stretch, Stretch]]) -> Array:
    late = [
        rows[rows["epoch"].between(*tail_of(*after))].groupby("trial_id")["log_effective_lr"].mean()
        - rows[rows["epoch"].between(*tail_of(*before))].groupby("trial_id")["log_effective_lr"].mean()
        for before, after in pairs
    ]
    return pd.concat(late, axis=1).mean(axis=1).to_numpy(float)


def _late(rows: pd.DataFrame, stretch: Stretch, column: str = "log_effective_lr") -> dict[str, Array]:
    return window_means(rows, *tail_of(*stretch), column, BY)


def _over_stretches(rows: pd.DataFrame, column: str) -> dict[str, Array]:
    ends = [set(range(first, last + 1)) for first, last in (tail_of(*stretch) for stretch in decayed(rows))]
    inside = rows[rows["epoch"].isin(set().union(*ends))]
    means = inside.groupby([BY, "trial_id"])[column].mean().dropna()
    return {str(arm): part.to_numpy(float) for arm, part in means.groupby(level=0)}


def _best(rows: pd.DataFrame) -> dict[str, Array]:
    best = rows[rows["weight_decay"] == 0].groupby([BY, "trial_id"])["test_accuracy"].max().dropna()
    return {str(arm): part.to_numpy(float) for arm, part in best.groupby(level=0)}


def _rate(rows: pd.DataFrame, stretch: Stretch) -> float:
    return float(rows.loc[rows["epoch"] == stretch[0], "intrinsic_lr"].median())


def _times(rows: pd.DataFrame, stretch: Stretch) -> float:
    return steps_between(rows, *stretch) * _rate(rows, stretch)


def _too_few(count: int) -> str:
    return f"{count} intrinsic learning rates with stretches of {LONG:g} / intrinsic lr or more, {FEWEST} are needed"
