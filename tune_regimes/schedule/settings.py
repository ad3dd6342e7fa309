"""What one epoch of training is told, resolved to plain values and brought to one canonical form."""

from dataclasses import dataclass, fields, replace
from typing import Any

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_choice, check_fields, check_flag, check_number, check_numbers

PerStep = float | tuple[float, ...]

OPTIMIZER_FAMILIES = {"sgd": "sgd", "adam": "adam", "adamw": "adam", "adadelta": "adadelta"}
DECAYS = ("all", "kernels")
DEFAULT_EPS = {"adam": 1e-8, "adamw": 1e-8, "adadelta": 1e-6}
DEFAULT_MOMENTUM = {"sgd": 0.0, "adam": 0.9, "adamw": 0.9, "adadelta": 0.0}
_USED = {
    "sgd": {"momentum", "nesterov"},
    "adam": {"momentum", "beta2", "eps"},
    "adadelta": {"rho", "eps"},
}
_CONDITIONAL = ("momentum", "nesterov", "beta2", "eps", "rho")


@dataclass(frozen=True)
class Settings:
    """The settings of one epoch: equal settings mean equal training, and differing settings are trained apart.

    Construction brings the fields to a canonical form: a tuple of equal values becomes one value, a field that the
    optimizer does not use returns to its default, ``nesterov`` without momentum is False, ``decay`` without weight
    decay is "all", and an ``eps`` of None becomes the optimizer's default.

    Buffers of the optimizer (momentum, moments, step counts) are kept from epoch to epoch within a `family` of
    optimizers: sgd with and without Nesterov share one, and so do adam and adamw. They are dropped where `reset` says
    so, and always where the family changes. A step of sgd without momentum leaves no buffer.

    Args:
        optimizer: "sgd", "adam", "adamw" or "adadelta", in the form of ``torch.optim``.
        lr: Learning rate; a tuple holds one value per step.
        momentum: Momentum in the form of ``torch.optim.SGD`` without dampening, beta1 for adam and adamw.
        weight_decay: Weight decay, coupled as in the ``torch.optim`` class (decoupled for adamw).
        nesterov: Nesterov momentum (sgd).
        beta2: Decay of the second moment (adam, adamw).
        eps: Term added to the denominator (adam, adamw, adadelta); None is the default of ``torch.optim``.
        rho: Decay of the running averages (adadelta).
        decay: Parameters that weight decay acts on: "all", or "kernels" (tensors of two or more dimensions).
        clip_norm: Largest L2 norm of the gradient of all parameters together; None for no clipping.
        reset: Whether the buffers are dropped before the epoch.

    Raises:
        ScheduleError: A value outside its range, an unknown name, or per-step tuples of different lengths.

    Examples:
        >>> Settings("sgd", lr=(0.1, 0.1)) == Settings("sgd", lr=0.1, beta2=0.5)
        True
        >>> Settings("adam", lr=1e-3, momentum=0.9).to_dict()
        {'optimizer': 'adam', 'lr': 0.001, 'weight_decay': 0.0, 'momentum': 0.9, 'beta2': 0.999, 'eps': 1e-08}
    """

    optimizer: str
    lr: PerStep
    momentum: PerStep = 0.0
    weight_decay: PerStep = 0.0
    nesterov: bool = False
    beta2: float = 0.999
    eps: float | None = None
    rho: float = 0.9
    decay: str = "all"
    clip_norm: float | None = None
    reset: bool = False

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, OPTIMIZER_FAMILIES)
        check_choice("decay", self.decay, DECAYS)
        canonical = self._checked() | self._neutral()
        for name, value in canonical.items():
            object.__setattr__(self, name, value)
        if not self._used("nesterov"):
            object.__setattr__(self, "nesterov", False)
        if self.weight_decay == 0.0:
            object.__setattr__(self, "decay", "all")
        _check_lengths(self)

    @property
    def family(self) -> str:
        """The optimizers among which buffers can be kept: "sgd", "adam" (adam and adamw) or "adadelta"."""
        return OPTIMIZER_FAMILIES[self.optimizer]

    def to_dict(self) -> dict[str, Any]:
        """Return the canonical JSON object: only the fields that act on the epoch."""
        values: dict[str, Any] = {"optimizer": self.optimizer, "lr": self.lr, "weight_decay": self.weight_decay}
        values |= {name: getattr(self, name) for name in _CONDITIONAL if self._used(name)}
        if self.weight_decay != 0.0:
            values["decay"] = self.decay
        if self.clip_norm is not None:
            values["clip_norm"] = self.clip_norm
        if self.reset:
            values["reset"] = True
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, received: object) -> "Settings":
        """Return the settings that a JSON object describes.

        Raises:
            ScheduleError: The object does not describe settings.
        """
        names = [field.name for field in fields(cls)]
        known = check_fields("a settings object", received, known=names, required=("optimizer", "lr"))
        tuples = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**(known | tuples))

    def with_reset(self) -> "Settings":
        """Return the same settings with the buffers dropped before the epoch."""
        return replace(self, reset=True)

    def _checked(self) -> dict[str, Any]:
        eps = DEFAULT_EPS.get(self.optimizer) if self.eps is None else check_number("eps", self.eps)
        clip = None if self.clip_norm is None else check_number("clip_norm", self.clip_norm, positive=True)
        return {
            "lr": check_per_step("lr", self.lr),
            "momentum": check_per_step("momentum", self.momentum, below=1.0),
            "weight_decay": check_per_step("weight_decay", self.weight_decay),
            "beta2": check_number("beta2", self.beta2, below=1.0),
            "rho": check_number("rho", self.rho, below=1.0),
            "eps": eps,
            "clip_norm": clip,
            "nesterov": check_flag("nesterov", self.nesterov),
            "reset": check_flag("reset", self.reset),
        }

    def _neutral(self) -> dict[str, Any]:
        defaults = {field.name: field.default for field in fields(self)}
        return {name: defaults[name] for name in _CONDITIONAL if name not in _USED[self.family]}

    def _used(self, name: str) -> bool:
        return name in _USED[self.family] and not (name == "nesterov" and self.momentum == 0.0)


def check_per_step(name: str, value: object, *, below: float = float("inf")) -> PerStep:
    """Return one number or one number per step, checked; a tuple of equal numbers becomes one number.

    Raises:
        ScheduleError: A number outside its range, or an empty tuple.
    """
    if not isinstance(value, tuple):
        return check_number(name, value, below=below)
    numbers = check_numbers(name, value, below=below)
    return numbers[0] if min(numbers) == max(numbers) else numbers


def at_step(value: PerStep, step: int) -> float:
    """Return the value of a step of the epoch, counted from 0."""
    return value[step] if isinstance(value, tuple) else value


def _check_lengths(settings: Settings) -> None:
    values = {name: getattr(settings, name) for name in ("lr", "momentum", "weight_decay")}
    lengths = {name: len(value) for name, value in values.items() if isinstance(value, tuple)}
    if len(set(lengths.values())) > 1:
        raise ScheduleError(
            f"values per step must have one length, the steps of the epoch: received {lengths}. Give as many of each."
        )
