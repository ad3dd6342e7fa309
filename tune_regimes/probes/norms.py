"""Norms: how large the scale-invariant weights are, the effective learning rate that follows, and BatchNorm's scale.

Source: Intrinsic Learning Rate (Li, Lyu and Arora, 2020), section 5; Break-Even Point (Jastrzebski et al., 2020),
section 4.3, for the scale of the last BatchNorm layer.
"""

import math
from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tune_regimes.probes.applied import applied
from tune_regimes.probes.probe import Measured, Probe, ProbeColumn
from tune_regimes.tasks import Task
from tune_regimes.tasks.scale_invariance import scale_invariance
from tune_regimes.training.moment import Moment
from tune_regimes.training.observables import weight_norm
from tune_regimes.training.randomness import global_stream

Groups = tuple[tuple[str, ...], ...]
"""Names of parameters that are scaled together, group by group."""
ROWS = 8
"""Training examples on which the groups are looked for: the first ones."""

_found: WeakKeyDictionary[Task, Groups] = WeakKeyDictionary()


def invariant_groups(moment: Moment) -> Groups:
    """The groups of parameters whose common scale leaves the outputs as they are, in the order of the model.

    A property of the task: it is looked for once, on a model that is made anew, in float64, and remembered for as long
    as the task object lives. That costs a backward pass on eight examples for each trained tensor, and while it runs
    two more copies of the model, one of them in float64. See `tune_regimes.tasks.scale_invariance.scale_invariance`.

    Args:
        moment: Any moment of a training of the task.

    Raises:
        TaskError: No trained parameter, or outputs of the new model that are not finite.
    """
    if moment.task not in _found:
        with global_stream(moment.device, 0, "probe", "norms"):
            model = moment.task.model().to(moment.device)
        inputs, targets = moment.examples(torch.arange(min(ROWS, moment.train_count)))
        found = scale_invariance(model, inputs, targets, moment.loss)
        _found[moment.task] = tuple(group.parameters for group in found.groups if group.invariant)
    return _found[moment.task]


def effective_lr(norm_squared: float, lr: float, momentum: float = 0.0) -> float:
    """The effective learning rate of scale-invariant weights w under SGD: lr / ((1 - momentum) |w|^2).

    The paper defines lr / |w|^2, for SGD without momentum; a step with momentum moves the weights 1 / (1 - momentum)
    times as far (ours).

    Args:
        norm_squared: |w|^2.
        lr: Learning rate.
        momentum: Of SGD, in [0, 1).

    Returns:
        NaN where the weights are zero, and the loss has no value.
    """
    return lr / ((1.0 - momentum) * norm_squared) if norm_squared > 0 else math.nan


def last_batchnorm_scale(model: nn.Module) -> float:
    """The L2 norm of the scale vector (gamma) of the last BatchNorm layer that has one: Break-Even Point, figure 7.

    Args:
        model: Its layers count in the order in which they were given to it.

    Returns:
        NaN where no BatchNorm layer has a scale.
    """
    scales = [layer.weight for layer in model.modules() if isinstance(layer, _BatchNorm) and layer.affine]
    return weight_norm([scales[-1]]) if scales else math.nan


@dataclass(frozen=True)
class Norms(Probe):
    """Squared norms and effective learning rates of scale-invariant weights, and the norm of BatchNorm's last scale.

    For each group of trained parameters that is scale invariant, alone or together, and for all of them: in a
    scale-invariant network that is all that is trained; in any other, the kernels below a normalisation, and not its
    trained scales, shifts and output layer, unless another normalisation follows. A group is called after its first
    parameter. Where there is no such group, as in a network without normalisation, there are no columns for groups, and
    those for all are null.

    The effective learning rate is that of `effective_lr`, with the learning rate and momentum of the last step; null
    under other optimizers than SGD, whose steps do not shrink with the gradient.
    """

    name: ClassVar[str] = "norms"

    def columns(self) -> tuple[ProbeColumn, ...]:
        """Those for all groups together; each has ``norm_squared.<group>`` and ``effective_lr.<group>`` besides."""
        return (
            ProbeColumn(
                "norm_squared", "", "Squared L2 norm of all scale-invariant weights; null where there are none"
            ),
            ProbeColumn("effective_lr", "", "lr / ((1 - momentum) norm_squared) under SGD: of the weights' direction"),
            ProbeColumn(
                "bn_scale_norm", "", "L2 norm of the scale of the last BatchNorm layer; null where none has one"
            ),
        )

    def measure(self, moment: Moment) -> Measured:
        """Measure each group, all groups, and the last scale."""
        weights = dict(moment.model.named_parameters())
        groups = invariant_groups(moment)
        norms = {names[0]: weight_norm(weights[name] for name in names) ** 2 for names in groups}
        total = math.fsum(norms.values()) if norms else math.nan
        values = {f"norm_squared.{name}": norm for name, norm in norms.items()}
        values |= {f"effective_lr.{name}": _effective(norm, moment) for name, norm in norms.items()}
        everything = {"norm_squared": total, "effective_lr": _effective(total, moment)}
        return Measured(everything | {"bn_scale_norm": last_batchnorm_scale(moment.model)} | values)


def _effective(norm_squared: float, moment: Moment) -> float:
    settings = moment.settings
    if settings.family != "sgd":
        return math.nan
    return effective_lr(norm_squared, applied(settings.lr, moment), applied(settings.momentum, moment))
