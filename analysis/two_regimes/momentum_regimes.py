"""Claims P0-03 to P0-05 and P0-10 on the study ``momentum``: how the loss falls in each regime, and what momentum is.

A run's loss is the mean training loss of its last epoch. The regimes are compared seed by seed. Which gradient enters
the scale of Eq. 4 the paper does not say; here it is that of a mini-batch at the same weights. The alignment has the
corrected sign (:mod:`tune_regimes.probes.momentum`), and the text of Sec. 3.1, which swaps the names of both measures,
is read as their equations and the caption of Fig. 3 have them.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Secs. 3.1 and 3.2, Figs. 1 and 3.
"""

from typing import cast

import numpy as np
import pandas as pd

from analysis.chosen_lrs import held_out
from analysis.pairs import FEWEST, Pairs, less
from analysis.statistics import mean_effect
from analysis.two_regimes.regime_courses import (
    NAMES,
    arm,
    by_arm,
    falls_with_momentum,
    final_losses,
    largest_is_worst,
    over_momenta,
    rises_more_often,
    rising_shares,
    run_courses,
)
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_equivalence, judge_greater
from search_spaces.two_regimes_momentum import LARGE, SMALL
from tune_regimes.results.regimes import FALLING

ALIGNMENT, SCALE = "momentum_alignment", "momentum_scale"
AROUND_ZERO = 0.1
"""Mean alignments up to this one, in either direction, are around 0."""
PRINTED_SPEED = 2.0
"""Times that B was faster than A (Sec. 3.2)."""

OTHER_LOSSES = (10.0, 3.0, 1.0, 0.5, 0.2)
"""Multiples of the threshold of P0-05 for which it is told too."""

ALMOST_EACH = f"one-sided t test over seeds that the share of falling epochs is above {FALLING:g}"
SOONER = "one-sided t test over seeds of the logarithm of the ratio of epochs, each regime at its fastest momentum"
ZERO = f"TOST of the mean alignment over seeds, margin {AROUND_ZERO:g}"


def claims(trials: pd.DataFrame, epochs: pd.DataFrame, threshold: float) -> tuple[Verdict, ...]:
    """P0-03 to P0-05 and P0-10, in their parts.

    Args:
        trials: The trials of the study.
        epochs: Their epochs, with the columns of the momentum probe for P0-10.
        threshold: Training loss of P0-05, in nats.
    """
    losses, shares = final_losses(trials, epochs), rising_shares(trials, epochs)
    return (
        largest_is_worst("P0-03", losses),
        rises_more_often("P0-03b", shares),
        falls_with_momentum("P0-04", losses),
        small_is_best(losses),
        almost_always_falls(shares),
        small_is_sooner(epochs_to(trials, epochs, threshold), threshold),
        *_momentum_claims(trials, epochs),
    )


def small_is_best(losses: pd.DataFrame) -> Verdict:
    """P0-04b: the best loss is that of B, each regime at the momentum that is best on the other seeds."""
    statement = "The best training loss is found in regime B, in as many steps that are smaller"
    pairs = Pairs(held_out(arm(losses, SMALL)), held_out(arm(losses, LARGE)), ("loss in B", "A"))
    return less("P0-04b", statement, pairs)


def almost_always_falls(shares: pd.DataFrame) -> Verdict:
    """P0-04c: in B the loss falls in almost each epoch, averaged over momenta."""
    statement = f"In regime B the training loss falls in at least {FALLING:.0%} of the epochs"
    falling = 1 - over_momenta(shares, SMALL).dropna()
    n = {"seeds": len(falling)}
    if len(falling) < FEWEST:
        return Verdict("P0-04c", statement, UNDECIDED, ALMOST_EACH, n=n, note=_few(len(falling)))
    effect = mean_effect(falling)
    statistics: dict[str, Quantity] = {"share": (effect.difference, *effect.interval(0.90))}
    p_values = {"above": effect.p_above(FALLING)}
    return Verdict("P0-04c", statement, judge_greater(effect, FALLING), ALMOST_EACH, statistics, p_values, n)


