"""What Leclerc and Madry, "The Two Regimes of Deep Network Training" (2020), leave open: who should train phase 2.

The conclusion of the paper: two phases open up "the possibility for development of new training algorithms that are
specialized in only one regime", and might "let us leverage second order methods - usually criticized for the poor
generalization performance - in the second phase of training".

``optimizers``: one large-step phase of plain SGD, then a small-step phase by SGD with momentum, AdamW, Muon, K-FAC or
L-BFGS, each at as many learning rates and with the same seeds. The first phase is trained once for each seed.

Nothing of it is printed, so all of it is ours. The network has no BatchNorm: K-FAC is defined for linear layers and
convolutions. L-BFGS takes the gradient of the whole epoch's batches and searches along a line by the strong Wolfe
conditions, so that its learning rate is the first step tried; an epoch of it is one step of up to `LBFGS_ITERATIONS`
iterations. The factors of K-FAC are computed anew every `REFRESH` steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces.catalogue import Scale, StudyEntry, grid_of, make_study
from tune_regimes.errors import StudyError
from tune_regimes.schedule import Phase, Schedule, two_phase

if TYPE_CHECKING:
    from tune_regimes.search import Study

SGD = "SGD with momentum"
"""The second phase of the paper, with which the others are compared."""
ADAMW, MUON, KFAC, LBFGS = "AdamW", "Muon", "K-FAC", "L-BFGS"
SECOND_ORDER = (KFAC, LBFGS)
FIRST_ORDER = (ADAMW, MUON)
WEIGHT_DECAY = 5e-4
DECOUPLED_WEIGHT_DECAY = 1e-2
"""Of AdamW and Muon, which do not take it through the gradient; AdamW's default in ``torch.optim``."""
LBFGS_ITERATIONS = 4
REFRESH = 20
WHOLE_EPOCH = 1_000_000
"""More batches than any epoch has: one step takes them all."""

SECOND: Mapping[str, Phase] = {
    SGD: Phase(lr=0.0, momentum=0.95),
    ADAMW: Phase(lr=0.0, optimizer="adamw", weight_decay=DECOUPLED_WEIGHT_DECAY),
    MUON: Phase(lr=0.0, optimizer="muon", momentum=0.95, weight_decay=DECOUPLED_WEIGHT_DECAY),
    KFAC: Phase(lr=0.0, optimizer="kfac", momentum=0.9, damping=1e-2, refresh=REFRESH),
    LBFGS: Phase(
        lr=0.0,
        optimizer="lbfgs",
        max_iter=LBFGS_ITERATIONS,
        line_search="strong_wolfe",
        batches_per_step=WHOLE_EPOCH,
    ),
}
"""The second phases by optimizer, but for the learning rate."""


@dataclass(frozen=True)
class Rates:
    """Learning rates at a scale.

    Args:
        large: Of plain SGD in the first phase.
        small: Of the second phase, as many for each optimizer.
    """

    large: float
    small: Mapping[str, Sequence[float]]


SMOKE = Rates(
    large=0.3,
    small={
        SGD: (0.003, 0.01, 0.03),
        ADAMW: (0.001, 0.003, 0.01),
        MUON: (0.001, 0.003, 0.01),
        KFAC: (0.001, 0.003, 0.01),
        LBFGS: (0.1, 0.3, 1.0),
    },
)
REPLICA = Rates(
    large=0.1,
    small={
        SGD: (0.0003, 0.001, 0.003),
        ADAMW: (0.0003, 0.001, 0.003),
        MUON: (0.001, 0.003, 0.01),
        KFAC: (0.0003, 0.001, 0.003),
        LBFGS: (0.1, 0.3, 1.0),
    },
)
"""Located by a pilot with one seed, 2,000 images and batches of 50.

Plain SGD learns from the first epochs on at 0.1; at 0.2 and 0.3 its loss stood still or rose for six and eight of
twelve epochs. In the second phase K-FAC diverged at 0.01. After a first run of the replica, in which SGD with momentum
was best at the smallest of its learning rates, these were lowered.
"""
RATES: Mapping[str, Rates] = {"smoke": SMOKE, "replica": REPLICA, "paper": REPLICA}


def transition_epoch(epochs: int) -> int:
    """Epochs of the first phase: three fifths of all, but one at least, as of the second.

    Raises:
        StudyError: Fewer than two epochs.

    Examples:
        >>> transition_epoch(20), transition_epoch(2)
        (12, 1)
    """
    if epochs < 2:
        raise StudyError(f"a schedule with a second phase has two epochs or more; got {epochs}: ask for more epochs")
    return min(max(1, round(0.6 * epochs)), epochs - 1)


def second_phase_schedule(config: Mapping[str, Any], *, rates: Rates, epochs: int) -> Schedule:
    """The schedule of a point of ``optimizers``.

    Examples:
        >>> schedule = second_phase_schedule({"second": {"optimizer": "Muon", "lr": 0.01}}, rates=REPLICA, epochs=20)
        >>> [(phase.optimizer, phase.lr, phase.momentum, phase.epochs) for phase in schedule.phases]
        [('sgd', 0.1, 0.0, 12), ('muon', 0.01, 0.95, 8)]
    """
    second = config["second"]
    return two_phase(
        epochs=epochs,
        transition_epoch=transition_epoch(epochs),
        large=Phase(lr=rates.large, momentum=0.0),
        small=replace(SECOND[second["optimizer"]], lr=second["lr"]),
        weight_decay=WEIGHT_DECAY,
    )


def second_phases(rates: Rates) -> list[dict[str, Any]]:
    """Every optimizer of the second phase at each of its learning rates.

    Examples:
        >>> len(second_phases(REPLICA)), second_phases(REPLICA)[0]
        (15, {'optimizer': 'SGD with momentum', 'lr': 0.0003})
    """
    return [{"optimizer": optimizer, "lr": lr} for optimizer, lrs in rates.small.items() for lr in lrs]


def build_optimizers(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``optimizers`` at a scale whose name gives the learning rates."""
    rates = RATES[name]
    transition_epoch(scale.epochs)  # refuses a scale without a second phase before anything runs
    schedule = partial(second_phase_schedule, rates=rates, epochs=scale.epochs)
    return make_study(
        "second_phase.optimizers", name, scale, schedule, grid_of({"second": second_phases(rates)}), origin
    )


_SMALL_IMAGES: Mapping[str, Any] = {
    "train_size": 1000,
    "test_size": 1000,
    "batch_size": 25,
    "width": 1 / 4,
    "augment": True,
}

STUDIES = {
    "optimizers": StudyEntry(
        name="second_phase.optimizers",
        summary="a second phase by K-FAC, L-BFGS, Muon or AdamW against SGD with momentum, at equal epochs and seconds",
        source="Leclerc and Madry, The Two Regimes of Deep Network Training (2020): what its conclusion leaves open",
        figures=("none: a question of the conclusion",),
        claims=("P0-23",),
        scales={
            "smoke": Scale("digits, under a minute", "digits/simple_cnn", 10, 1, 3, {"width": 1 / 4}),
            "replica": Scale("CIFAR-10, five minutes on 2 cores", "cifar10/simple_cnn", 16, 1, 3, _SMALL_IMAGES),
            "paper": Scale("SimpleCNN, for GPUs", "cifar10/simple_cnn", 100, 1, 3, {"batch_size": 128}),
        },
        builder=build_optimizers,
    ),
}
"""The studies of this question by short name; calling one builds it."""
