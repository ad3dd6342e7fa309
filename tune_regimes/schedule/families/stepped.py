"""Families whose values are constant between steps: two_phase, three_step."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count, check_number
from tune_regimes.schedule.families.options import PhaseOptions, whole_epochs
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.ramps import Value, round_significant
from tune_regimes.schedule.schedule import Schedule


def two_phase(
    *,
    epochs: int,
    transition_epoch: int,
    large: Phase,
    small: Phase,
    weight_decay: Value = 0.0,
    momentum_rule: str = "reset",
) -> Schedule:
    """Train in the large-step regime, then in the small-step regime.

    Epoch e is told ``large`` where ``e < transition_epoch`` and ``small`` from there on.

    Args:
        epochs: Epochs of both phases together.
        transition_epoch: Epochs of the large-step phase: 0 leaves only the small-step phase, `epochs` only the other.
        large: Settings of the large-step phase, without a length.
        small: Settings of the small-step phase, without a length.
        weight_decay: Weight decay of a phase that sets none.
        momentum_rule: What happens to the optimizer's buffers at the transition, "keep" or "reset"; it takes the place
            of the rule of `small`. The paper does not say; a new optimizer, as with "reset", starts from zero.

    Returns:
        The schedule; phases without a name are called "large-step" and "small-step".

    Raises:
        ScheduleError: `transition_epoch` is no integer in 0..epochs, or a phase brings a length of its own.

    Examples:
        >>> schedule = two_phase(epochs=5, transition_epoch=2, large=Phase(lr=1.0), small=Phase(lr=0.01, momentum=0.9))
        >>> [schedule.settings(epoch, 10).lr for epoch in (0, 1, 2, 4)]
        [1.0, 1.0, 0.01, 0.01]
        >>> two_phase(epochs=5, transition_epoch=6, large=Phase(lr=1.0), small=Phase(lr=0.01))
        Traceback (most recent call last):
        tune_regimes.errors.ScheduleError: transition_epoch must be an integer in 0..5: received 6. Keep it within the epochs of the schedule.

    References:
        Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 4 and App. C.
    """
    epochs = check_count("epochs", epochs, remedy="Train for one epoch or more.")
    length = check_count(
        "transition_epoch", transition_epoch, low=0, high=epochs, remedy="Keep it within the epochs of the schedule."
    )
    named = (
        _fill(large, "large", length, weight_decay, large.momentum_rule),
        _fill(small, "small", epochs - length, weight_decay, momentum_rule),
    )
    return Schedule(tuple(phase for phase in named if phase is not None))


def _fill(phase: Phase, size: str, epochs: int, weight_decay: Value, momentum_rule: str) -> Phase | None:
    if phase.epochs is not None:
        raise ScheduleError(
            f"two_phase sets the lengths from epochs and transition_epoch: received {size}=Phase(epochs={phase.epochs}). "
            "Leave epochs out of the phase."
        )
    decay = weight_decay if phase.weight_decay is None else phase.weight_decay
    filled = replace(phase, name=phase.name or f"{size}-step", weight_decay=decay, momentum_rule=momentum_rule)
    return replace(filled, epochs=epochs) if epochs else None


def three_step(
    *,
    epochs: int,
    lr: float,
    momentum: float = 0.9,
    drops: Sequence[float] = (0.5, 0.75),
    factor: float = 0.1,
    **options: Unpack[PhaseOptions],
) -> Schedule:
    """Drop the learning rate by a constant factor at given epochs, with constant momentum.

    Epoch e is told ``lr * factor^k``, where k is the number of drops at or before e; two drops make the usual three steps.

    Args:
        epochs: Epochs of the schedule.
        lr: Learning rate before the first drop.
        momentum: Momentum, constant (heavy ball with sgd); its buffers are kept over a drop, as a scheduler of
            ``torch.optim`` would, unless ``momentum_rule="reset"``.
        drops: First epochs with a smaller learning rate, increasing: integers, or fractions of `epochs` in (0, 1)
            rounded to the nearest epoch.
        factor: What a drop multiplies the learning rate by.
        **options: Further fields of `Phase`, the same in every phase.

    Returns:
        The schedule; learning rates after a drop are rounded to 12 significant digits.

    Raises:
        ScheduleError: Drops that do not increase within 1..epochs-1, or a value that no phase can have.

    Examples:
        >>> schedule = three_step(epochs=8, lr=0.1)
        >>> [schedule.settings(epoch, 10).lr for epoch in (0, 3, 4, 5, 6, 7)]
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]

    References:
        He et al., Deep Residual Learning for Image Recognition, 2016, Sec. 4.2; the reference of Leclerc and Madry, 2020;
        ``torch.optim.lr_scheduler.MultiStepLR``.
    """
    starts = [0, *(whole_epochs("a drop", drop, epochs) for drop in drops), epochs]
    if any(later <= earlier for earlier, later in zip(starts, starts[1:], strict=False)):
        raise ScheduleError(
            f"drops must increase within 1..{epochs - 1}, or a phase is empty: received {tuple(drops)!r}, "
            f"which is epochs {starts[1:-1]}. Move or leave out a drop."
        )
    first, factor = check_number("lr", lr), check_number("factor", factor)
    rates = [first, *(round_significant(first * factor**drop) for drop in range(1, len(starts) - 1))]
    lengths = [later - earlier for earlier, later in zip(starts, starts[1:], strict=False)]
    return Schedule(
        tuple(Phase(lr=rate, momentum=momentum, epochs=n, **options) for rate, n in zip(rates, lengths, strict=True))
    )
