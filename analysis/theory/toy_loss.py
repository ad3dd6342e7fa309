"""Toy experiment of the intrinsic learning rate: descent with weight decay on x^2 / (x^2 + y^2), Fig. 5a, claim P4-20.

Everything here is computed, without noise; two starts differ by a millionth or less.

Source: Li, Lyu and Arora, 2020, Sec. 4, App. D.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.document import Plate
from analysis.figures.toy_loss import paths_in_the_plane, two_descents
from analysis.statistics import Array
from analysis.theory.experiments import Experiment, Findings, exact
from analysis.verdicts import Quantity, Verdict
from tune_regimes.theory.toy_loss import descend, flow, flow_ratio, loss

SOURCE = "Li, Lyu and Arora, Reconciling Modern Deep Learning with Traditional Optimization Analyses (NeurIPS 2020)"
LR, WEIGHT_DECAY = 0.1, 0.5
START = (0.1, 1.0)
"""Near zero loss, 0.0099: ours, the paper gives none."""
GAPS = (1e-6, 1e-9, 1e-12)
APART = 0.1
"""Difference of losses that counts as having parted."""
CONVERGED, LOST = 1e-20, 0.5
"""A loss that counts as zero, and one that counts as being thrown out."""
FLOW_STEPS = 40
"""How far gradient flow is integrated, in steps of `LR`: later its ratio leaves the range of float64."""
SUBSTEPS = 60
"""Of Runge-Kutta in a step: the flow of the ratio grows stiff as the norm shrinks."""
AGREES = 1e-3


@dataclass(frozen=True)
class Pair:
    """Descents from the start and from one beside it.

    Args:
        gap: Distance of the two starts.
        weight_decay: Of both.
        steps: Number of updates T.
    """

    gap: float
    weight_decay: float = WEIGHT_DECAY
    steps: int = 300

    @cached_property
    def paths(self) -> Array:
        """Weights, shape (T + 1, 2, 2): step, start, coordinate."""
        starts = [START, (START[0] + self.gap, START[1])]
        return descend(starts, lr=LR, weight_decay=self.weight_decay, steps=self.steps)

    @cached_property
    def losses(self) -> Array:
        """Shape (T + 1, 2)."""
        return loss(self.paths)

    @property
    def differences(self) -> Array:
        """Of the two losses, shape (T + 1,)."""
        return np.abs(self.losses[:, 0] - self.losses[:, 1])

    @property
    def parted(self) -> float:
        """The first step at which the losses differ by more than `APART`; infinite where they never do."""
        apart = np.flatnonzero(self.differences > APART)
        return float(apart[0]) if len(apart) else float("inf")


def leaves_again(pair: Pair) -> Verdict:
    """P4-20: the loss falls to zero but for rounding, and does not stay there."""
    losses = pair.losses[:, 0]
    lowest = int(losses.argmin())
    highest = lowest + int(losses[lowest:].argmax())
    statement = f"Gradient descent reaches a loss below {CONVERGED:g} and rises above {LOST:g} again"
    statistics: dict[str, Quantity] = {
        "lowest loss": float(losses[lowest]),
        "at step": float(lowest),
        "highest after it": float(losses[highest]),
        "first at step": float(highest),
    }
    right = bool(losses[lowest] < CONVERGED and losses[highest] > LOST)
    return exact("P4-20", statement, "losses of one descent", right, statistics, steps=pair.steps)


def part(pairs: Mapping[float, Pair]) -> Verdict:
    """P4-20b: differences are amplified until the trajectories have nothing to do with each other."""
    statement = f"Losses from starts a millionth apart, or less, differ by more than {APART:g} in the end"
    parted = {f"from step, {gap:g} apart": pair.parted for gap, pair in pairs.items()}
    early = float(pairs[max(pairs)].differences[: FLOW_STEPS - 4].max())
    right = bool(np.isfinite(list(parted.values())).all())
    statistics: dict[str, Quantity] = {**parted, f"largest difference before step {FLOW_STEPS - 4}": early}
    return exact("P4-20b", statement, "losses of pairs of descents", right, statistics, pairs=len(pairs))


def flow_converges(weight_decay: float = WEIGHT_DECAY) -> Verdict:
    """P4-20c: gradient flow brings abs(x / y) down at all times, with weight decay too."""
    times = LR * np.arange(FLOW_STEPS + 1)
    path = flow([START], times=times, weight_decay=weight_decay, substeps=SUBSTEPS)[:, 0]
    ratios = np.abs(path[:, 0] / path[:, 1])
    error = float(np.abs(ratios / np.abs(flow_ratios(times, weight_decay)) - 1.0).max())
    statement = "Gradient flow decreases abs(x / y) at all times, with weight decay turned on"
    statistics: dict[str, Quantity] = {
        "largest step of log abs(x / y)": float(np.diff(np.log(ratios)).max()),
        "last abs(x / y)": float(ratios[-1]),
        "relative error against the closed form": error,
    }
    right = bool((np.diff(ratios) < 0).all() and error < AGREES)
    return exact("P4-20c", statement, "Runge-Kutta and closed form", right, statistics, times=len(times))


def stays_without_decay(gap: float = GAPS[0]) -> Verdict:
    """P4-20d: without weight decay the norm only grows, and descent stays converged."""
    pair = Pair(gap, weight_decay=0.0)
    norms, losses = np.linalg.norm(pair.paths[:, 0], axis=-1), pair.losses[:, 0]
    statement = "Without weight decay the norm never falls, and neither does the loss ever rise"
    statistics: dict[str, Quantity] = {
        "last loss": float(losses[-1]),
        "last norm / first": float(norms[-1] / norms[0]),
        "largest difference": float(pair.differences.max()),
    }
    right = bool((np.diff(norms) > -1e-12).all() and (np.diff(losses) <= 0).all())
    return exact("P4-20d", statement, "norms and losses of one descent", right, statistics, steps=pair.steps)


def flow_ratios(times: Array, weight_decay: float = WEIGHT_DECAY) -> Array:
    """The ratio x / y along gradient flow in closed form, shape of the times; weight decay shrinks the norm."""
    elapsed = np.expm1(2 * weight_decay * times) / (2 * weight_decay) if weight_decay else times
    return flow_ratio(np.array(START), elapsed / (START[0] ** 2 + START[1] ** 2))


def toy_loss() -> Findings:
    """Fig. 5a: P4-20."""
    pairs = {gap: Pair(gap) for gap in GAPS}
    first, times = pairs[GAPS[0]], LR * np.arange(FLOW_STEPS + 1)
    squared = flow_ratios(times) ** 2
    verdicts = (leaves_again(first), part(pairs), flow_converges(), stays_without_decay())
    plates = (
        Plate(
            "losses",
            two_descents(first.losses, squared / (1 + squared), {gap: pair.differences for gap, pair in pairs.items()}),
            f"Losses from two starts {GAPS[0]:g} apart, with gradient flow at the same times (upper), and the "
            "difference of the losses by distance of the starts (lower).",
        ),
        Plate(
            "paths",
            paths_in_the_plane(first.paths, int(first.parted) + 20),
            "The two descents in the plane (Fig. 5a): the norm shrinks until the gradient, which grows as its inverse, "
            "throws the weights out.",
        ),
    )
    setup = (
        f"gradient descent on x^2 / (x^2 + y^2), lr {LR:g}, weight decay {WEIGHT_DECAY:g}, {first.steps} steps",
        f"from ({START[0]:g}, {START[1]:g}), and from {', '.join(f'{gap:g}' for gap in GAPS)} beside it in x: the "
        "paper does not give its starts",
    )
    return Findings("intrinsic_lr.toy_loss", f"{SOURCE}, Sec. 4, Fig. 5a", setup, verdicts, plates)


EXPERIMENTS = (
    Experiment(
        "intrinsic_lr.toy_loss",
        "gradient descent with weight decay on x^2 / (x^2 + y^2): chaotic where gradient flow converges",
        SOURCE,
        ("5a",),
        ("P4-20",),
        toy_loss,
    ),
)