def epochs_to(trials: pd.DataFrame, epochs: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Epochs until the training loss is at the threshold or below, by (regime, momentum) and seed.

    They are infinite where it never is, or the run diverged.
    """
    courses = run_courses(trials, epochs)
    reached = courses <= threshold
    first = reached.idxmax(axis=1).astype(float).where(reached.any(axis=1), np.inf)
    return by_arm(first, trials, np.inf)


def small_is_sooner(times: pd.DataFrame, threshold: float) -> Verdict:
    """P0-05: B reaches the threshold in fewer epochs than A.

    A regime that does not reach it is taken to do so one epoch after the longest time that was seen: at the earliest.

    Args:
        times: From :func:`epochs_to`.
        threshold: Training loss in nats.
    """
    statement = f"Regime B reaches a training loss of {threshold:g} in fewer epochs than A"
    fastest = pd.DataFrame({regime: arm(times, regime).min() for regime in (LARGE, SMALL)}).dropna()
    reached = fastest < np.inf
    n = {"seeds": len(fastest), "reached in A": int(reached[LARGE].sum()), "reached in B": int(reached[SMALL].sum())}
    known = fastest[reached.any(axis=1)]
    if len(known) < FEWEST:
        note = f"{len(known)} seeds reach it in either regime, at least {FEWEST} are needed"
        return Verdict("P0-05", statement, UNDECIDED, SOONER, n=n, note=note)
    latest = float(known.where(known < np.inf).max().max()) + 1
    bounded = known.clip(upper=latest)
    effect = mean_effect(np.log(bounded[LARGE] / bounded[SMALL]))
    low, high = effect.interval(0.90)
    statistics: dict[str, Quantity] = {
        "epochs in A / in B": (float(np.exp(effect.difference)), float(np.exp(low)), float(np.exp(high))),
        "as printed": PRINTED_SPEED,
    }
    note = (
        "" if reached.loc[known.index].to_numpy().all() else "a regime that never reaches it counts as one epoch late"
    )
    return Verdict("P0-05", statement, judge_greater(effect), SOONER, statistics, {"fewer": effect.p_above()}, n, note)


def speed_lines(trials: pd.DataFrame, epochs: pd.DataFrame, threshold: float) -> list[str]:
    """P0-05 in words, a line for each of several losses: which regime is sooner may depend on it."""
    losses = [factor * threshold for factor in OTHER_LOSSES]
    judged = [small_is_sooner(epochs_to(trials, epochs, loss), loss) for loss in losses]
    return [
        f"loss {loss:.2g}: {each.measured or each.note} ({each.counted})"
        for loss, each in zip(losses, judged, strict=True)
    ]


def alignments(trials: pd.DataFrame, epochs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means over epochs of the alignment and of its absolute value, by (regime, momentum) and seed."""
    courses = run_courses(trials, epochs, ALIGNMENT)
    return by_arm(courses.mean(axis=1), trials), by_arm(courses.abs().mean(axis=1), trials)


def scales(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """Geometric means over epochs of the scale, by (regime, momentum) and seed.

    An arithmetic mean of ratios would be that of the few epochs in which a mini-batch has next to no gradient.
    """
    courses = run_courses(trials, epochs, SCALE)
    return by_arm(np.exp(np.log(courses.where(courses > 0)).mean(axis=1)), trials)


def points_more_to_the_end(sizes: pd.DataFrame) -> Verdict:
    """P0-10: at the largest momentum the mean of abs(alignment) is larger in B."""
    statement = "The momentum is aligned more with the way to the final weights in regime B than in A"
    return less("P0-10", statement, _at_largest(sizes, "mean absolute alignment in"))


def accumulates_more(table: pd.DataFrame) -> Verdict:
    """P0-10b: at the largest momentum the mean scale is larger in B."""
    statement = "The momentum is larger against the gradient in regime B than in A"
    return less("P0-10b", statement, _at_largest(table, "mean scale in"))


def around_zero(signed: pd.DataFrame) -> Verdict:
    """P0-10c: in A the alignment oscillates around 0, at the largest momentum."""
    statement = f"In regime A the mean alignment is 0 within {AROUND_ZERO:g}"
    known = arm(signed, LARGE).iloc[-1:].stack().dropna()
    n = {"seeds": len(known)}
    if len(known) < FEWEST:
        return Verdict("P0-10c", statement, UNDECIDED, ZERO, n=n, note=_few(len(known)))
    effect = mean_effect(known)
    statistics: dict[str, Quantity] = {"mean alignment": (effect.difference, *effect.interval(0.90))}
    p_values = {"TOST": effect.p_within(AROUND_ZERO)}
    return Verdict("P0-10c", statement, judge_equivalence(effect, AROUND_ZERO), ZERO, statistics, p_values, n)


def momentum_lines(trials: pd.DataFrame, epochs: pd.DataFrame) -> list[str]:
    """Alignment and scale in words, one line per regime and momentum: means over epochs and seeds."""
    if not {ALIGNMENT, SCALE} <= set(epochs):
        return ["the momentum probe did not look"]
    aligned, scaled = alignments(trials, epochs)[0].mean(axis=1), scales(trials, epochs).mean(axis=1)
    arms = cast("list[tuple[str, float]]", list(aligned.index))
    return [
        f"regime {NAMES[regime]}, momentum {momentum:g}: alignment {aligned[regime, momentum]:.3f}, "
        f"scale {scaled[regime, momentum]:.3f}; {1 / (1 - momentum):.3g} if successive gradients were equal, "
        f"{1 / np.sqrt(1 - momentum**2):.3g} if they were uncorrelated"
        for regime, momentum in arms
    ]


def _momentum_claims(trials: pd.DataFrame, epochs: pd.DataFrame) -> tuple[Verdict, ...]:
    seen = epochs.reindex(columns=[*epochs.columns, *({ALIGNMENT, SCALE} - set(epochs))])
    signed, absolute = alignments(trials, seen)
    return points_more_to_the_end(absolute), accumulates_more(scales(trials, seen)), around_zero(signed)


def _at_largest(table: pd.DataFrame, name: str) -> Pairs:
    """A and B at the largest momentum."""
    large, small = (arm(table, regime).iloc[-1:].sum(min_count=1) for regime in (LARGE, SMALL))
    return Pairs(large, small, (f"{name} A", "B"))


def _few(seeds: int) -> str:
    return f"{seeds} seeds completed, at least {FEWEST} are needed"
