"""Claims P4-33 and P4-08 on the study ``recovery``: the time back to equilibrium is proportional to 1 / intrinsic lr.

At equilibrium the learning rate is divided by ten and the weight decay multiplied by ten. The equilibrium stays the
same, and the effective learning rate is a tenth of it. It counts as recovered where it first reaches 80 % of its mean
over the last quarter before the change: our choice, the paper gives no criterion. For a constant trace of the gradient
noise that takes ln(99 / (0.8^-2 - 1)) / 4 = 1.29 times 1 / intrinsic lr steps.

Source: Li, Lyu and Arora, 2020, App. F.2, Fig. 11, and footnote 2.
"""

import numpy as np
import pandas as pd

from analysis.groups import judge_ratio, slope_effect
from analysis.intrinsic_lr.effective_lr import FACTOR, MARGIN, courses, known, stretches, tail_of
from analysis.statistics import Array, mean_effect
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_interval

RECOVERED = 0.8
JUMP = 0.1
PREDICTED = float(np.log((JUMP**-2 - 1) / (RECOVERED**-2 - 1)) / 4)
"""Steps to recover, times the intrinsic learning rate, by Lemma 5.2."""
LINEAR = (0.8, 1.25)
"""Slopes of log steps over log(1 / intrinsic lr) that count as almost linear."""
HALF = (0.4, 0.6)
"""Slopes of log effective lr over log intrinsic lr that count as one half up to a small factor."""
FEWEST = 3
"""Intrinsic learning rates that a slope needs."""
SLOPE = (
    "90 % t interval of the least-squares slope over intrinsic learning rates (means over seeds) within {0:g} to {1:g}"
)

COLUMNS = ["intrinsic_lr", "before", "steps", "after", "drift", "loss_steps"]


