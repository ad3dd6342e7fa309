"""Values that change inside a phase: a ramp runs from one number to another, per step or per epoch."""

import math
from dataclasses import asdict, dataclass, fields

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_choice, check_fields, check_number

SHAPES = ("linear", "cosine", "exponential", "one_minus_sqrt")
PERIODS = ("step", "epoch")
SIGNIFICANT_DIGITS = 12


@dataclass(frozen=True)
class Ramp:
    """A value that runs from `start` to `end` over one phase.

    With f the fraction of the phase that is over, in [0, 1):

    - linear: ``start + (end - start) f``
    - cosine: ``end + (start - end) (1 + cos(pi f)) / 2``
    - exponential: ``start (end / start)^f``
    - one_minus_sqrt: ``end + (start - end) (1 - sqrt(f))``

    The interval is half open: the first step has exactly f = 0, and `end` is where the next phase takes over, as in
    ``torch.optim.lr_scheduler.CosineAnnealingLR``. With ``per="epoch"`` every step has the value of its epoch's first.

    Args:
        kind: One of "linear", "cosine", "exponential", "one_minus_sqrt".
        start: Value at the beginning of the phase.
        end: Value at the end of the phase.
        per: "step" or "epoch": how often the value changes.

    Raises:
        ScheduleError: An unknown kind or period, an end that is not finite, or an exponential ramp that touches zero.

    Examples:
        >>> Ramp("cosine", 0.4, 0.0).at(0.5)
        0.2
        >>> Ramp("one_minus_sqrt", 1.0, 0.0).at(0.25)
        0.5

    References:
        Loshchilov and Hutter, SGDR, 2017, eq. 5 (cosine); Haegele et al., Scaling Laws and Compute-Optimal Training
        Beyond Fixed Training Durations, 2024, eq. 1 (1 - sqrt).
    """

    kind: str
    start: float
    end: float
    per: str = "step"

    def __post_init__(self) -> None:
        check_choice("kind of ramp", self.kind, SHAPES)
        check_choice("period of a ramp", self.per, PERIODS)
        for name in ("start", "end"):
            object.__setattr__(self, name, check_number(f"{name} of a ramp", getattr(self, name), low=-math.inf))
        if self.kind == "exponential" and min(self.start, self.end) <= 0:
            raise ScheduleError(
                f"an exponential ramp needs two positive ends: received {self.start!r} and {self.end!r}. "
                "Use kind='linear' or 'cosine' to start from or arrive at zero."
            )

    def at(self, fraction: float) -> float:
        """Return the unrounded value once a fraction of the phase, in [0, 1], is over: `start` at 0, `end` at 1."""
        if fraction in (0, 1):
            return self.end if fraction else self.start
        if self.kind == "exponential":
            return math.exp((1 - fraction) * math.log(self.start) + fraction * math.log(self.end))
        remaining = _remaining(self.kind, fraction)
        return remaining * self.start + (1 - remaining) * self.end

    def to_dict(self) -> dict[str, object]:
        """Return the ramp as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, received: object) -> "Ramp":
        """Return the ramp that a JSON object describes.

        Raises:
            ScheduleError: The object does not describe a ramp.
        """
        names = [field.name for field in fields(cls)]
        return cls(**check_fields("a ramp", received, known=names, required=("kind", "start", "end")))


Value = float | Ramp


def _remaining(kind: str, fraction: float) -> float:
    if kind == "linear":
        return 1 - fraction
    if kind == "cosine":
        return (1 + math.cos(math.pi * fraction)) / 2
    return 1 - math.sqrt(fraction)


def round_significant(value: float) -> float:
    """Round to 12 significant digits, so that two ways to compute a number give the same number.

    Examples:
        >>> round_significant(0.1 * 0.1**2), 0.1 * 0.1**2
        (0.001, 0.0010000000000000002)
    """
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def resolve(value: Value, epoch: int, epochs: int, steps_per_epoch: int) -> float | tuple[float, ...]:
    """Return what a value is during one epoch of a phase.

    Args:
        value: A constant, returned bit for bit, or a ramp, whose values are rounded to 12 significant digits.
        epoch: Epoch of the phase, from 0.
        epochs: Length of the phase, in epochs.
        steps_per_epoch: Batches of an epoch; each is a step unless `batches_per_step` says otherwise.

    Returns:
        One number, or one number per step where the ramp changes per step.

    Examples:
        >>> resolve(Ramp("linear", 0.4, 0.0), epoch=1, epochs=2, steps_per_epoch=2)
        (0.2, 0.1)
        >>> resolve(Ramp("linear", 0.4, 0.0, per="epoch"), epoch=1, epochs=2, steps_per_epoch=2)
        0.2
    """
    if not isinstance(value, Ramp):
        return value
    if value.start == value.end:
        return value.start
    if value.per == "epoch":
        return round_significant(value.at(epoch / epochs))
    first, total = epoch * steps_per_epoch, epochs * steps_per_epoch
    return tuple(round_significant(value.at(step / total)) for step in range(first, first + steps_per_epoch))
