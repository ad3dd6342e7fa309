"""Schedules and policies in words: their phases, and what observations change."""

from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from typing import Any

from tune_regimes.cli.formatting import epoch_range, number, setting
from tune_regimes.schedule import Averaged, Fork, Phase, Policy, Ramp, Schedule
from tune_regimes.schedule.optimizers import USED

Row = tuple[str, str, str]

_PARTS = ("phase", "phases", "inner")
_ALWAYS = {
    "plateau": ("metric", "factor", "patience"),
    "autodrop": ("rho", "delay", "threshold", "min_lr"),
    "velocity_model": ("gamma", "epsilon", "tau", "unit"),
    "saturation": ("factor", "window", "threshold", "min_lr"),
    "equilibrium": ("tolerance", "window"),
    "averaged": ("rule", "last"),
}
"""By kind of policy, the fields that are told; the others are where they are not at their default."""


def schedule_rows(policy: Policy) -> list[Row]:
    """A schedule by phases: name, epochs from 1, and settings; of a policy its forecast, and then what it is.

    Examples:
        >>> schedule_rows(Schedule((Phase(lr=0.9, epochs=12, name="large-step"), Phase(lr=0.01, epochs=8))))
        [('large-step', 'epochs 1-12', 'sgd, lr 0.9'), ('phase 2', 'epochs 13-20', 'sgd, lr 0.01')]
    """
    schedule = policy.forecast()
    firsts = (0, *schedule.transitions)
    phases = [
        (phase.name or f"phase {index + 1}", epoch_range(first + 1, first + phase.length), phase_settings(phase))
        for index, (first, phase) in enumerate(zip(firsts, schedule.phases, strict=True))
    ]
    return phases + list(_policies(policy, schedule.epochs))


def _policies(policy: Policy, epochs: int) -> Iterator[Row]:
    """A row for each policy that is more than a schedule, the outermost first, and the epochs that it tells."""
    if isinstance(policy, Schedule):
        return
    if isinstance(policy, Fork):
        yield from _policies(policy.head, policy.at)
        return
    yield "policy", epoch_range(1, epochs), policy_settings(policy)
    if isinstance(policy, Averaged):
        yield from _policies(policy.inner, policy.inner.epochs)


def policy_settings(policy: Any) -> str:
    """A policy in words: what is at its default is left out, but for what every reader asks.

    Examples:
        >>> from tune_regimes.schedule import AutoDrop
        >>> policy_settings(AutoDrop(Phase(lr=0.1, epochs=9), rho=0.5, literal=True))
        'autodrop: rho 0.5, delay 20, threshold 0.01, min lr 0.0001, literal; observations change these settings'
    """
    told = _ALWAYS.get(policy.kind, ())
    others = [field.name for field in fields(policy) if field.name not in (*_PARTS, *told) and _is_set(policy, field)]
    words = ", ".join(_word(name, getattr(policy, name)) for name in (*told, *others))
    if isinstance(policy, Averaged):
        return f"averaged: {words}; one more epoch, with lr 0, adopts the average"
    changes = "; observations change these settings" if policy.adaptive else ""
    return f"{policy.kind.replace('_', ' ')}: {words}{changes}"


def _is_set(policy: Policy, field: Any) -> bool:
    return field.default is MISSING or bool(getattr(policy, field.name) != field.default)


def _word(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    return words if value is True else f"{words} {setting(value)}"


def phase_settings(phase: Phase) -> str:
    """The settings of a phase in words; what is off or at its default is left out.

    Examples:
        >>> phase_settings(Phase(lr=Ramp("cosine", 0.1, 0.0), momentum=0.9, nesterov=True, momentum_rule="reset"))
        'sgd, lr 0.1 to 0 (cosine), momentum 0.9, nesterov, buffers reset'
        >>> phase_settings(Phase(lr=0.01, optimizer="kfac", batches_per_step=8))
        'kfac, lr 0.01, damping 0.01, refresh 20, batches per step 8'
    """
    ramps = any(isinstance(value, Ramp) for value in (phase.lr, phase.momentum, phase.weight_decay))
    cut = f"ramps over {phase.ramp_epochs} epochs, of which these are the first" if phase.ramp_epochs and ramps else ""
    return ", ".join(filter(None, (phase.optimizer, *_values(phase), *_extras(phase), cut)))


def _values(phase: Phase) -> Iterable[str]:
    yield f"lr {_value(phase.lr)}"
    if phase.optimizer.startswith("adam"):
        yield f"beta1 {_value(phase.beta1)}"
        yield f"beta2 {number(phase.beta2)}" if phase.beta2 != 0.999 else ""
    elif phase.optimizer == "adadelta":
        yield f"rho {number(phase.rho)}"
    elif phase.beta1 != 0.0:
        yield f"momentum {_value(phase.beta1)}"
    for name in ("damping", "refresh", "history_size", "max_iter"):
        yield _word(name, getattr(phase, name)) if name in USED.get(phase.optimizer, ()) else ""
    if phase.weight_decay:
        yield f"weight decay {_value(phase.weight_decay)}" + (" on kernels" if phase.decay == "kernels" else "")


def _extras(phase: Phase) -> Iterable[str]:
    yield "nesterov" if phase.nesterov else ""
    yield f"line search {phase.line_search}" if phase.line_search != "none" else ""
    yield f"eps {number(phase.eps)}" if phase.eps is not None else ""
    yield f"gradient norm at most {number(phase.clip_norm)}" if phase.clip_norm is not None else ""
    yield f"batches per step {phase.batches_per_step}" if phase.batches_per_step > 1 else ""
    yield "weights averaged" if phase.averaging else ""
    yield "buffers reset" if phase.momentum_rule == "reset" else ""


def _value(value: float | Ramp) -> str:
    if isinstance(value, Ramp):
        shape = value.kind.replace("one_minus_sqrt", "1-sqrt") + (" by epoch" if value.per == "epoch" else "")
        return f"{number(value.start)} to {number(value.end)} ({shape})"
    return number(value)
