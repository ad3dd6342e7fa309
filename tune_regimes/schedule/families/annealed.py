"""Families whose learning rate falls along a curve: cosine, sgdr, exponential."""

from itertools import accumulate
from typing import Unpack

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count, check_number
from tune_regimes.schedule.families.options import AT_LEAST_ONE, PhaseOptions, warmup_epochs
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.ramps import Ramp
from tune_regimes.schedule.schedule import Schedule


def cosine(
    *,
    epochs: int,
    lr: float,
    min_lr: float = 0.0,
    warmup: float = 0,
    warmup_start: float = 0.0,
    per: str = "step",
    **options: Unpack[PhaseOptions],
) -> Schedule:
    """Anneal the learning rate along half a cosine, after a linear warm-up if one is asked for.

    With f the fraction of the annealing that is over: ``min_lr + (lr - min_lr) (1 + cos(pi f)) / 2``.

    Args:
        epochs: Epochs of the schedule.
        lr: Largest learning rate.
        min_lr: Learning rate at the end, which the last step does not quite reach.
        warmup: Length of the warm-up: epochs as an integer, or a fraction of `epochs` in (0, 1).
        warmup_start: Learning rate of the first step of the warm-up.
        per: "step" or "epoch": how often the learning rate changes.
        **options: Further fields of `Phase`.

    Returns:
        The schedule.

    Raises:
        ScheduleError: The warm-up leaves no epoch to anneal, or a value that no phase can have.

    Examples:
        >>> schedule = cosine(epochs=4, lr=0.4, per="epoch")
        >>> [schedule.settings(epoch, steps_per_epoch=10).lr for epoch in (0, 2, 3)]
        [0.4, 0.2, 0.0585786437627]
        >>> cosine(epochs=2, lr=0.4, warmup=1).settings(0, steps_per_epoch=4).lr
        (0.0, 0.1, 0.2, 0.3)

    References:
        Loshchilov and Hutter, SGDR, 2017, eq. 5, one cycle; ``torch.optim.lr_scheduler.CosineAnnealingLR``.
    """
    warm = warmup_epochs(warmup, epochs)
    ramps = [
        ("warmup", Ramp("linear", warmup_start, lr, per), warm),
        ("cosine", Ramp("cosine", lr, min_lr, per), epochs - warm),
    ]
    return Schedule(tuple(Phase(lr=ramp, epochs=n, name=name, **options) for name, ramp, n in ramps if n))


def sgdr(
    *,
    epochs: int,
    lr: float,
    t_0: int,
    t_mult: int = 1,
    min_lr: float = 0.0,
    per: str = "step",
    **options: Unpack[PhaseOptions],
) -> Schedule:
    """Anneal the learning rate along half a cosine and restart it, in cycles that may grow.

    Cycle i has ``t_0 t_mult^i`` epochs; with f the fraction of it that is over, the learning rate is
    ``min_lr + (lr - min_lr) (1 + cos(pi f)) / 2``.

    Args:
        epochs: Epochs of the schedule, a whole number of cycles: ``t_0 (1 + t_mult + t_mult^2 + ...)``.
        lr: Learning rate at the beginning of each cycle.
        t_0: Epochs of the first cycle.
        t_mult: What the length of a cycle is multiplied by for the next.
        min_lr: Learning rate at the end of each cycle, which its last step does not quite reach.
        per: "step" (as in the paper) or "epoch": how often the learning rate changes.
        **options: Further fields of `Phase`, the same in every cycle. Buffers are kept over a restart unless
            ``momentum_rule="reset"``.

    Returns:
        The schedule, one phase per cycle.

    Raises:
        ScheduleError: A cycle that `epochs` cuts off, or a value that no phase can have.

    Examples:
        >>> schedule = sgdr(epochs=7, lr=0.4, t_0=1, t_mult=2)
        >>> schedule.transitions
        (1, 3)
        >>> [schedule.settings(epoch, steps_per_epoch=1).lr for epoch in range(7)]
        [0.4, 0.4, 0.2, 0.4, 0.341421356237, 0.2, 0.0585786437627]

    References:
        Loshchilov and Hutter, SGDR, 2017, eq. 5; ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.
    """
    epochs = check_count("epochs", epochs, remedy=AT_LEAST_ONE)
    lengths = [check_count("t_0", t_0, remedy="Give the first cycle one epoch or more.")]
    t_mult = check_count("t_mult", t_mult, remedy="Use 1 for cycles of one length.")
    while sum(lengths) < epochs:
        lengths.append(lengths[-1] * t_mult)
    ends = list(accumulate(lengths))
    if ends[-1] != epochs:
        raise ScheduleError(
            f"epochs must end a cycle: received {epochs} with t_0={t_0} and t_mult={t_mult}. "
            f"Choose {' or '.join(map(str, ends[-2:]))}."
        )
    ramp = Ramp("cosine", lr, min_lr, per)
    return Schedule(
        tuple(Phase(lr=ramp, epochs=n, name=f"cycle-{i}", **options) for i, n in enumerate(lengths, start=1))
    )


def exponential(
    *, epochs: int, lr: float, gamma: float, per: str = "epoch", **options: Unpack[PhaseOptions]
) -> Schedule:
    """Multiply the learning rate by a constant factor every epoch.

    Epoch e is told ``lr * gamma^e``; with ``per="step"`` e counts fractions of an epoch too.

    Args:
        epochs: Epochs of the schedule.
        lr: Learning rate of the first epoch, above 0.
        gamma: The factor, above 0; above 1 the learning rate grows, as in a range test.
        per: "epoch" or "step": how often the learning rate changes.
        **options: Further fields of `Phase`.

    Returns:
        The schedule, of one phase.

    Raises:
        ScheduleError: A learning rate or factor that is not above 0, or a last learning rate that no float holds.

    Examples:
        >>> schedule = exponential(epochs=3, lr=0.1, gamma=0.5)
        >>> [schedule.settings(epoch, steps_per_epoch=10).lr for epoch in range(3)]
        [0.1, 0.05, 0.025]

    References:
        ``torch.optim.lr_scheduler.ExponentialLR``.
    """
    epochs = check_count("epochs", epochs, remedy=AT_LEAST_ONE)
    lr, gamma = check_number("lr", lr, positive=True), check_number("gamma", gamma, positive=True)
    end = _grown(lr, gamma, epochs)
    return Schedule((Phase(lr=Ramp("exponential", lr, end, per), epochs=epochs, name="exponential", **options),))


def _grown(lr: float, gamma: float, epochs: int) -> float:
    try:
        end = lr * gamma**epochs
    except OverflowError:
        end = float("inf")
    if not 0 < end < float("inf"):
        raise ScheduleError(
            f"lr * gamma^epochs must be a positive float: received {end!r} from lr={lr!r}, gamma={gamma!r} and "
            f"epochs={epochs}. Bring gamma nearer to 1, or train for fewer epochs."
        )
    return end
