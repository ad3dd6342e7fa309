"""Weight decay as a learning rate that grows exponentially: exponential_equivalent."""

import math
from dataclasses import replace

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count, check_number
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.ramps import Ramp, Value, round_significant
from tune_regimes.schedule.schedule import Schedule

LARGEST_LR = 3.4028234e38
"""Largest learning rate of an exponential equivalent: the largest number in float32, in which weights are kept."""


def exponential_equivalent(schedule: Schedule, *, steps_per_epoch: int, printed: bool = False) -> Schedule:
    """Replace weight decay by a learning rate that grows exponentially: the same path of a scale-invariant network.

    With weight decay a step is ``w' = (1 - e_t) w - lr_t g(w)``, where e_t = lr_t * weight_decay_t. Let P_t be the
    product of (1 - e_s) over the steps s before t. Then w / P_t goes without weight decay at the learning rate
    ``lr_t / (P_t P_{t+1})``, because g(w / P_t) = P_t g(w). For constant settings this is
    ``lr (1 - e)^-(2t+1)``; the paper prints ``lr (1 - e)^-(2t)``, which follows the same path only roughly.

    Args:
        schedule: Phases of sgd without momentum, clipping or ramps, a step a batch, with weight decay on all weights.
        steps_per_epoch: Optimizer steps of an epoch.
        printed: Whether to take the exponent as printed, 2t, in place of the exact one, 2t + 1.

    Returns:
        A schedule of as many phases without weight decay, whose learning rates rise per step.

    Raises:
        ScheduleError: A phase of another kind, an intrinsic learning rate of 1 or more, or a learning rate that grows
            beyond what float32 holds.

    Examples:
        >>> schedule = Schedule((Phase(lr=0.4, weight_decay=0.5, epochs=1),))
        >>> exponential_equivalent(schedule, steps_per_epoch=3).settings(0, steps_per_epoch=3).lr
        (0.5, 0.78125, 1.220703125)
        >>> exponential_equivalent(schedule, steps_per_epoch=3, printed=True).settings(0, steps_per_epoch=3).lr
        (0.4, 0.625, 0.9765625)

    References:
        Li, Lyu and Arora, 2020, App. B; Li and Arora, An Exponential Learning Rate Schedule for Deep Learning, 2020.
    """
    check_count("steps_per_epoch", steps_per_epoch, remedy="An epoch has one step or more.")
    grown, phases = 0.0, []
    for phase in schedule.phases:
        lr, decay = _constants(phase)
        growth = -math.log1p(-check_number("lr * weight_decay", lr * decay, below=1.0))
        rising = _rising(lr, growth, 2 * grown + (0.0 if printed else growth), phase.length, steps_per_epoch)
        phases.append(replace(phase, lr=rising, weight_decay=0.0))
        grown += growth * phase.length * steps_per_epoch
    return Schedule(tuple(phases))


def _constants(phase: Phase) -> tuple[float, float]:
    """The learning rate and the weight decay of a phase that is plain sgd."""
    plain = phase.optimizer == "sgd" and phase.beta1 == 0.0 and phase.clip_norm is None and phase.decay == "all"
    if not plain or phase.batches_per_step != 1 or isinstance(phase.lr, Ramp) or isinstance(phase.weight_decay, Ramp):
        raise ScheduleError(
            "weight decay equals an exponential learning rate for constant sgd without momentum or clipping, a step a "
            f"batch, and with decay='all': received {phase!r}. Leave out what is more."
        )
    return phase.lr, phase.weight_decay or 0.0


def _rising(lr: float, growth: float, offset: float, epochs: int, steps_per_epoch: int) -> Value:
    """``lr exp(offset + 2 growth t)`` over the steps t of a phase, in log space."""
    if lr == 0.0:
        return lr
    start = math.log(lr) + offset
    end = start + 2 * growth * epochs * steps_per_epoch
    if end > math.log(LARGEST_LR):
        fit = math.floor((math.log(LARGEST_LR) - start) / (2 * growth * steps_per_epoch)) if growth else 0
        raise ScheduleError(
            f"an exponential learning rate must stay below {LARGEST_LR:.1e}, the largest number in float32: received "
            f"one that grows to 10^{end / math.log(10):.0f}. Train this phase for at most {max(fit, 0)} epochs, or "
            "with less weight decay."
        )
    return Ramp("exponential", math.exp(start), math.exp(end)) if growth else round_significant(math.exp(start))
