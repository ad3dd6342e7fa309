"""The schedules of Li, Lyu and Arora's figures, as printed or on another time scale.

Every function takes `unit`: the epochs that stand for a round number of printed ones, which is its default. Table 1
with ``unit=5`` is Table 1 with all epochs divided by 20. Changes at or after the end of the schedule are left out, so
that a run may end before the fine-tuning.

References:
    Li, Lyu and Arora, Reconciling Modern Deep Learning with Traditional Optimization Analyses: The Intrinsic Learning
    Rate, 2020: Table 1, Figs. 3, 4, 5, 8.
"""

from collections.abc import Mapping, Sequence
from typing import Unpack

from tune_regimes.schedule.checks import check_choice, check_count
from tune_regimes.schedule.families.intrinsic_lr import Change, DecayOptions, rescaled
from tune_regimes.schedule.schedule import Schedule

FINE_TUNED: Change = (10, 0.1, 0.0)
"""The last row of Table 1, of all its schedules: at epoch 1000 the learning rate over ten and no weight decay."""

TABLE_1: Mapping[str, tuple[Change, ...]] = {
    "1": ((1, 1 / 4, 1), (2, 4, 1), (3, 1 / 4, 1), (4, 2, 1), (5, 2, 1)),
    "2": (),
    "3": ((1, 4, 1), (2, 1 / 2, 1), (3, 1 / 2, 1), (4, 1 / 4, 1), (5, 4, 1)),
    "4": ((1, 4, 4), (2, 1 / 2, 1 / 2), (3, 1 / 2, 1 / 2), (4, 1 / 4, 1 / 4), (5, 4, 4)),
    "5": ((0, 32, 1), (1, 1 / 2, 1), (2, 1 / 2, 1), (3, 1 / 2, 1), (4, 1 / 2, 1), (5, 1 / 2, 1)),
}
"""Schedule_1 to Schedule_5 of Table 1: unit of 100 epochs, factor of the learning rate, factor of the weight decay."""

FIG_3: Mapping[str, tuple[Change, ...]] = {
    "const": (),
    "lr_decay": ((0, 4, 1), (1, 1 / 2, 1), (2, 1 / 2, 1)),
    "wd_decay": ((0, 1, 4), (1, 1, 1 / 2), (2, 1, 1 / 2)),
}
"""The schedules of Fig. 3 in units of 40 epochs; their intrinsic learning rates are equal from 80 epochs on."""

FIG_4_UNITS = (1, 2, 3, 4, 6, 10, 20, 40)
"""Fig. 4's epochs 200, 400, 600, 800, 1200, 2000, 4000 and 8000, in units of 200."""


def table_1(
    schedule: str,
    *,
    epochs: int,
    unit: int = 100,
    lr: float = 0.4,
    weight_decay: float = 5e-4,
    **options: Unpack[DecayOptions],
) -> Schedule:
    """Build a schedule of Table 1: five courses that have the same settings from epoch 500 on.

    Args:
        schedule: "1" to "5".
        epochs: Epochs of the schedule; the paper does not say how many follow the fine-tuning at 1000.
        unit: Epochs that stand for 100.
        lr: Initial learning rate.
        weight_decay: Initial weight decay.
        **options: Further fields of `Phase`.

    Raises:
        ScheduleError: There is no such schedule, or a value that no phase can have.

    Examples:
        >>> [(phase.lr, phase.epochs) for phase in table_1("3", epochs=1100).phases]
        [(0.4, 100), (1.6, 100), (0.8, 100), (0.4, 100), (0.1, 100), (0.4, 500), (0.04, 100)]
    """
    check_choice("schedule of Table 1", schedule, TABLE_1)
    changes = (*TABLE_1[schedule], FINE_TUNED)
    return _scaled(changes, epochs, unit, lr, weight_decay, options)


def figure_3(
    schedule: str,
    *,
    epochs: int = 200,
    unit: int = 40,
    lr: float = 0.1,
    weight_decay: float = 0.1,
    **options: Unpack[DecayOptions],
) -> Schedule:
    """Build a schedule of Fig. 3 (MNIST), whose epochs the paper counts from 1.

    At epoch 121 of the paper, 120 here, the learning rate becomes a tenth and the weight decay 0.

    Args:
        schedule: "const", "lr_decay" or "wd_decay".
        epochs: Epochs of the schedule.
        unit: Epochs that stand for 40.
        lr: Learning rate of the second half.
        weight_decay: Weight decay of the second half.
        **options: Further fields of `Phase`.

    Raises:
        ScheduleError: There is no such schedule, or a value that no phase can have.

    Examples:
        >>> [(phase.lr, phase.weight_decay, phase.epochs) for phase in figure_3("wd_decay").phases]
        [(0.1, 0.4, 40), (0.1, 0.2, 40), (0.1, 0.1, 40), (0.01, 0.0, 80)]
    """
    check_choice("schedule of Fig. 3", schedule, FIG_3)
    return _scaled((*FIG_3[schedule], (3, 0.1, 0.0)), epochs, unit, lr, weight_decay, options)


