"""Claim P1-07 on the study ``angular_velocity``: how the angle between successive epochs saturates, by learning rate.

The angular velocity of an epoch is the angle, in degrees, between its displacement and that of the epoch before
(Def. 1). Runs are the units: what is asked of every learning rate is tested over its seeds, what is asked of their
order over the slopes of the seeds.

Source: Teng, Wang and Choromanska, AutoDrop, Sec. 3, Fig. 2.
"""

from collections.abc import Mapping
from typing import cast

import numpy as np
import pandas as pd

from analysis.statistics import ALPHA, Array, Effect, mean_effect
from analysis.tables import configs
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_all, judge_greater
from tune_regimes.results.curves import loss_curves

OMEGA = "angular_velocity"
LATE_SHARE = 0.25
"""Share of the whole rise that a curve which saturates may make after its middle third; a straight line makes 0.43."""
REACHED = 0.9
"""Share of the rise at which a curve counts as saturated."""
RIGHT_ANGLE = 90.0

EACH = "one-sided t test over seeds at each learning rate"
SLOPE = "one-sided t test over seeds of the slope of {what} over log10(lr)"

MEASURES = ("rise", "late_rise", "level", "noise", "epoch", "slowing")
"""What :func:`saturation` says of a run."""

Runs = pd.DataFrame


