"""What AutoDrop's studies take from elsewhere: the settings of each baseline, and how AutoDrop tells saturation.

The paper names the papers that its baselines come from, not their settings; `RESNET`, `WIDE_RESNET` and `IMAGENET` are
those settings. AutoDrop has the recommended settings at the paper scale. At the smaller scales the paper's ratios
stand, and what cannot is ours: see `Detection`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tune_regimes.schedule import AutoDrop, Phase


@dataclass(frozen=True)
class Recipe:
    """A baseline of Table 1: what AutoDrop shares with it, and where it drops the learning rate.

    Args:
        lr: First learning rate.
        weight_decay: Weight decay.
        nesterov: Nesterov's form of momentum.
        drops: First epochs with a smaller learning rate, as fractions of the epochs.
        factor: What a drop multiplies the learning rate by.
    """

    lr: float
    weight_decay: float
    nesterov: bool = False
    drops: tuple[float, ...] = (0.3, 0.6, 0.8)
    factor: float = 0.2


RESNET = Recipe(lr=0.05, weight_decay=1e-3)
"""Zhang et al., Lookahead Optimizer (2019), SGD on CIFAR: drops by 5 at epochs 60, 120 and 160 of 200, batch size 128.

That Table 1's row for ResNet-18 is Table 2's for the initial learning rate 0.05 confirms the learning rate.
"""
WIDE_RESNET = Recipe(lr=0.1, weight_decay=5e-4, nesterov=True)
"""Zagoruyko and Komodakis, Wide Residual Networks (2016): the same drops and batch size."""
IMAGENET = Recipe(lr=0.1, weight_decay=1e-4, drops=(2 / 7, 4 / 7, 6 / 7), factor=0.1)
"""He et al., Deep Residual Learning (2016), on ImageNet, batch size 256. They drop when the error stands still; here,
as torchvision trains its ResNet-18, which the paper takes, every 30 epochs: at 30, 60 and 90 of 105."""


@dataclass(frozen=True)
class Detection:
    """How AutoDrop tells saturation, beside its factor.

    The averaging delay n_d is a tenth of the epochs, as 20 of 200 are, and the largest threshold a hundred times the
    first, as 1 is of 0.01.

    Args:
        threshold: First threshold of the change of angular velocity between two epochs, in degrees.
        min_lr: Smallest learning rate.
    """

    threshold: float
    min_lr: float = 1e-4

    def policy(self, phase: Phase, rho: float) -> AutoDrop:
        """AutoDrop on a phase that has its length."""
        assert phase.epochs is not None
        return AutoDrop(
            phase,
            rho=rho,
            min_lr=self.min_lr,
            threshold=self.threshold,
            max_threshold=100 * self.threshold,
            delay=max(1, phase.epochs // 10),
        )


DETECTION: Mapping[str, Detection] = {"smoke": Detection(2.5), "replica": Detection(0.5), "paper": Detection(0.01)}
"""Thresholds by scale; the paper recommends 0.01, for 200 epochs of hundreds of steps each.

An epoch of the replica has 31 steps. From one to the next its angular velocity changes by 3.5 degrees (standard
deviation at lr 0.05 in epochs 6 to 9, four seeds), so that 0.01 would be met once in 400 epochs. A threshold of 0.5 is
met about once in nine: early enough for several drops in 30 epochs.
"""


def recipe_of(task: str) -> Recipe:
    """The settings of Table 1's baseline for a task: on ImageNet, of wide residual networks, or of all others.

    Examples:
        >>> recipe_of("cifar100/wrn40_10") is WIDE_RESNET, recipe_of("cifar10/resnet18") is RESNET
        (True, True)
        >>> recipe_of("imagenet64/resnet18") is IMAGENET
        True
    """
    if task.startswith("imagenet"):
        return IMAGENET
    return WIDE_RESNET if task.partition("/")[2].startswith("wrn") else RESNET