def recoveries(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """One row per completed run.

    Columns: ``intrinsic_lr``; ``before`` and ``after``, the mean log effective learning rates in the last quarters of
    the two phases; ``drift``, the difference of the last two quarters of the first; ``steps`` from the change until it
    is recovered, NaN where it never was; ``loss_steps``, the same for the training loss (:func:`loss_recovery`).
    """
    rows = courses(trials, epochs)
    if not known(rows):
        return pd.DataFrame(columns=COLUMNS, dtype=float)
    return pd.DataFrame([_recovery(part) for _, part in rows.groupby("trial_id")], columns=COLUMNS).dropna(
        subset=["before"]
    )


def crossing(steps: Array, values: Array, level: float) -> float:
    """The step at which values, joined by lines, first reach a level; NaN where they never do.

    Examples:
        >>> crossing(np.array([0.0, 10.0, 20.0]), np.array([0.0, 1.0, 3.0]), 2.0)
        15.0
    """
    above = np.flatnonzero(values >= level)
    if not len(above):
        return float("nan")
    index = int(above[0])
    if index == 0:
        return float(steps[0])
    share = (level - values[index - 1]) / (values[index] - values[index - 1])
    return float(steps[index - 1] + share * (steps[index] - steps[index - 1]))


def loss_recovery(steps: Array, losses: Array, level: float) -> float:
    """Steps until a training loss, which falls at first, is back: 80 % of the way from its lowest to its old level."""
    lowest = int(np.argmin(losses))
    goal = losses[lowest] + RECOVERED * (level - losses[lowest])
    return crossing(steps[lowest:], losses[lowest:], goal) if level > losses[lowest] else float("nan")


def almost_linear(table: pd.DataFrame) -> Verdict:
    """P4-33: the slope of log steps to recover over log(1 / intrinsic lr) is about 1."""
    statement = "The steps back to equilibrium grow almost linearly with 1 / (lr x weight decay)"
    means = _means(table, "steps")
    slope = _slope(-np.log(means.index.to_numpy(float)), np.log(means.to_numpy(float)))
    test, n = SLOPE.format(*LINEAR), _counts(table, "steps")
    if slope is None:
        return Verdict("P4-33", statement, UNDECIDED, test, n=n, note=_too_few(len(means)))
    times = (means.index.to_numpy(float) * means).mean()
    statistics: dict[str, Quantity] = {"slope": slope, "steps x intrinsic lr": float(times), "predicted": PREDICTED}
    loss = _means(table, "loss_steps")
    by_loss = _slope(-np.log(loss.index.to_numpy(float)), np.log(loss.to_numpy(float)))
    statistics |= {"slope by training loss": by_loss} if by_loss else {}
    return Verdict("P4-33", statement, judge_interval(*slope[1:], LINEAR), test, statistics, n=n, note=_drift(table))


def returns_to_the_same(table: pd.DataFrame) -> Verdict:
    """P4-33b: after the change the effective learning rate comes back to where it was."""
    statement = "With lr / 10 and weight decay x 10 the effective lr returns to its equilibrium"
    test = f"TOST, at each intrinsic lr, of the mean log ratio after / before, within a factor {FACTOR:g}"
    ratio = (table["after"] - table["before"]).groupby(table["intrinsic_lr"])
    effects = {f"{rate:g}": mean_effect(part) for rate, part in ratio if len(part) > 1}
    n = _counts(table, "after")
    if not effects:
        return Verdict("P4-33b", statement, UNDECIDED, test, n=n, note="at least two seeds of a point are needed")
    statistics: dict[str, Quantity] = {
        f"ratio at {name}": (np.exp(each.difference), *np.exp(each.interval(0.90))) for name, each in effects.items()
    }
    return Verdict("P4-33b", statement, judge_ratio(effects, MARGIN), test, statistics, n=n)


def square_root_law(table: pd.DataFrame) -> Verdict:
    """P4-08: in equilibrium the effective learning rate is proportional to the square root of the intrinsic one."""
    statement = "In equilibrium the effective lr grows as the square root of the intrinsic lr"
    means = _means(table, "before")
    slope = _slope(np.log(means.index.to_numpy(float)), means.to_numpy(float))
    test, n = SLOPE.format(*HALF), _counts(table, "before")
    if slope is None:
        return Verdict("P4-08", statement, UNDECIDED, test, n=n, note=_too_few(len(means)))
    return Verdict(
        "P4-08", statement, judge_interval(*slope[1:], HALF), test, {"slope": slope}, n=n, note=_drift(table)
    )


def claims(trials: pd.DataFrame, epochs: pd.DataFrame) -> tuple[Verdict, ...]:
    """The verdicts on P4-33, its second half, and P4-08."""
    table = recoveries(trials, epochs)
    return almost_linear(table), returns_to_the_same(table), square_root_law(table)


def _recovery(run: pd.DataFrame) -> list[float]:
    (first, second) = [*stretches(run), (0, -1), (0, -1)][:2]
    if second[1] < second[0]:
        return [float("nan")] * len(COLUMNS)
    phases = [run[run["epoch"].between(*stretch)] for stretch in (first, second)]
    before, loss = (_late(run, first, column) for column in ("log_effective_lr", "train_loss"))
    earlier = _late(run, (first[0], tail_of(*first)[0] - 1), "log_effective_lr")
    started = float(phases[0]["step"].iloc[-1])
    # A change of lr acts at once, while the norm is what it was: a tenth of the last value before it.
    at_change = float(phases[0]["log_effective_lr"].iloc[-1]) + np.log(JUMP)
    steps = np.concatenate([[0.0], phases[1]["step"].to_numpy(float) - started])
    course = np.concatenate([[at_change], phases[1]["log_effective_lr"].to_numpy(float)])
    losses = phases[1]["train_loss"].to_numpy(float)
    return [
        float(phases[0]["intrinsic_lr"].iloc[0]),
        before,
        crossing(steps, course, before + np.log(RECOVERED)),
        _late(run, second, "log_effective_lr"),
        before - earlier,
        loss_recovery(steps[1:], losses, loss),
    ]


def _late(run: pd.DataFrame, stretch: tuple[int, int], column: str) -> float:
    return float(run.loc[run["epoch"].between(*tail_of(*stretch)), column].mean())


def _means(table: pd.DataFrame, column: str) -> pd.Series:
    """The mean over seeds by intrinsic learning rate, where every seed has one (a geometric mean of positive steps)."""
    rates = table["intrinsic_lr"].map(lambda rate: float(f"{rate:.9g}"))
    grouped = table[column].astype(float).groupby(rates)
    whole = grouped.apply(lambda values: bool(values.notna().all()))
    return grouped.mean()[whole] if len(table) else pd.Series(dtype=float)


def _slope(x: Array, y: Array) -> tuple[float, float, float] | None:
    if len(np.unique(x)) < FEWEST:
        return None
    effect = slope_effect(x, y)
    return (effect.difference, *effect.interval(0.90))


def _counts(table: pd.DataFrame, column: str) -> dict[str, int]:
    never = int(table[column].isna().sum())
    counts = {"runs": len(table), "intrinsic lrs": len(_means(table, column))}
    return counts | ({"never recovered": never} if never else {})


def _drift(table: pd.DataFrame) -> str:
    unsettled = sorted({f"{row.intrinsic_lr:.3g}" for row in table.itertuples() if abs(row.drift) > MARGIN})
    return f"not in equilibrium before the change at {', '.join(unsettled)}" if unsettled else ""


def _too_few(count: int) -> str:
    return f"{count} intrinsic learning rates with a recovery in every seed, at least {FEWEST} are needed"