def saturation(omega: Array, loss: Array) -> dict[str, float]:
    """What one run says about saturation.

    Args:
        omega: Angular velocity of epochs 1, 2, ..., in degrees; the first is not a number.
        loss: Training loss of the same epochs.

    Returns:
        ``rise``: mean of the last third less mean of the first tenth. ``late_rise``: last third less middle third.
        ``level``: mean of the last third. ``noise``: standard deviation of the change from epoch to epoch in the last
        third. ``epoch``: the first, from 1, at which `REACHED` of the rise is made. ``slowing``: fall of the loss per
        epoch before that epoch less after it. NaN where there is too little to tell.

    Examples:
        >>> curve = 90 - 60 * np.exp(-np.arange(61) / 6)
        >>> found = saturation(np.append(np.nan, curve), np.exp(-np.arange(62) / 6))
        >>> round(found["level"]), round(found["epoch"]), round(found["late_rise"], 1)
        (90, 19, 0.5)
    """
    curve = omega[1:]
    if len(curve) < 9 or not np.isfinite(curve).all():
        return dict.fromkeys(MEASURES, float("nan"))
    start = float(curve[: max(1, len(curve) // 10)].mean())
    _, middle, last = (part for part in np.array_split(curve, 3))
    level = float(last.mean())
    reached = np.flatnonzero(curve >= start + REACHED * (level - start))
    epoch = int(reached[0]) + 2 if len(reached) and level > start else len(omega)
    values = (level - start, level - float(middle.mean()), level, float(np.diff(last).std(ddof=1)), float(epoch))
    return dict(zip(MEASURES, (*values, _slowing(loss, epoch)), strict=True))


def describe_saturation(trials: pd.DataFrame, epochs: pd.DataFrame) -> Runs:
    """One row per run, with its ``lr``, ``seed`` and what :func:`saturation` says: nothing of one not completed."""
    columns = ["lr", "seed", *MEASURES]
    if OMEGA not in epochs:
        return pd.DataFrame(columns=columns)
    omega, loss = loss_curves(trials, epochs, OMEGA), loss_curves(trials, epochs)
    measured = [(*run, *saturation(_values(omega, run), _values(loss, run)).values()) for run in omega.index]
    runs = pd.DataFrame(measured, columns=["point", "seed", *MEASURES]).set_index(["point", "seed"])
    every = trials.merge(configs(trials)["lr"], left_on="point", right_index=True)[["point", "seed", "lr"]]
    return every.join(runs, on=["point", "seed"])[columns]


def claims(trials: pd.DataFrame, epochs: pd.DataFrame) -> tuple[Verdict, ...]:
    """The verdicts on the parts of P1-07."""
    runs = describe_saturation(trials, epochs)
    return (saturates(runs), slows_down(runs), lower_level(runs), slower(runs), below_right_angle(runs), noisier(runs))


def saturates(runs: Runs) -> Verdict:
    """P1-07: property P1, first half."""
    statement = "At each learning rate the angular velocity rises at first and then saturates"
    test = f"{EACH} of the rise, and of {LATE_SHARE:g} of it less the rise after the middle third"
    rises, late = by_lr(runs, "rise"), by_lr(runs, "rise", lambda part: LATE_SHARE * part["rise"] - part["late_rise"])
    return _of_each("P1-07", statement, test, {"rise": rises, "early": late}, runs)


def slows_down(runs: Runs) -> Verdict:
    """P1-07b: property P1, second half."""
    statement = "Once the angular velocity has saturated, the training loss falls more slowly than before"
    parts = {"slowing": by_lr(runs, "slowing")}
    return _of_each("P1-07b", statement, f"{EACH} of the loss's fall per epoch, before less after", parts, runs)


def lower_level(runs: Runs) -> Verdict:
    """P1-07c: property P2 ii."""
    statement = "The smaller the learning rate, the lower the level at which the angular velocity saturates"
    return _of_slopes("P1-07c", statement, "the level (degrees per decade)", slopes(runs, "level"), runs)


def slower(runs: Runs) -> Verdict:
    """P1-07d: property P2 iii."""
    statement = "The smaller the learning rate, the later the angular velocity saturates"
    what = "log10(epoch of saturation), sign turned"
    return _of_slopes("P1-07d", statement, what, -slopes(runs, "epoch", log=True), runs)


def below_right_angle(runs: Runs) -> Verdict:
    """P1-07e: where property P2 iv breaks; the paper prints iii, for what is iv in its list."""
    statement = "At the smallest learning rate the angular velocity saturates below 90 degrees"
    test = "one-sided t test over seeds of 90 degrees less the level"
    smallest = runs[runs["lr"] == runs["lr"].min()]
    parts = {"90 - level": by_lr(smallest, "level", lambda part: RIGHT_ANGLE - part["level"])}
    return _of_each("P1-07e", statement, test, parts, smallest)


def noisier(runs: Runs) -> Verdict:
    """P1-07f: what sets deep networks apart from the noisy quadratic model."""
    statement = "The smaller the learning rate, the noisier the angular velocity once it has saturated"
    what = "log10(standard deviation of its change), sign turned"
    return _of_slopes("P1-07f", statement, what, -slopes(runs, "noise", log=True), runs)


def by_lr(runs: Runs, column: str, value: object = None) -> dict[float, Effect]:
    """The mean over seeds of a column, or of a function of the runs, at each learning rate that has two seeds."""
    known = runs.dropna(subset=column)
    values = value if callable(value) else lambda part: part[column]
    parts = {cast(float, lr): part for lr, part in known.groupby("lr")}
    return {lr: mean_effect(values(part).to_numpy(float)) for lr, part in parts.items() if len(part) > 1}


def slopes(runs: Runs, column: str, *, log: bool = False) -> Array:
    """Least-squares slope of a column over log10(lr) for each seed with three learning rates or more, shape [seeds]."""
    known = runs.dropna(subset=column)
    known = known[known[column] > 0] if log else known
    parts = [part for _, part in known.groupby("seed") if len(part) > 2]
    return np.array([_slope(part["lr"], np.log10(part[column]) if log else part[column]) for part in parts])


def _slope(lr: pd.Series, values: pd.Series) -> float:
    return float(np.polyfit(np.log10(lr.to_numpy(float)), values.to_numpy(float), 1)[0])


def _of_each(claim: str, statement: str, test: str, parts: Mapping[str, Mapping[float, Effect]], runs: Runs) -> Verdict:
    """Holds where each effect at each learning rate is above zero; a contrary is asked for at a share of the level."""
    effects = {f"{name} at {lr:g}": effect for name, part in parts.items() for lr, effect in part.items()}
    n = _counts(runs)
    if not effects:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note="no learning rate has two runs to tell from")
    verdict = judge_all([judge_greater(effect, alpha_below=ALPHA / len(effects)) for effect in effects.values()])
    statistics: dict[str, Quantity] = {
        name: (effect.difference, *effect.interval(0.90)) for name, effect in effects.items()
    }
    weakest = max(effects, key=lambda name: effects[name].p_above())
    return Verdict(claim, statement, verdict, test, statistics, {weakest: effects[weakest].p_above()}, n)


def _of_slopes(claim: str, statement: str, what: str, found: Array, runs: Runs) -> Verdict:
    test, n = SLOPE.format(what=what), _counts(runs)
    if len(found) < 2:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note="two seeds with three learning rates are needed")
    effect = mean_effect(found)
    statistics: dict[str, Quantity] = {"slope": (effect.difference, *effect.interval(0.90))}
    return Verdict(claim, statement, judge_greater(effect), test, statistics, {"slope": effect.p_above()}, n)


def _counts(runs: Runs) -> dict[str, int]:
    known = runs.dropna()
    counts = {"runs": len(known), "learning rates": known["lr"].nunique(), "seeds": known["seed"].nunique()}
    return counts | ({"runs left out": left_out} if (left_out := len(runs) - len(known)) else {})


def _slowing(loss: Array, epoch: int) -> float:
    if not 1 < epoch < len(loss):
        return float("nan")
    return float((loss[0] - loss[epoch - 1]) / (epoch - 1) - (loss[epoch - 1] - loss[-1]) / (len(loss) - epoch))


def _values(curves: pd.DataFrame, run: object) -> Array:
    return cast(Array, curves.loc[cast(str, run)].to_numpy(float))
