"""Families in the intrinsic learning rate: rescaled, labelled, sde_then_flow.

The intrinsic learning rate is lr * weight_decay. With normalised (scale-invariant) networks it sets the equilibrium
that training reaches and the time that this takes, about its inverse in steps.

References:
    Li, Lyu and Arora, Reconciling Modern Deep Learning with Traditional Optimization Analyses: The Intrinsic Learning
    Rate, 2020.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TypedDict, Unpack

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count, check_number
from tune_regimes.schedule.families.options import AT_LEAST_ONE
from tune_regimes.schedule.families.stepped import staircase, two_phase
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.ramps import round_significant
from tune_regimes.schedule.rates import weight_decay_for
from tune_regimes.schedule.schedule import Schedule

Change = tuple[int, float, float]
"""An epoch, and the factors that the learning rate and the weight decay are multiplied by from there on."""


class DecayOptions(TypedDict, total=False):
    """The fields of `Phase`, without learning rate and weight decay, that are handed on unchanged to each phase."""

    momentum: float | None
    optimizer: str
    nesterov: bool
    beta2: float
    eps: float | None
    rho: float
    momentum_rule: str
    decay: str
    clip_norm: float | None
    history_size: int
    max_iter: int
    line_search: str
    damping: float
    refresh: int
    batches_per_step: int


def rescaled(
    *, epochs: int, lr: float, weight_decay: float, changes: Sequence[Change], **options: Unpack[DecayOptions]
) -> Schedule:
    """Multiply the learning rate and the weight decay by given factors at given epochs.

    Epoch e is told `lr` times the first factors of all changes at or before e, and `weight_decay` times the second.

    Args:
        epochs: Epochs of the schedule.
        lr: Learning rate before any change.
        weight_decay: Weight decay before any change.
        changes: Epoch, factor of the learning rate and factor of the weight decay of each change, in order. Changes of
            one epoch act one after another, those of epoch 0 before training begins; a factor of 0 switches off.
        **options: Further fields of `Phase`, the same in every phase.

    Returns:
        The schedule, with a phase per stretch of equal values; those that changed are rounded to 12 significant digits.

    Raises:
        ScheduleError: Epochs of changes that go back or lie outside the schedule, or a value that no phase can have.

    Examples:
        >>> schedule = rescaled(epochs=4, lr=0.4, weight_decay=5e-4, changes=[(1, 4, 4), (2, 0.5, 1), (3, 0.1, 0)])
        >>> [(phase.lr, phase.weight_decay) for phase in schedule.phases]
        [(0.4, 0.0005), (1.6, 0.002), (0.8, 0.002), (0.08, 0.0)]

    References:
        Li, Lyu and Arora, 2020, Table 1.
    """
    epochs = check_count("epochs", epochs, remedy=AT_LEAST_ONE)
    rates = check_number("lr", lr), check_number("weight_decay", weight_decay)
    by_lr, by_decay, segments = 1.0, 1.0, {0: rates}
    for epoch, lr_factor, decay_factor in _ordered(changes, epochs):
        by_lr *= check_number("a factor", lr_factor)
        by_decay *= check_number("a factor", decay_factor)
        segments[epoch] = _times(rates[0], by_lr), _times(rates[1], by_decay)
    starts = [0, *(later for earlier, later in pairwise(segments) if segments[earlier] != segments[later])]
    return staircase(epochs=epochs, segments={start: segments[start] for start in starts}, **options)


def _ordered(changes: Sequence[Change], epochs: int) -> Sequence[Change]:
    for change in changes:
        if not isinstance(change, (tuple, list)) or len(change) != 3:
            raise ScheduleError(
                f"a change must be (epoch, factor of lr, factor of weight decay): received {change!r}. Give all three."
            )
        check_count("the epoch of a change", change[0], low=0, high=epochs - 1, remedy="Leave out what comes after.")
    if any(later[0] < earlier[0] for earlier, later in pairwise(changes)):
        received = [change[0] for change in changes]
        raise ScheduleError(f"changes must be in the order of their epochs: received epochs {received}. Sort them.")
    return changes


def _times(value: float, factor: float) -> float:
    return value if factor == 1 else round_significant(value * factor)


def labelled(
    label: str,
    *,
    epochs: int,
    lr: float = 0.1,
    weight_decay: float = 5e-4,
    factor: float = 0.1,
    **options: Unpack[DecayOptions],
) -> Schedule:
    """Build the schedule that a label such as ``wd_x_y_lr_z_u`` of the paper's Figs. 2 and 10 says.

    Every number after ``wd`` multiplies the weight decay by `factor` from that epoch on, every number after ``lr`` the
    learning rate. There may be any count of numbers, none too; one that is repeated acts as often as it stands there,
    and 0 acts before training begins. The paper's text counts "two" divisions at epoch 0 and one at 5000 for a label
    with two numbers after ``lr``: written out, it is ``lr_0_0_5000``.

    Args:
        label: ``wd``, its epochs, ``lr``, its epochs, joined by underscores.
        epochs: Epochs of the schedule.
        lr: Learning rate before any division; 0.1 in the paper.
        weight_decay: Weight decay before any division; 5e-4 in the paper.
        factor: What a number multiplies by; 0.1 in the paper.
        **options: Further fields of `Phase`, the same in every phase. The momentum is 0.9, that of Fig. 2, unless it
            is given. (Of Fig. 10 the text says that it has none, the caption that it has 0.9.)

    Returns:
        The schedule, as :func:`rescaled`.

    Raises:
        ScheduleError: A label of another form, or an epoch outside the schedule.

    Examples:
        >>> [(phase.lr, phase.epochs) for phase in labelled("wd_lr_0_0_5000", epochs=5100).phases]
        [(0.001, 5000), (0.0001, 100)]
        >>> labelled("lr_80_120", epochs=160)
        Traceback (most recent call last):
        tune_regimes.errors.ScheduleError: a label must be wd, epochs, lr, epochs, as in 'wd_80_lr_0_0_120': received
        'lr_80_120'. Write both wd and lr, with no epochs where nothing changes.
    """
    match = re.fullmatch(r"wd((?:_\d+)*)_lr((?:_\d+)*)", label) if isinstance(label, str) else None
    if match is None:
        raise ScheduleError(
            "a label must be wd, epochs, lr, epochs, as in 'wd_80_lr_0_0_120': "
            f"received {label!r}. Write both wd and lr, with no epochs where nothing changes."
        )
    decays, drops = ([int(number) for number in part.split("_")[1:]] for part in match.groups())
    changes = [(epoch, 1.0, factor) for epoch in decays] + [(epoch, factor, 1.0) for epoch in drops]
    in_order = sorted(changes, key=lambda change: change[0])
    options = {"momentum": 0.9, **options}
    return rescaled(epochs=epochs, lr=lr, weight_decay=weight_decay, changes=in_order, **options)


def sde_then_flow(
    *,
    epochs: int,
    sde_epochs: int,
    intrinsic_lr: float,
    lr: float,
    factor: float = 0.1,
    **options: Unpack[DecayOptions],
) -> Schedule:
    """Train to the equilibrium of an intrinsic learning rate, then near gradient flow without weight decay.

    The SDE phase has `lr` and the weight decay ``intrinsic_lr / lr``; the gradient flow phase ``factor * lr`` and no
    weight decay, until the loss is zero. For a phase that ends by itself when the norm has settled, see `Equilibrium`.

    Args:
        epochs: Epochs of both phases together.
        sde_epochs: Epochs of the SDE phase; see `equilibrium_epochs` for how many it takes.
        intrinsic_lr: lr * weight_decay of the SDE phase; according to the paper what alone decides how the network
            generalises.
        lr: Learning rate of the SDE phase, above 0.
        factor: What the learning rate is multiplied by for the gradient flow phase.
        **options: Further fields of `Phase`, the same in both phases; buffers are kept over the transition.

    Returns:
        The schedule; the phases are called "SDE" and "gradient flow".

    Raises:
        ScheduleError: A learning rate of 0, or another value outside its range.

    Examples:
        >>> schedule = sde_then_flow(epochs=12, sde_epochs=10, intrinsic_lr=2e-4, lr=0.4)
        >>> [(phase.name, phase.lr, phase.weight_decay, phase.epochs) for phase in schedule.phases]
        [('SDE', 0.4, 0.0005, 10), ('gradient flow', 0.04, 0.0, 2)]

    References:
        Li, Lyu and Arora, 2020, Sec. 5.3.
    """
    decay = round_significant(weight_decay_for(intrinsic_lr, lr))
    slow = _times(check_number("lr", lr), check_number("factor", factor))
    rule = options.get("momentum_rule", "keep")
    large = Phase(lr=lr, weight_decay=decay, name="SDE", **options)
    small = Phase(lr=slow, weight_decay=0.0, name="gradient flow", **options)
    return two_phase(epochs=epochs, transition_epoch=sde_epochs, large=large, small=small, momentum_rule=rule)
