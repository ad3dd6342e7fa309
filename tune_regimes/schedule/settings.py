"""What one epoch of training is told, resolved to plain values and brought to one canonical form."""

from dataclasses import dataclass, fields, replace
from typing import Any

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_choice, check_fields, check_flag, check_number, check_numbers
from tune_regimes.schedule.optimizers import CONDITIONAL, DEFAULT_EPS, OPTIMIZER_FAMILIES, USED, check_options

PerStep = float | tuple[float, ...]
PER_STEP = ("lr", "momentum", "weight_decay")
"""The fields that can have a value for each batch of the epoch."""

DECAYS = ("all", "kernels")
_OPTIONAL = ("clip_norm", "reset", "batches_per_step", "average", "adopt")


@dataclass(frozen=True)
class Settings:
    """The settings of one epoch: equal settings mean equal training, and differing settings are trained apart.

    Construction brings the fields to a canonical form: a tuple of equal values becomes one value, a field that the
    optimizer does not use returns to its default, ``nesterov`` without momentum is False, ``decay`` without weight
    decay is "all", an ``eps`` of None becomes the optimizer's default, and the values of batches that share a step
    become that of the first of them.

    Buffers of the optimizer (momentum, moments, curvature pairs, step counts) are kept from epoch to epoch within a
    `family` of optimizers: sgd with and without Nesterov share one, and so do adam and adamw; every other is a family
    of its own. They are dropped where `reset` says so, and always where the family changes. A step of sgd or kfac
    without momentum leaves no buffer; the factors of kfac are computed anew in every epoch, and are none.

    A running average of the weights is kept beside them: before the first step of the epoch, the weights enter it as
    `average` says, and then take its place as `adopt` says.

    Args:
        optimizer: "sgd", "adam", "adamw", "adadelta", "muon" or "lbfgs", in the form of ``torch.optim``, or "kfac":
            gradients preconditioned by K-FAC, then sgd with momentum. Under muon only kernels follow Muon, flattened to
            matrices and scaled to the size of AdamW's updates; all other parameters follow AdamW with its defaults, at
            the same learning rate and weight decay.
        lr: Learning rate; a tuple holds one value per batch of the epoch.
        momentum: Momentum in the form of ``torch.optim.SGD`` without dampening, beta1 for adam and adamw, that of Muon.
        weight_decay: Weight decay, coupled as in the ``torch.optim`` class (decoupled for adamw).
        nesterov: Nesterov momentum (sgd).
        beta2: Decay of the second moment (adam, adamw).
        eps: Term added to the denominator (adam, adamw, adadelta); None is the default of ``torch.optim``.
        rho: Decay of the running averages (adadelta).
        decay: Parameters that weight decay acts on: "all", or "kernels" (tensors of two or more dimensions).
        clip_norm: Largest L2 norm of the gradient of all parameters together; None for no clipping.
        reset: Whether the buffers are dropped before the epoch.
        history_size: Pairs of updates that L-BFGS remembers.
        max_iter: Iterations of L-BFGS in a step.
        line_search: "none" or "strong_wolfe" (lbfgs).
        damping: Added to the factors of K-FAC, so that they can be inverted.
        refresh: Optimizer steps between two computations of the factors of K-FAC.
        batches_per_step: Successive batches whose mean gradient makes one step; a smaller group at the end of the epoch
            makes one too. Values per step are read at the first batch of the group.
        average: (keep, weight): the weights enter the running average with this weight, in (0, inf), after the weight
            collected so far was multiplied by keep, in [0, 1]; keep 0 begins a new average. None leaves it as it is.
        adopt: A factor; above 0, the weights become this factor times the average, which is dropped; running statistics
            of BatchNorm are computed anew over the epoch's batches, and the optimizer's buffers are kept. 1 is the
            average itself.

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
    history_size: int = 10
    max_iter: int = 4
    line_search: str = "none"
    damping: float = 1e-2
    refresh: int = 20
    batches_per_step: int = 1
    average: tuple[float, float] | None = None
    adopt: float = 0.0

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
        """The optimizers among which buffers can be kept: "adam" for adam and adamw, else the optimizer's own name."""
        return OPTIMIZER_FAMILIES[self.optimizer]

    def to_dict(self) -> dict[str, Any]:
        """Return the canonical JSON object: only the fields that act on the epoch."""
        values: dict[str, Any] = {"optimizer": self.optimizer, "lr": self.lr, "weight_decay": self.weight_decay}
        values |= {name: getattr(self, name) for name in CONDITIONAL if self._used(name)}
        if self.weight_decay != 0.0:
            values["decay"] = self.decay
        neutral = {field.name: field.default for field in fields(self) if field.name in _OPTIONAL}
        values |= {name: getattr(self, name) for name in _OPTIONAL if getattr(self, name) != neutral[name]}
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
        options = check_options(self)
        group = options["batches_per_step"]
        return {
            **options,
            "lr": check_per_step("lr", self.lr, group=group),
            "momentum": check_per_step("momentum", self.momentum, below=1.0, group=group),
            "weight_decay": check_per_step("weight_decay", self.weight_decay, group=group),
            "beta2": check_number("beta2", self.beta2, below=1.0),
            "rho": check_number("rho", self.rho, below=1.0),
            "eps": eps,
            "clip_norm": clip,
            "nesterov": check_flag("nesterov", self.nesterov),
            "reset": check_flag("reset", self.reset),
            "average": None if self.average is None else _check_average(self.average),
            "adopt": check_number("adopt", self.adopt),
        }

    def _neutral(self) -> dict[str, Any]:
        defaults = {field.name: field.default for field in fields(self)}
        return {name: defaults[name] for name in CONDITIONAL if name not in USED[self.family]}

    def _used(self, name: str) -> bool:
        return name in USED[self.family] and not (name == "nesterov" and self.momentum == 0.0)


def check_per_step(name: str, value: object, *, below: float = float("inf"), group: int = 1) -> PerStep:
    """Return one number or one number per batch, checked; a tuple of equal numbers becomes one number.

    Args:
        name: What the number is, for the message.
        value: A number, or a tuple of them.
        below: Every number must be smaller than this.
        group: Batches that share a step: each takes the value of the first of its group.

    Raises:
        ScheduleError: A number outside its range, or an empty tuple.
    """
    if not isinstance(value, tuple):
        return check_number(name, value, below=below)
    numbers = check_numbers(name, value, below=below)
    if group > 1:
        numbers = tuple(numbers[index - index % group] for index in range(len(numbers)))
    return numbers[0] if min(numbers) == max(numbers) else numbers


def at_step(value: PerStep, step: int) -> float:
    """Return the value of a step of the epoch, counted from 0."""
    return value[step] if isinstance(value, tuple) else value


def _check_lengths(settings: Settings) -> None:
    values = {name: getattr(settings, name) for name in PER_STEP}
    lengths = {name: len(value) for name, value in values.items() if isinstance(value, tuple)}
    if len(set(lengths.values())) > 1:
        raise ScheduleError(
            f"values per step must have one length, the steps of the epoch: received {lengths}. Give as many of each."
        )


def _check_average(received: object) -> tuple[float, float]:
    if not isinstance(received, (tuple, list)) or len(received) != 2:
        raise ScheduleError(f"average must be a pair (keep, weight): received {received!r}. Give two numbers.")
    keep = check_number("keep of an average", received[0])
    if keep > 1.0:
        raise ScheduleError(
            f"keep of an average must lie in [0, 1]: received {keep!r}. Give the share of the old weight that stays."
        )
    return keep, check_number("weight of an average", received[1], positive=True)
