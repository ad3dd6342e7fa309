"""Families whose learning rate rises before it falls: wsd, one_cycle."""

from typing import Unpack

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_number
from tune_regimes.schedule.families.options import PhaseOptions, SteadyOptions, warmup_epochs, whole_epochs
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.ramps import Ramp, Value
from tune_regimes.schedule.schedule import Schedule


def wsd(
    *,
    epochs: int,
    lr: float,
    warmup: float = 0,
    cooldown: float = 0.2,
    shape: str = "one_minus_sqrt",
    warmup_start: float = 0.0,
    final_lr: float = 0.0,
    per: str = "step",
    **options: Unpack[PhaseOptions],
) -> Schedule:
    """Warm up linearly, hold the learning rate, then cool down: warm-up, stable, decay.

    With f the fraction of the cool-down that is over, its default is ``final_lr + (lr - final_lr) (1 - sqrt(f))``.

    Args:
        epochs: Epochs of the schedule.
        lr: Learning rate of the stable phase.
        warmup: Length of the warm-up: epochs as an integer, or a fraction of `epochs` in (0, 1).
        cooldown: Length of the cool-down, likewise.
        shape: Shape of the cool-down, a kind of `Ramp`; "exponential" needs a `final_lr` above 0.
        warmup_start: Learning rate of the first step of the warm-up.
        final_lr: Learning rate at the end, which the last step does not quite reach.
        per: "step" or "epoch": how often the learning rate changes in the warm-up and the cool-down.
        **options: Further fields of `Phase`, the same in every phase.

    Returns:
        The schedule.

    Raises:
        ScheduleError: Warm-up and cool-down longer than the schedule, or a value that no phase can have.

    Examples:
        >>> schedule = wsd(epochs=10, lr=1.0, warmup=1, cooldown=4, per="epoch")
        >>> [schedule.settings(epoch, steps_per_epoch=10).lr for epoch in (0, 1, 5, 6, 7, 9)]
        [0.0, 1.0, 1.0, 1.0, 0.5, 0.133974596216]

    References:
        Haegele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations, 2024, eq. 1;
        Hu et al., MiniCPM, 2024, Sec. 4.
    """
    warm, cool = (whole_epochs(name, n, epochs) for name, n in (("warmup", warmup), ("cooldown", cooldown)))
    if warm + cool > epochs:
        raise ScheduleError(
            f"warmup and cooldown must fit into the schedule: received {warm} and {cool} of {epochs} epochs. "
            "Shorten one of them."
        )
    parts: list[tuple[str, Value, int]] = [
        ("warmup", Ramp("linear", warmup_start, lr, per), warm),
        ("stable", lr, epochs - warm - cool),
        ("cooldown", Ramp(shape, lr, final_lr, per), cool),
    ]
    return Schedule(tuple(Phase(lr=value, epochs=n, name=name, **options) for name, value, n in parts if n))


def one_cycle(
    *,
    epochs: int,
    lr: float,
    warmup: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    max_momentum: float = 0.95,
    base_momentum: float = 0.85,
    shape: str = "cosine",
    **options: Unpack[SteadyOptions],
) -> Schedule:
    """Raise the learning rate to a peak and anneal it far below its start, with momentum cycled the other way round.

    The learning rate runs ``lr / div_factor -> lr -> lr / div_factor / final_div_factor`` per step, and the momentum
    ``max_momentum -> base_momentum -> max_momentum``. The first step after the warm-up has exactly `lr`. In
    ``torch.optim.lr_scheduler.OneCycleLR`` the peak comes one step earlier and the last step has the final value; here
    the final value lies one step after the last.

    Args:
        epochs: Epochs of the schedule.
        lr: Largest learning rate.
        warmup: Length of the rise: epochs as an integer, or a fraction of `epochs` in (0, 1).
        div_factor: Largest over first learning rate.
        final_div_factor: First over final learning rate.
        max_momentum: Momentum (beta1 for adam and adamw) at both ends.
        base_momentum: Momentum at the peak of the learning rate.
        shape: Shape of both parts, a kind of `Ramp`.
        **options: Further fields of `Phase` but momentum.

    Returns:
        The schedule, of two phases.

    Raises:
        ScheduleError: A warm-up that leaves a part empty, or a value that no phase can have.

    Examples:
        >>> schedule = one_cycle(epochs=4, lr=1.0, warmup=2)
        >>> [schedule.settings(epoch, steps_per_epoch=2).lr for epoch in (0, 2)]
        [(0.04, 0.18058874503), (1.0, 0.85355397638)]
        >>> schedule.settings(2, steps_per_epoch=2).momentum
        (0.85, 0.864644660941)

    References:
        Smith, A disciplined approach to neural network hyper-parameters: Part 1, 2018; Smith and Topin,
        Super-Convergence, 2017 (three linear parts there; two parts of a cosine, as here, are the form in common use).
    """
    warm = warmup_epochs(warmup, epochs, low=1)
    lr = check_number("lr", lr)
    first = lr / check_number("div_factor", div_factor, positive=True)
    final = first / check_number("final_div_factor", final_div_factor, positive=True)
    parts = [
        ("rise", Ramp(shape, first, lr), Ramp(shape, max_momentum, base_momentum), warm),
        ("fall", Ramp(shape, lr, final), Ramp(shape, base_momentum, max_momentum), epochs - warm),
    ]
    return Schedule(tuple(Phase(lr=rate, momentum=mu, epochs=n, name=name, **options) for name, rate, mu, n in parts))
