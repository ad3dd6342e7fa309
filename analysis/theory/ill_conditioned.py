"""Toy experiment of Two Regimes: heavy ball on a quadratic with condition number 1e5, Figs. 2 and 14, P0-06 to P0-09.

Everything is computed; nothing is left to chance but the start, which is drawn once.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 2, C.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.document import Plate
from analysis.figures.ill_conditioned import courses, grid_map
from analysis.statistics import Array
from analysis.theory.experiments import Experiment, Findings, exact
from analysis.verdicts import Verdict
from tune_regimes.theory.heavy_ball import Quadratic, Trace, conditioned, run, scale_limit, stability_edge
from tune_regimes.theory.quadratic_grid import (
    LR_RANGE_PRINTED,
    STEPS,
    best_lrs,
    log_losses,
    log_losses_by_iteration,
    lr_grid,
    momentum_grid,
)

SOURCE = "Leclerc and Madry, The Two Regimes of Deep Network Training (2020), Sec. 2, C.3"
MOMENTUMS = (0.0, 0.5, 0.9, 0.95)
"""Of Fig. 2."""
ALIGNED = 0.9
"""Cosines from here on count as near 1."""
SCALE_ERROR = 0.05
"""Largest relative difference of a scale from its limit that counts as none."""
CHECKED = 4
"""Every such row and column of the grid is computed step by step too."""


@dataclass(frozen=True)
class Runs:
    """The grid of Fig. 14, and the runs of Fig. 2 at the best learning rate of each momentum.

    Args:
        quadratic: What is minimised.
        start: w_0 in the eigenbasis, shape (n,).
        points: Learning rates, and momentums, of the grid.
        steps: Updates.
    """

    quadratic: Quadratic
    start: Array
    points: int = 50
    steps: int = STEPS

    @cached_property
    def grid(self) -> Array:
        """Log loss after the last step, shape (learning rates, momentums)."""
        return log_losses(self.quadratic, self.start, lr_grid(self.points), momentum_grid(self.points), self.steps)

    @property
    def edge(self) -> Array:
        """The learning rate at which each momentum of the grid stops converging."""
        return stability_edge(momentum_grid(self.points), self.quadratic.hessian.max())

    @cached_property
    def best(self) -> Mapping[float, float]:
        """The best learning rate of the grid for each momentum of Fig. 2."""
        lrs = lr_grid(self.points)
        found = best_lrs(lrs, log_losses(self.quadratic, self.start, lrs, MOMENTUMS, self.steps))
        return dict(zip(MOMENTUMS, found.tolist(), strict=True))

    @cached_property
    def traces(self) -> Mapping[float, Trace]:
        """The run of each momentum at its best learning rate."""
        return {
            mu: run(self.quadratic, self.start, lr=lr, momentum=mu, steps=self.steps) for mu, lr in self.best.items()
        }


def aligns(runs: Runs) -> Verdict:
    """P0-06: the alignment of Eq. 3, with the sign that its text means."""
    statement = "The alignment goes to 1 on a convex function, at every momentum"
    last = {f"after the last step, momentum {mu:g}": float(t.alignments[-1]) for mu, t in runs.traces.items()}
    test = f"cosine of the step with the way to the optimum after the last step, {ALIGNED:g} or more"
    note = "as printed, Eq. 3 has the opposite sign and tends to -1"
    return exact("P0-06", statement, test, min(last.values()) >= ALIGNED, last, note, iterations=runs.steps)


def scales(runs: Runs) -> Verdict:
    """P0-07: the scale of Eq. 4 tends to 1 / (1 - mu)."""
    statement = "The scale goes to 1 / (1 - mu) on a convex function"
    ratios = {
        f"scale (1 - mu), momentum {mu:g}": float(t.scales[-1]) / scale_limit(mu) for mu, t in runs.traces.items()
    }
    right = max(abs(ratio - 1) for ratio in ratios.values()) <= SCALE_ERROR
    test = f"scale after the last step within {SCALE_ERROR:.0%} of the limit"
    return exact("P0-07", statement, test, right, ratios, iterations=runs.steps)


def momentum_helps(runs: Runs) -> Verdict:
    """P0-08: at the best learning rate, the larger the momentum, the smaller the loss."""
    statement = "At its best learning rate, a larger momentum converges faster"
    losses = {f"log loss, momentum {mu:g}": float(np.log(t.losses[-1])) for mu, t in runs.traces.items()}
    right = bool(np.all(np.diff(list(losses.values())) < 0))
    return exact("P0-08", statement, "log loss after the last step, in order", right, losses, iterations=runs.steps)


def divergence_edge(runs: Runs) -> Verdict:
    """P0-09: the map's edge, (1 + mu) over the largest eigenvalue, and the map itself computed in two ways."""
    statement = "The map has its edge at lr = (1 + mu) / largest eigenvalue, computed by steps as by powers"
    lrs, momentums = lr_grid(runs.points), momentum_grid(runs.points)
    wrong = int(np.sum(np.isfinite(runs.grid) != (lrs[:, None] < runs.edge)))
    part = np.ix_(range(0, runs.points, CHECKED), range(0, runs.points, CHECKED))
    stepped = log_losses_by_iteration(runs.quadratic, runs.start, lrs[::CHECKED], momentums[::CHECKED], runs.steps)
    both = np.isfinite(stepped) & np.isfinite(runs.grid[part])
    apart = float(np.abs(stepped[both] - runs.grid[part][both]).max())
    statistics = {"settings on the wrong side": float(wrong), "largest difference of log losses": apart}
    note = f"C.3 prints learning rates up to {LR_RANGE_PRINTED[1]:g}; the largest stable one is {runs.edge.max():.3g}"
    test = "finite losses against the edge, and powers against steps within 1e-6"
    return exact("P0-09", statement, test, not wrong and apart < 1e-6, statistics, note, settings=runs.grid.size)


def quadratic(dimension: int = 30, points: int = 50, seed: int = 0) -> Findings:
    """Figs. 2 and 14: P0-06 to P0-09."""
    start = np.random.default_rng(seed).standard_normal(dimension)
    runs = Runs(conditioned(dimension), start, points)
    verdicts = tuple(judge(runs) for judge in (aligns, scales, momentum_helps, divergence_edge))
    plates = (
        Plate(
            "courses",
            courses(runs.traces),
            "Loss, alignment and scale at the best learning rate of each momentum (Fig. 2). Dashed: 1 / (1 - mu).",
        ),
        Plate(
            "grid",
            grid_map(lr_grid(points), momentum_grid(points), runs.grid, runs.edge),
            f"Log loss after {STEPS} steps over learning rate and momentum (Fig. 14); white: diverged.",
        ),
    )
    setup = (
        f"{dimension} coordinates, eigenvalues log-spaced from 1 to 1e5, w_0 ~ N(0, I): the paper gives only the ends",
        f"{points} learning rates from 1e-7 to 5e-5, {points} momentums from 0 to 0.999, {STEPS} steps",
    )
    return Findings("two_regimes.quadratic", f"{SOURCE}, Figs. 2, 14", setup, verdicts, plates)


EXPERIMENTS = (
    Experiment(
        "two_regimes.quadratic",
        "heavy ball on the ill-conditioned quadratic: loss, alignment, scale, and the map of lr and momentum",
        SOURCE,
        ("2", "14"),
        ("P0-06", "P0-07", "P0-08", "P0-09"),
        quadratic,
    ),
)