def figure_4(
    decays: str,
    *,
    epochs: int,
    unit: int = 200,
    halvings: int = 7,
    lr: float = 3.2,
    weight_decay: float = 5e-4,
    **options: Unpack[DecayOptions],
) -> Schedule:
    """Build a schedule of Fig. 4: halve either the learning rate or the weight decay, at the same epochs.

    Where the next halving would be after the last, the learning rate becomes a tenth and the weight decay 0.

    Args:
        decays: "lr" or "weight_decay": which of the two is halved.
        epochs: Epochs of the schedule.
        unit: Epochs that stand for 200.
        halvings: How many of the seven; with fewer the schedule ends earlier.
        lr: Initial learning rate.
        weight_decay: Initial weight decay.
        **options: Further fields of `Phase`.

    Raises:
        ScheduleError: There is no such schedule, or a value that no phase can have.

    Examples:
        >>> schedule = figure_4("lr", epochs=8200)
        >>> [phase.lr * phase.weight_decay for phase in schedule.phases][:4], schedule.transitions[-2:]
        ([0.0016, 0.0008, 0.0004, 0.0002], (4000, 8000))
    """
    check_choice("what is decayed", decays, ("lr", "weight_decay"))
    check_count("halvings", halvings, low=1, high=7, remedy="Fig. 4 has seven.")
    half = (1 / 2, 1.0) if decays == "lr" else (1.0, 1 / 2)
    changes = [(start, *half) for start in FIG_4_UNITS[:halvings]] + [(FIG_4_UNITS[halvings], 0.1, 0.0)]
    return _scaled(changes, epochs, unit, lr, weight_decay, options)


def figure_5(
    *,
    epochs: int,
    unit: int = 30000,
    lr: float = 1.6,
    weight_decay: float = 5e-4,
    **options: Unpack[DecayOptions],
) -> Schedule:
    """Build the schedule of Fig. 5b and 5c (full batch, so an epoch is a step): weight decay goes off at epoch 30000.

    Args:
        epochs: Epochs of the schedule.
        unit: Epochs that stand for 30000.
        lr: Learning rate.
        weight_decay: Weight decay before that.
        **options: Further fields of `Phase`.

    Raises:
        ScheduleError: A value that no phase can have.

    Examples:
        >>> [(phase.weight_decay, phase.epochs) for phase in figure_5(epochs=40000).phases]
        [(0.0005, 30000), (0.0, 10000)]
    """
    return _scaled([(1, 1.0, 0.0)], epochs, unit, lr, weight_decay, options)


def figure_8(
    start: str,
    *,
    epochs: int = 160,
    unit: int = 40,
    lr: float = 0.1,
    weight_decay: float = 5e-4,
    **options: Unpack[DecayOptions],
) -> Schedule:
    """Build a schedule of Fig. 8: the learning rate is divided by ten at epochs 80 and 120, or at 0 and 120.

    Args:
        start: "large" for 80 and 120, "small" for 0 and 120.
        epochs: Epochs of the schedule.
        unit: Epochs that stand for 40.
        lr: Learning rate before any division.
        weight_decay: Weight decay; the paper has two, whose values it does not give (the slopes say a ratio of 5).
        **options: Further fields of `Phase`; the figure has momentum, whose value is not given either.

    Raises:
        ScheduleError: There is no such schedule, or a value that no phase can have.

    Examples:
        >>> [(phase.lr, phase.epochs) for phase in figure_8("small", momentum=0.9).phases]
        [(0.01, 120), (0.001, 40)]
    """
    check_choice("start of Fig. 8", start, ("large", "small"))
    first = 2 if start == "large" else 0
    return _scaled([(first, 0.1, 1.0), (3, 0.1, 1.0)], epochs, unit, lr, weight_decay, options)


def _scaled(
    changes: Sequence[Change], epochs: int, unit: int, lr: float, weight_decay: float, options: DecayOptions
) -> Schedule:
    unit = check_count("unit", unit, remedy="Give the epochs that stand for a round number of printed ones.")
    kept = [(start * unit, lr_by, decay_by) for start, lr_by, decay_by in changes if start * unit < epochs]
    return rescaled(epochs=epochs, lr=lr, weight_decay=weight_decay, changes=kept, **options)
