"""Studies of Leclerc and Madry, "The Two Regimes of Deep Network Training" (2020).

``transition_epoch`` (Figs. 6, 7, 13): a large-step phase with or without momentum, then one of four small-step phases,
at a transition epoch drawn at random; three-step schedules with constant momentum are the reference.

``lr_momentum`` (Figs. 4, 5, 11, 12): constant learning rates over four decades of step size at three momenta.

``momentum`` and ``gradient_descent`` (Figs. 1, 3, 9, 10): what momentum does in each regime, in
:mod:`search_spaces.two_regimes_momentum`.

The paper scale takes exactly what is printed: VGG-13 with BatchNorm on CIFAR-10, batch size 256, weight decay 1e-4,
crops and flips (C.1), the learning rates and momenta of C.4 to C.7. What the paper does not give is our choice: the
total epochs, the number of points, seeds and bins, the learning rates and drops of the three-step reference, and the
settings of AdamW (Fig. 13). C.7 says "Data augmentation: None" for Fig. 7, against C.1: for that figure as printed,
pass ``augment=False``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces.catalogue import Scale, StudyEntry, grid_of, make_study
from search_spaces.two_regimes_momentum import SOURCE, VGG, WEIGHT_DECAY
from search_spaces.two_regimes_momentum import STUDIES as IN_EACH_REGIME
from tune_regimes.schedule import Phase, Schedule, three_step, two_phase

if TYPE_CHECKING:
    from tune_regimes.search import Study

THREE_STEP = "three_step"
"""Value of ``large`` and ``small`` for a reference; its ``transition_epoch`` is the epoch of the first drop."""
FIRST_DROPS = (1 / 3, 1 / 2, 3 / 5)
"""First drops of the reference schedules as fractions of the epochs; the second is halfway from there to the end.

Three usual ones (drops at 1/3 and 2/3, 1/2 and 3/4, 3/5 and 4/5), so that the reference is more than one schedule.
"""
MOMENTA = (0.0, 0.9, 0.99)
STEP_SIZES = (1e-3, 10.0)
"""Range of lr / (1 - momentum). C.4's ranges of lr, 1e-3..10, 1e-4..1 and 1e-5..0.1, are this one for each momentum."""


@dataclass(frozen=True)
class Rates:
    """The phases of ``transition_epoch`` for one network.

    Args:
        large: Large-step phases: "momentum", and "no_momentum", whose lr gives the same training-loss curve.
        small: Small-step phases: "classic" (C.5), "reduced" (C.6: smaller lr, larger momentum), "fig7" (C.7), and
            "adamw" (Fig. 13).
        three_step: Learning rate of the reference's first step, at momentum 0.9; a tenth of it at each drop.
    """

    large: Mapping[str, Phase]
    small: Mapping[str, Phase]
    three_step: float


PAPER = Rates(
    large={"momentum": Phase(lr=0.1, momentum=0.9), "no_momentum": Phase(lr=0.9236708571873865)},
    small={
        "classic": Phase(lr=1e-3, momentum=0.9),
        "reduced": Phase(lr=1e-4, momentum=0.995),
        "fig7": Phase(lr=5e-3, momentum=0.95),
        "adamw": Phase(lr=1e-4, optimizer="adamw", weight_decay=1e-2),
    },
    three_step=0.1,
)
"""As printed in C.5 to C.7, but for "adamw" and the three-step lr, which are not: these are ours."""

REPLICA = PAPER
"""Learning rates of both phases for the replica's network: the printed ones, which lie in its regimes too.

Located by ``lr_momentum`` at replica scale, by the criteria of ``analysis.regimes`` (docs/replication has the table):
the largest step sizes lr / (1 - momentum) that do not diverge are 1.6 to 3.0, and those at which the loss falls
consistently 0.01 to 0.26, by momentum. The large-step phases are at 0.92 and 1.0, where a quarter of the epochs rise
and the network still learns; the small-step phases at 0.01 to 0.1.
"""

SMOKE = Rates(
    large={"momentum": Phase(lr=0.15, momentum=0.9), "no_momentum": Phase(lr=0.6)},
    small={
        "classic": Phase(lr=0.01, momentum=0.9),
        "reduced": Phase(lr=0.004, momentum=0.98),
        "fig7": Phase(lr=0.02, momentum=0.95),
        "adamw": Phase(lr=1e-3, optimizer="adamw", weight_decay=1e-2),
    },
    three_step=0.15,
)
"""Learning rates of both phases for the digits network, at 10 steps an epoch.

Located by constant learning rates over 12 epochs with 3 seeds each, by the criteria of ``analysis.regimes``. Without
momentum the loss falls consistently up to 0.25, and above 0.7 a seed ends near chance; with momentum 0.9 the loss falls
consistently up to 0.085, and 0.25 is the largest that was sound. The large-step phases lie below the latter, where a
quarter of the epochs rise; the small-step phases well below the former, in the paper's proportions but for a smaller
largest momentum: one of 0.995 would need more steps than the whole study has.
"""

