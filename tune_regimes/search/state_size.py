"""How much room a stored state takes, before anything is trained."""

from dataclasses import replace

import torch
from torch import nn

from tune_regimes.schedule import Phase, Policy, Settings
from tune_regimes.sharing.entries import pack
from tune_regimes.sharing.room import STATE
from tune_regimes.tasks import Task
from tune_regimes.training import state_to_bytes
from tune_regimes.training.observables import to_cpu
from tune_regimes.training.optimizers import ScheduledOptimizer
from tune_regimes.training.randomness import global_stream

_KEY = "0" * 64


def optimizers_of(policy: Policy) -> frozenset[Settings]:
    """The optimizers that a policy comes to use, each as settings that leave the weights as they are.

    They collect an average of the weights where the policy may do so.

    Examples:
        >>> from tune_regimes.schedule import two_phase
        >>> schedule = two_phase(epochs=9, transition_epoch=5, large=Phase(lr=0.1), small=Phase(lr=0.01, momentum=0.9))
        >>> sorted(settings.momentum for settings in optimizers_of(schedule))
        [0.0, 0.5]
    """
    average = (0.0, 1.0) if policy.averages_until else None
    return frozenset(replace(_still(phase), average=average) for phase in policy.forecast().phases)


def state_size(task: Task, optimizers: frozenset[Settings]) -> int:
    """Bytes of the largest state that is stored under any of the optimizers.

    That is weights, buffers of the model and of the optimizer, the weights at the start of the last epoch, the average
    of the weights where one is collected, and the entry's header; its history, of some hundred bytes for each epoch, is
    not counted.

    Args:
        task: What is trained.
        optimizers: What `optimizers_of` says.
    """
    with global_stream(torch.device("cpu"), 0, "size"):
        model = task.model()
    return max(_size(model, settings) for settings in optimizers)


def _still(phase: Phase) -> Settings:
    momentum = 0.0 if phase.beta1 == 0.0 else 0.5
    return Settings(phase.optimizer, lr=0.0, momentum=momentum, history_size=phase.history_size)


def _size(model: nn.Module, settings: Settings) -> int:
    optimizer = ScheduledOptimizer(model)
    optimizer.enter(settings)
    optimizer.fill()
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    state = {
        "epoch": 0,
        "diverged": False,
        "model": dict(model.state_dict()),
        "optimizer": optimizer.capture(),
        "start": to_cpu(trained),
        "average": None if settings.average is None else {"weight": 1.0, "mean": to_cpu(trained)},
    }
    return len(pack(STATE, _KEY, state_to_bytes(state)))
