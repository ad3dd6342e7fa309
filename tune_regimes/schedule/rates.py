"""Other coordinates of (learning rate, momentum, weight decay): the intrinsic learning rate and the step size.

Plain functions for a user's ``schedule(config)``: a space is drawn in coordinates that act apart from each other, and
turned here into what an optimizer is told. The equilibrium of a normalised network depends on the intrinsic learning
rate alone, while the learning rate only sets how it is reached; at one step size, momentum changes little.
"""

import math

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count, check_number


def intrinsic_lr(lr: float, weight_decay: float, momentum: float = 0.0) -> float:
    """Return the intrinsic learning rate per step, ``lr * weight_decay / (1 - momentum)``.

    Without momentum a step multiplies the weights by one minus this. With momentum it is that of the step size
    lr / (1 - momentum), which moves the weights about as far; the paper defines it as lr * weight_decay there too, and
    prints ``lr * weight_decay / (1 - momentum)`` for the equivalent *learning rate*, which is lr / (1 - momentum).

    Raises:
        ScheduleError: A value outside its range.

    Examples:
        >>> intrinsic_lr(0.4, 5e-4), round(intrinsic_lr(0.1, 5e-4, momentum=0.9), 6)
        (0.0002, 0.0005)

    References:
        Li, Lyu and Arora, Reconciling Modern Deep Learning with Traditional Optimization Analyses, 2020, Sec. 5, C.1.
    """
    decay = check_number("weight_decay", weight_decay)
    return check_number("lr", lr) * decay / (1 - check_number("momentum", momentum, below=1.0))


def weight_decay_for(intrinsic_lr: float, lr: float, momentum: float = 0.0) -> float:
    """Return the weight decay that gives an intrinsic learning rate: ``intrinsic_lr * (1 - momentum) / lr``.

    Args:
        intrinsic_lr: Intrinsic learning rate per step, in [0, 1); see :func:`intrinsic_lr`.
        lr: Learning rate, above 0.
        momentum: Momentum in the form of ``torch.optim.SGD``.

    Raises:
        ScheduleError: A learning rate of 0, with which no weight decay acts, or another value outside its range.

    Examples:
        >>> weight_decay_for(2e-4, lr=0.4)
        0.0005
        >>> weight_decay_for(2e-4, lr=0.0)
        Traceback (most recent call last):
        tune_regimes.errors.ScheduleError: an intrinsic learning rate is lr * weight_decay, so lr must be finite and
        above 0: received 0.0. Give a positive lr; a phase without weight decay has weight_decay=0.
    """
    rate = check_number("lr", lr)
    if rate == 0:
        raise ScheduleError(
            f"an intrinsic learning rate is lr * weight_decay, so lr must be finite and above 0: received {lr!r}. "
            "Give a positive lr; a phase without weight decay has weight_decay=0."
        )
    intrinsic = check_number("intrinsic_lr", intrinsic_lr, below=1.0)
    return intrinsic * (1 - check_number("momentum", momentum, below=1.0)) / rate


def lr_for(step_size: float, momentum: float) -> float:
    """Return the learning rate that gives a step size: ``step_size * (1 - momentum)``.

    Args:
        step_size: lr / (1 - momentum), how far a constant gradient moves the weights per step in the long run.
        momentum: Momentum in the form of ``torch.optim.SGD``.

    Raises:
        ScheduleError: A value outside its range.

    Examples:
        >>> lr_for(1.0, 0.75)
        0.25

    References:
        Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 3.2.
    """
    return check_number("step_size", step_size) * (1 - check_number("momentum", momentum, below=1.0))


def equilibrium_epochs(intrinsic_lr: float, steps_per_epoch: int, times: float = 2.0) -> int:
    """Return the epochs in which ``times / intrinsic_lr`` steps fit: what a phase needs to reach its equilibrium.

    The inverse square of the effective learning rate approaches its equilibrium as exp(-4 intrinsic_lr t), so that two
    times 1 / intrinsic_lr leave 0.03 % of the distance.

    Args:
        intrinsic_lr: Intrinsic learning rate per step, in (0, 1).
        steps_per_epoch: Optimizer steps of an epoch.
        times: How many times 1 / intrinsic_lr.

    Raises:
        ScheduleError: A value outside its range.

    Examples:
        >>> equilibrium_epochs(2e-4, steps_per_epoch=391)
        26

    References:
        Li, Lyu and Arora, 2020, Lemma 5.2 (Eq. 12).
    """
    rate = check_number("intrinsic_lr", intrinsic_lr, below=1.0, positive=True)
    steps = check_count("steps_per_epoch", steps_per_epoch, remedy="An epoch has one step or more.")
    return math.ceil(check_number("times", times, positive=True) / rate / steps)
