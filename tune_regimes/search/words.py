"""Schedules in a line, for those who read them among Optuna's trials."""

from tune_regimes.schedule import Phase, Policy, Ramp


def in_words(policy: Policy) -> str:
    """A schedule in a line, by phases; of a policy, what it does unless observations change it.

    >>> from tune_regimes.schedule import Phase, Ramp, Schedule
    >>> in_words(Schedule((Phase(lr=0.1, epochs=3), Phase(lr=Ramp("cosine", 0.01, 0.0), momentum=0.9, epochs=2))))
    '3 epochs lr 0.1; 2 epochs lr 0.01 to 0, momentum 0.9'
    """
    kind = f"{type(policy).__name__}: " if policy.adaptive else ""
    return kind + "; ".join(_phase_in_words(phase) for phase in policy.forecast().phases)


def _phase_in_words(phase: Phase) -> str:
    named = {"lr": phase.lr, "momentum": phase.momentum, "weight decay": phase.weight_decay}
    settings = [f"{name} {_value_in_words(value)}" for name, value in named.items() if value]
    optimizer = "" if phase.optimizer == "sgd" else f"{phase.optimizer} "
    return f"{phase.length} epochs {optimizer}{', '.join(settings)}"


def _value_in_words(value: float | Ramp) -> str:
    return f"{value.start:g} to {value.end:g}" if isinstance(value, Ramp) else f"{value:g}"
