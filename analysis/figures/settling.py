"""Figures of how the effective learning rate settles: over time, after changes, and against the intrinsic one."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter, StrMethodFormatter

from analysis.figures.style import COLORS, GREY, MARKERS, panels, styled
from analysis.intrinsic_lr.recovery import PREDICTED
from analysis.statistics import Array
from analysis.theory.norm_decay import DecayCourse
from analysis.theory.settled_runs import Settled, last_half
from tune_regimes.theory.effective_lr import equilibrium_effective_lr, equilibrium_gamma, gamma_after

BLOCKS = 120
"""Means of the loss over time that a course is drawn with."""


@styled
def changes_over_time(settled: Mapping[str, Settled], sigma: float) -> Figure:
    """Effective learning rate relative to that before the change, with its prediction, and loss, by change."""
    figure, (left, right) = panels(1, 2, (11.0, 4.4))
    for number, (name, each) in enumerate(settled.items()):
        steps = np.arange(len(each.relative))
        base = equilibrium_effective_lr(each.intrinsic_lr, sigma)
        left.plot(steps, each.relative.mean(axis=1), color=COLORS[number], label=name)
        left.plot(
            steps, each.change.effective_lr_after(steps, each.intrinsic_lr, sigma) / base, "--", color=GREY, lw=1.2
        )
        right.plot(*_blocks(each.after.losses[1:].mean(axis=1)), color=COLORS[number], lw=1.4, label=name)
    right.axhline(float(last_half(each.before.losses).mean()), color=GREY, ls=":", lw=1.2)
    left.axhline(1.0, color=GREY, ls=":", lw=1.2)
    left.set_ylabel("effective lr / before the change")
    right.set_ylabel("training loss")
    for axis in (left, right):
        axis.set_yscale("log")
        axis.set_xlabel("steps since the change")
        _plain(axis.yaxis)
    left.legend(loc="lower right")
    return figure


@styled
def laws(
    courses: Mapping[float, Array],
    intrinsic_lr: float,
    levels: Mapping[float, Array],
    steps: Mapping[float, Array],
    sigma: float,
) -> Figure:
    """What Lemma 5.2 says, dashed, and simulations.

    Args:
        courses: gamma by its start in units of the equilibrium, shape (T, R) each, at one intrinsic learning rate.
        intrinsic_lr: That of the courses.
        levels: Effective learning rates in equilibrium by intrinsic learning rate, shape (R,) each.
        steps: Steps to recover from lr / 10 with wd x 10 by intrinsic learning rate, shape (R,) each.
        sigma: Root of the trace.
    """
    figure, (left, middle, right) = panels(1, 3, (14.0, 4.4))
    _draw_gamma(left, courses, intrinsic_lr, sigma)
    rates = np.array(list(levels))
    settled = [equilibrium_effective_lr(le, sigma) for le in rates.tolist()]
    _marks(middle, rates, levels, 0)
    middle.plot(rates, settled, "--", color=GREY, lw=1.3, label="sqrt(2 le) / sigma")
    middle.set(xlabel="intrinsic learning rate", ylabel="effective lr in equilibrium")
    _marks(right, 1 / rates, steps, 1)
    right.plot(1 / rates, PREDICTED / rates, "--", color=GREY, lw=1.3, label=f"{PREDICTED:.2f} / intrinsic lr")
    right.set(xlabel="1 / intrinsic learning rate (steps)", ylabel="steps until recovered")
    for axis in (middle, right):
        axis.set_xscale("log")
        axis.set_yscale("log")
        _plain(axis.xaxis)
        _plain(axis.yaxis)
        axis.legend(loc="upper left")
    return figure


@styled
def norms(courses: Sequence[DecayCourse], starts: Array, times: Mapping[float, Array]) -> Figure:
    """Squared norms over the steps, a panel per initialisation, and time to settle against gamma_0 by factor K."""
    names = list(dict.fromkeys(course.scale for course in courses))
    figure, axes = panels(1, len(names) + 1, (4.8 * (len(names) + 1), 4.4))
    for axis, name in zip(axes, names, strict=False):
        for number, course in enumerate(course for course in courses if course.scale == name):
            label = f"first lr {course.lr:g}, wd {course.weight_decay:g}"
            axis.plot(course.steps, course.norms_squared, color=COLORS[number], label=label)
        axis.set(title=name, yscale="log", xlabel="step", ylabel="norm(w)^2")
        axis.xaxis.set_major_locator(MultipleLocator(10_000))
    axes[len(names) - 1].legend(loc="lower right")
    for number, (factor, values) in enumerate(times.items()):
        label = f"first at {factor:g} lr" if factor > 1 else "at lr throughout"
        axes[-1].plot(starts, values, color=(GREY, *COLORS)[number], label=label)
    axes[-1].set(xscale="log", xlabel="gamma_0 / equilibrium", ylabel="steps to settle x intrinsic lr")
    axes[-1].legend(loc="best")
    return figure


def _draw_gamma(axis: Axes, courses: Mapping[float, Array], intrinsic_lr: float, sigma: float) -> None:
    unit = equilibrium_gamma(intrinsic_lr, sigma**2, discrete=False)
    for color, (start, values) in zip(COLORS, courses.items(), strict=False):
        steps = np.arange(len(values))
        axis.plot(intrinsic_lr * steps, values.mean(axis=1) / unit, color=color, label=f"gamma_0 = {start:g}")
        predicted = gamma_after(steps, float(values[0].mean()), intrinsic_lr, sigma**2) / unit
        axis.plot(intrinsic_lr * steps, predicted, "--", color=GREY, lw=1.2)
    axis.set(xlim=(0.0, 2.0), yscale="log", xlabel="steps x intrinsic learning rate", ylabel="gamma / equilibrium")
    axis.legend(loc="best")


def _blocks(values: Array) -> tuple[Array, Array]:
    width = max(1, len(values) // BLOCKS)
    count = len(values) // width
    return width * (np.arange(count) + 0.5), values[: count * width].reshape(count, width).mean(axis=1)


def _marks(axis: Axes, places: Array, found: Mapping[float, Array], number: int) -> None:
    for place, values in zip(places, found.values(), strict=True):
        axis.plot(np.full(len(values), place), values, MARKERS[number], color=COLORS[number], ms=4, alpha=0.5, mew=0)


def _plain(axis: Axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
