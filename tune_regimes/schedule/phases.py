"""A phase: the stretch of a schedule in which one optimizer runs with one set of values and ramps."""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_choice, check_count, check_fields, check_flag, check_number
from tune_regimes.schedule.optimizers import DEFAULT_MOMENTUM, OPTIMIZER_FAMILIES, USED, check_options
from tune_regimes.schedule.ramps import Ramp, Value, resolve
from tune_regimes.schedule.settings import DECAYS, Settings

MOMENTUM_RULES = ("keep", "reset")
_VALUES = ("lr", "momentum", "weight_decay")
_SHARED = (
    "optimizer", "nesterov", "beta2", "eps", "rho", "decay", "clip_norm",
    "history_size", "max_iter", "line_search", "damping", "refresh",
)  # fmt: skip
_OWNED = ("nesterov", "history_size", "max_iter", "line_search", "damping", "refresh")
_WRITTEN_WHERE_USED = (*_OWNED[1:], "batches_per_step")
_INSTEAD_OF_MOMENTUM = {"adadelta": ", or set rho instead", "lbfgs": ""}


@dataclass(frozen=True)
class Phase:
    """One phase of a schedule.

    Args:
        lr: Learning rate, a number or a `Ramp`.
        momentum: Momentum in the form of ``torch.optim.SGD``, beta1 for adam and adamw, that of Muon; None is the
            default of ``torch.optim`` (0.9 for adam and adamw, 0.95 for muon, else 0).
        weight_decay: Weight decay; None leaves it to the family that builds the schedule, else 0.
        epochs: Length of the phase; None leaves it to the family that builds the schedule.
        optimizer: "sgd", "adam", "adamw", "adadelta", "muon", "lbfgs" or "kfac": see `Settings`.
        nesterov: Nesterov momentum (sgd only).
        beta2: Decay of the second moment (adam, adamw).
        eps: Term added to the denominator; None is the default of ``torch.optim``.
        rho: Decay of the running averages (adadelta).
        momentum_rule: What happens to the buffers of the optimizer on entering the phase: "keep" or "reset". A change
            of optimizer family (see `Settings`) drops them under either rule.
        decay: Parameters that weight decay acts on: "all" or "kernels".
        clip_norm: Largest L2 norm of the gradient; None for no clipping.
        name: A label such as "large-step"; no part of the curve.
        ramp_epochs: Epochs over which the ramps run, where the phase ends before they do; None is the whole phase.
        history_size: Pairs of updates that L-BFGS remembers.
        max_iter: Iterations of L-BFGS in a step.
        line_search: "none" or "strong_wolfe" (lbfgs only).
        damping: Added to the factors of K-FAC, so that they can be inverted.
        refresh: Optimizer steps between two computations of the factors of K-FAC.
        batches_per_step: Successive batches whose mean gradient makes one step; as many as an epoch has, or more, are
            full-batch training. Ramps are read at the first batch of each group.

    Raises:
        ScheduleError: A value outside its range, an unknown name, a phase of no epochs, or a setting that the
            optimizer does not have.

    Examples:
        >>> Phase(lr=0.1, momentum=0.9, epochs=2).settings(0, steps_per_epoch=4).momentum
        0.9
        >>> Phase(lr=-0.1)
        Traceback (most recent call last):
        tune_regimes.errors.ScheduleError: lr must be finite and at least 0: received -0.1. Give a number in that range.
    """

    lr: Value
    momentum: Value | None = None
    weight_decay: Value | None = None
    epochs: int | None = None
    optimizer: str = "sgd"
    nesterov: bool = False
    beta2: float = 0.999
    eps: float | None = None
    rho: float = 0.9
    momentum_rule: str = "keep"
    decay: str = "all"
    clip_norm: float | None = None
    name: str = ""
    ramp_epochs: int | None = None
    history_size: int = 10
    max_iter: int = 4
    line_search: str = "none"
    damping: float = 1e-2
    refresh: int = 20
    batches_per_step: int = 1

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, OPTIMIZER_FAMILIES)
        check_choice("momentum rule", self.momentum_rule, MOMENTUM_RULES)
        check_choice("decay", self.decay, DECAYS)
        for name, value in self._checked().items():
            object.__setattr__(self, name, value)
        _refuse_unused(self)
        if not isinstance(self.name, str):
            raise ScheduleError(f"the name of a phase must be a string: received {self.name!r}. Put it in quotes.")

    def settings(self, epoch: int, steps_per_epoch: int) -> Settings:
        """Return the settings of an epoch of this phase.

        Args:
            epoch: Epoch of the phase, from 0.
            steps_per_epoch: Batches of an epoch.

        Returns:
            The settings, with `reset` False: what enters the phase is the schedule's to know.

        Raises:
            ScheduleError: The phase has no length yet, or no such epoch.
        """
        epochs = self.length
        check_count("epoch of a phase", epoch, low=0, high=epochs - 1, remedy="Ask for an epoch of the phase.")
        values: dict[str, Any] = {
            name: resolve(value, epoch, self.ramp_epochs or epochs, steps_per_epoch)
            for name, value in (("lr", self.lr), ("momentum", self.beta1), ("weight_decay", self.weight_decay or 0.0))
        }
        values["batches_per_step"] = min(self.batches_per_step, steps_per_epoch)
        return Settings(**{name: getattr(self, name) for name in _SHARED}, **values)

    @property
    def length(self) -> int:
        """The epochs of the phase.

        Raises:
            ScheduleError: The phase has no length yet.
        """
        if self.epochs is None:
            raise ScheduleError(
                "a phase of a schedule must have a length: received epochs=None. Give epochs=, or use a family."
            )
        return self.epochs

    @property
    def constant(self) -> bool:
        """Whether all its epochs, but for what happens on entering it, are told the same."""
        return not any(isinstance(getattr(self, name), Ramp) for name in _VALUES)

    @property
    def averaging(self) -> bool:
        """Whether weights enter an average in it: only in the forecast of a policy that says so."""
        return False

    def cut(self, epochs: int) -> "Phase":
        """Return the phase ended early: its epochs are told what they were told before.

        Examples:
            >>> Phase(lr=Ramp("linear", 0.4, 0.0, per="epoch"), epochs=4).cut(2).settings(1, steps_per_epoch=5).lr
            0.3
        """
        check_count("epochs of a cut phase", epochs, high=self.length, remedy="Keep some of its epochs.")
        whole = self.ramp_epochs or self.length
        return replace(self, epochs=epochs, ramp_epochs=None if self.constant or whole == epochs else whole)

    @property
    def beta1(self) -> Value:
        """The momentum, with the optimizer's default filled in."""
        return DEFAULT_MOMENTUM.get(self.optimizer, 0.0) if self.momentum is None else self.momentum

    def to_dict(self) -> dict[str, Any]:
        """Return the phase as a JSON object; what only few optimizers use is there where it is set."""
        defaults = _defaults()
        values = asdict(self)
        return {name: v for name, v in values.items() if name not in _WRITTEN_WHERE_USED or v != defaults[name]}

    @classmethod
    def from_dict(cls, received: object) -> "Phase":
        """Return the phase that a JSON object describes.

        Raises:
            ScheduleError: The object does not describe a phase.
        """
        known = check_fields("a phase", received, known=[field.name for field in fields(cls)], required=("lr",))
        ramps = {name: Ramp.from_dict(known[name]) for name in _VALUES if isinstance(known.get(name), dict)}
        return cls(**(known | ramps))

    def _checked(self) -> dict[str, Any]:
        checked: dict[str, Any] = {
            **check_options(self),
            "lr": _check_value("lr", self.lr),
            "beta2": check_number("beta2", self.beta2, below=1.0),
            "rho": check_number("rho", self.rho, below=1.0),
            "nesterov": check_flag("nesterov", self.nesterov),
        }
        if self.momentum is not None:
            checked["momentum"] = _check_value("momentum", self.momentum, below=1.0)
        if self.weight_decay is not None:
            checked["weight_decay"] = _check_value("weight_decay", self.weight_decay)
        if self.eps is not None:
            checked["eps"] = check_number("eps", self.eps)
        if self.clip_norm is not None:
            checked["clip_norm"] = check_number("clip_norm", self.clip_norm, positive=True)
        if self.epochs is not None:
            checked["epochs"] = check_count("epochs of a phase", self.epochs, remedy="Leave out a phase that is empty.")
        if self.ramp_epochs is not None:
            checked["ramp_epochs"] = check_count(
                "ramp_epochs", self.ramp_epochs, low=self.epochs or 1, remedy="Ramps end with the phase or after it."
            )
        return checked


def _check_value(name: str, value: object, *, below: float = math.inf) -> Value:
    if not isinstance(value, Ramp):
        return check_number(name, value, below=below)
    for end in ("start", "end"):
        check_number(f"{name} at the {end} of its ramp", getattr(value, end), below=below)
    return value


def _defaults() -> dict[str, Any]:
    return {field.name: field.default for field in fields(Phase)}


def _refuse_unused(phase: Phase) -> None:
    family, defaults = OPTIMIZER_FAMILIES[phase.optimizer], _defaults()
    for name in _OWNED:
        value = getattr(phase, name)
        if value != defaults[name] and name not in USED[family]:
            owner = next(owner for owner, used in USED.items() if name in used)
            raise ScheduleError(
                f"{name} belongs to {owner}: received {name}={value!r} with optimizer={phase.optimizer!r}. "
                "Leave one of them out."
            )
    if "momentum" not in USED[family] and phase.beta1 != 0.0:
        raise ScheduleError(
            f"{phase.optimizer} has no momentum: received momentum={phase.momentum!r}. "
            f"Leave it out{_INSTEAD_OF_MOMENTUM[phase.optimizer]}."
        )
