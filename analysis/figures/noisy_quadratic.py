"""Figures 1 and 3 of AutoDrop: loss and angular velocity on the noisy quadratic model."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, MARKERS, panels, styled
from analysis.statistics import Array
from tune_regimes.theory.angular_velocity import means
from tune_regimes.theory.noisy_quadratic import NoisyQuadratic
from tune_regimes.theory.noisy_quadratic_runs import Descent
from tune_regimes.theory.saturation_rule import NEVER, RuleRun, SaturationRule

ANGLE = "angular velocity (degrees)"
LOSS = "loss without noise"


@styled
def saturation_course(
    model: NoisyQuadratic, runs: Mapping[float, Descent], angles: Mapping[float, Array], window: int
) -> Figure:
    """Loss and angular velocity over iterations, means of blocks and over replicates, with their limits."""
    figure, (upper, lower) = panels(2, 1, (7.0, 6.4), sharex=True)
    for color, (lr, run) in zip(COLORS, runs.items(), strict=False):
        losses = means(run.losses[1:], window).mean(axis=1)
        blocks = window * np.arange(1, len(losses) + 1)
        upper.plot(blocks, losses, color=color, label=f"lr {lr:g}")
        lower.plot(blocks[: len(angles[lr])], angles[lr].mean(axis=1), color=color)
        upper.axhline(model.stationary_loss(lr), color=color, ls="--", lw=1.0)
        lower.axhline(model.angle_limit(lr), color=color, ls="--", lw=1.0)
    upper.set_yscale("log")
    lower.set_xscale("log")
    upper.set_ylabel(LOSS)
    lower.set_ylabel(ANGLE)
    lower.set_xlabel("iteration")
    upper.legend(loc="best")
    return figure


@styled
def levels(model: NoisyQuadratic, found: Mapping[float, Array]) -> Figure:
    """The level of saturation against the learning rate: the limit of Theorem 1, and replicates of the simulation."""
    figure, (axis,) = panels(1, 1, (7.0, 4.2))
    lrs = np.geomspace(5e-4, 0.999 * model.stability_limit, 200)
    axis.plot(lrs, [model.angle_limit(lr) for lr in lrs.tolist()], color=COLORS[0], label="arccos(C*), Theorem 1")
    for number, (lr, values) in enumerate(found.items()):
        label = None if number else "simulation, replicates"
        axis.plot(np.full(len(values), lr), values, MARKERS[1], color=COLORS[1], ms=4, alpha=0.6, label=label)
    for angle in (90.0, 120.0):
        axis.axhline(angle, color=GREY, ls=":", lw=1.0)
    axis.axvline(1.0 / model.curvatures.max(), color=GREY, ls="--", lw=1.0, label="lr max(a) = 1")
    axis.set_xscale("log")
    axis.set_xlabel("learning rate")
    axis.set_ylabel(ANGLE)
    axis.legend(loc="best")
    return figure


@styled
def rule_course(model: NoisyQuadratic, rule: SaturationRule, run: RuleRun, window: int = 20) -> Figure:
    """Loss, mean angular velocity and learning rate of the first replicate over iterations."""
    figure, (upper, middle, lower) = panels(3, 1, (7.0, 8.0), sharex=True)
    losses = means(run.losses[1:, 0], window)
    upper.plot(window * np.arange(1, len(losses) + 1), losses, color=COLORS[0])
    for lr in (rule.lr, rule.min_lr):
        upper.axhline(model.stationary_loss(lr), color=GREY, ls="--", lw=1.0)
    known = np.flatnonzero(np.isfinite(run.mean_velocity[:, 0]))
    middle.plot(1 + known, run.mean_velocity[known, 0], color=COLORS[1], lw=1.0)
    lower.step(np.arange(1, len(run.lrs) + 1), run.lrs[:, 0], where="post", color=COLORS[2])
    for axis in (upper, middle, lower):
        for drop in run.drops[0][run.drops[0] != NEVER]:
            axis.axvline(drop, color=GREY, ls=":", lw=0.8)
    upper.set_yscale("log")
    lower.set_yscale("log")
    lower.set_xscale("log")
    for axis, label in ((upper, LOSS), (middle, f"mean {ANGLE}"), (lower, "learning rate")):
        axis.set_ylabel(label)
    lower.set_xlabel("iteration")
    return figure