RATES: Mapping[str, Rates] = {"smoke": SMOKE, "replica": REPLICA, "paper": PAPER}


def transition_schedule(config: Mapping[str, Any], *, rates: Rates, epochs: int) -> Schedule:
    """The schedule of a point of ``transition_epoch``.

    Examples:
        >>> config = {"large": "no_momentum", "small": "classic", "transition_epoch": 60}
        >>> [(phase.lr, phase.epochs) for phase in transition_schedule(config, rates=PAPER, epochs=150).phases]
        [(0.9236708571873865, 60), (0.001, 90)]
        >>> config = {"large": "three_step", "small": "three_step", "transition_epoch": 75}
        >>> [(phase.lr, phase.epochs) for phase in transition_schedule(config, rates=PAPER, epochs=150).phases]
        [(0.1, 75), (0.01, 38), (0.001, 37)]
    """
    transition = config["transition_epoch"]
    if config["large"] == THREE_STEP:
        drops = (transition, transition + (epochs - transition + 1) // 2)
        return three_step(epochs=epochs, lr=rates.three_step, momentum=0.9, drops=drops, weight_decay=WEIGHT_DECAY)
    large, small = rates.large[config["large"]], rates.small[config["small"]]
    return two_phase(epochs=epochs, transition_epoch=transition, large=large, small=small, weight_decay=WEIGHT_DECAY)


def sweep_schedule(config: Mapping[str, Any], *, epochs: int) -> Schedule:
    """The schedule of a point of ``lr_momentum``: lr = step_size * (1 - momentum), constant.

    Examples:
        >>> sweep_schedule({"momentum": 0.5, "step_size": 0.2}, epochs=50).phases[0].lr
        0.1
    """
    momentum = config["momentum"]
    lr = config["step_size"] * (1 - momentum)
    return Schedule((Phase(lr=lr, momentum=momentum, weight_decay=WEIGHT_DECAY, epochs=epochs),))


def build_transition_epoch(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``transition_epoch`` at a scale whose name gives the learning rates."""
    from ray import tune

    rates, epochs = RATES[name], scale.epochs
    drops = sorted({min(max(1, round(first * epochs)), epochs - 2) for first in FIRST_DROPS})
    space = {
        **grid_of({"large": rates.large, "small": rates.small}),
        "transition_epoch": tune.randint(1, epochs),
    }
    return make_study(
        "two_regimes.transition_epoch",
        name,
        scale,
        partial(transition_schedule, rates=rates, epochs=epochs),
        space,
        origin,
        points_to_evaluate=[{"large": THREE_STEP, "small": THREE_STEP, "transition_epoch": drop} for drop in drops],
    )


def build_lr_momentum(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``lr_momentum`` at a scale."""
    from ray import tune

    space = {**grid_of({"momentum": MOMENTA}), "step_size": tune.loguniform(*STEP_SIZES)}
    schedule = partial(sweep_schedule, epochs=scale.epochs)
    return make_study("two_regimes.lr_momentum", name, scale, schedule, space, origin)


_DIGITS: Mapping[str, Any] = {}
_SMALL_IMAGES: Mapping[str, Any] = {
    "train_size": 2000,
    "test_size": 2000,
    "batch_size": 32,
    "width": 1 / 16,
    "augment": True,
}

STUDIES = {
    "transition_epoch": StudyEntry(
        name="two_regimes.transition_epoch",
        summary="test accuracy against the epoch of the transition, with and without momentum in each phase",
        source=SOURCE,
        figures=("6", "7", "13"),
        claims=("P0-18", "P0-19", "P0-20", "P0-21"),
        scales={
            "smoke": Scale("digits, well under a minute", "digits/mlp", 12, 3, 3, _DIGITS),
            "replica": Scale("CIFAR-10, an hour on 2 cores", "cifar10/vgg11_bn", 20, 5, 3, _SMALL_IMAGES),
            "paper": Scale("VGG-13-BN, for GPUs", "cifar10/vgg13_bn", 150, 16, 3, VGG),
        },
        builder=build_transition_epoch,
    ),
    "lr_momentum": StudyEntry(
        name="two_regimes.lr_momentum",
        summary="test accuracy and loss curves against lr and momentum: where the two regimes lie",
        source=SOURCE,
        figures=("4", "5", "11", "12"),
        claims=("P0-13", "P0-14", "P0-15", "P0-16", "P0-17"),
        scales={
            "smoke": Scale("digits, well under a minute", "digits/mlp", 12, 10, 2, _DIGITS),
            "replica": Scale("CIFAR-10, half an hour on 2 cores", "cifar10/vgg11_bn", 24, 12, 2, _SMALL_IMAGES),
            "paper": Scale("VGG-13-BN, for GPUs", "cifar10/vgg13_bn", 50, 20, 3, VGG),
        },
        builder=build_lr_momentum,
    ),
    **IN_EACH_REGIME,
}
"""The studies of this paper by short name; calling one builds it."""
