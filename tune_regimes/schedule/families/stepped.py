"""Families that change their settings at given epochs: two_phase, three_step, staircase."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Unpack

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count, check_number
from tune_regimes.schedule.families.options import AT_LEAST_ONE, PhaseOptions, refuse_length, whole_epochs
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.ramps import Value, round_significant
from tune_regimes.schedule.schedule import Schedule

Segment = float | tuple[float, float] | Phase


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
        >>> [schedule.settings(epoch, steps_per_epoch=10).lr for epoch in (0, 1, 2, 4)]
        [1.0, 1.0, 0.01, 0.01]
        >>> schedule.transitions
        (2,)

    References:
        Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 4 and App. C.
    """
    epochs = check_count("epochs", epochs, remedy=AT_LEAST_ONE)
    length = check_count(
        "transition_epoch", transition_epoch, low=0, high=epochs, remedy="Keep it within the epochs of the schedule."
    )
    small = replace(refuse_length("two_phase", small, "small"), momentum_rule=momentum_rule)
    large = refuse_length("two_phase", large, "large")
    parts = ((large, "large-step", length), (small, "small-step", epochs - length))
    filled = [(_fill(phase, weight_decay, name), n) for phase, name, n in parts]
    return Schedule(tuple(replace(phase, epochs=n) for phase, n in filled if n))


def _fill(phase: Phase, weight_decay: Value | None, name: str = "") -> Phase:
    decay = weight_decay if phase.weight_decay is None else phase.weight_decay
    return replace(phase, weight_decay=decay, name=phase.name or name)


def three_step(
    *,
    epochs: int,
    lr: float,
    drops: Sequence[float] = (0.5, 0.75),
    factor: float = 0.1,
    **options: Unpack[PhaseOptions],
) -> Schedule:
    """Drop the learning rate by a constant factor at given epochs, with constant momentum.

    Epoch e is told ``lr * factor^k``, where k is the number of drops at or before e; two drops make three steps.

    Args:
        epochs: Epochs of the schedule.
        lr: Learning rate before the first drop.
        drops: First epochs with a smaller learning rate, increasing: integers, or fractions of `epochs` in (0, 1)
            rounded to the nearest epoch.
        factor: What a drop multiplies the learning rate by.
        **options: Further fields of `Phase`, the same in every phase. Buffers are kept over a drop, as with a scheduler
            of ``torch.optim``, unless ``momentum_rule="reset"``.

    Returns:
        The schedule; learning rates after a drop are rounded to 12 significant digits.

    Raises:
        ScheduleError: Drops that do not increase within 1..epochs-1, or a value that no phase can have.

    Examples:
        >>> schedule = three_step(epochs=8, lr=0.1, momentum=0.9)
        >>> [schedule.settings(epoch, steps_per_epoch=10).lr for epoch in (0, 3, 4, 5, 6, 7)]
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]

    References:
        He et al., Deep Residual Learning for Image Recognition, 2016, Sec. 4.2;
        ``torch.optim.lr_scheduler.MultiStepLR``.
    """
    starts = [0, *(whole_epochs("a drop", drop, epochs) for drop in drops), epochs]
    if any(later <= earlier for earlier, later in pairwise(starts)):
        raise ScheduleError(
            f"drops must increase within 1..{epochs - 1}, or a phase is empty: received {tuple(drops)!r}, "
            f"which is epochs {starts[1:-1]}. Move or leave out a drop."
        )
    first, factor = check_number("lr", lr), check_number("factor", factor)
    rates = [first, *(round_significant(first * factor**drop) for drop in range(1, len(starts) - 1))]
    return staircase(epochs=epochs, segments=dict(zip(starts, rates, strict=False)), **options)


def staircase(
    *,
    epochs: int,
    segments: Mapping[int, Segment] | Sequence[tuple[int, Segment]],
    **options: Unpack[PhaseOptions],
) -> Schedule:
    """Change the settings at given epochs and hold them in between, as a printed table of a schedule does.

    Epoch e is told the segment with the largest start at or before e.

    Args:
        epochs: Epochs of the schedule.
        segments: The first epoch of each segment, beginning with 0, and what it is told: a learning rate, a pair of
            learning rate and weight decay, or a `Phase` without a length. A mapping, or pairs in order.
        **options: Further fields of `Phase` for segments that are no `Phase`; a `Phase` takes from them only the weight
            decay, where it sets none.

    Returns:
        The schedule, one phase per segment.

    Raises:
        ScheduleError: Starts that do not increase from 0 to below `epochs`, or a segment that is none of the three.

    Examples:
        >>> table = {0: (0.4, 5e-4), 2: (1.6, 2e-3), 3: (0.04, 0.0)}
        >>> schedule = staircase(epochs=4, segments=table)
        >>> told = [schedule.settings(epoch, steps_per_epoch=10) for epoch in range(4)]
        >>> [(settings.lr, settings.weight_decay) for settings in told]
        [(0.4, 0.0005), (0.4, 0.0005), (1.6, 0.002), (0.04, 0.0)]

    References:
        Li, Lyu and Arora, Reconciling Modern Deep Learning with Traditional Optimization Analyses, 2020, Table 1.
    """
    epochs = check_count("epochs", epochs, remedy=AT_LEAST_ONE)
    pairs = list(segments.items() if isinstance(segments, Mapping) else segments)
    starts = [check_count("the start of a segment", start, low=0, remedy="Give an epoch.") for start, _ in pairs]
    if starts[:1] != [0] or any(later <= earlier for earlier, later in pairwise([*starts, epochs])):
        raise ScheduleError(
            f"segments must start at 0 and increase within 0..{epochs - 1}, or a phase is empty: received "
            f"starts {starts}. Order the segments, and leave out those that start after the end."
        )
    phases = [_segment(segment, options) for _, segment in pairs]
    lengths = [later - earlier for earlier, later in pairwise([*starts, epochs])]
    return Schedule(tuple(replace(phase, epochs=n) for phase, n in zip(phases, lengths, strict=True)))


def _segment(segment: Segment, options: PhaseOptions) -> Phase:
    if isinstance(segment, Phase):
        return _fill(refuse_length("staircase", segment, "segment"), options.get("weight_decay"))
    if not isinstance(segment, (tuple, list)):
        return Phase(lr=segment, **options)
    if len(segment) != 2:
        raise ScheduleError(
            f"a segment must be a learning rate, a pair (lr, weight_decay) or a Phase: received {segment!r}. "
            "Use a Phase to set more."
        )
    return replace(Phase(lr=segment[0], **options), weight_decay=segment[1])
