"""Rates, weight decays and levels of ``intrinsic_lr``'s studies at each scale.

The paper's rates suit its budgets: at an intrinsic learning rate of 2e-4 and 391 steps an epoch, 1 / intrinsic lr is 13
epochs. The other scales have a few hundred times fewer steps, so that their weight decay, and with it the intrinsic
learning rate, is larger: a phase still holds as many times 1 / intrinsic lr as its claim needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """What a scale gives the schedules.

    Args:
        equilibrium: Learning rate and weight decay of Table 1.
        recovery_lr: Learning rate of the recovery, before it is divided by ten.
        recovery: Its intrinsic learning rates, the smallest first.
        decay: Learning rate and weight decay of Fig. 4.
        halvings: How many of Fig. 4's seven halvings.
        predictions: Learning rate and weight decay of Fig. 3, in its second half.
        small_lr: Weight decay of Fig. 2a, with a learning rate of 0.1 and momentum 0.9.
        levels_lr: Learning rates of Fig. 2d, the smallest first.
        levels: Weight decay of Fig. 2d.
        initialisation: The two weight decays of Fig. 8, with a learning rate of 0.1 and momentum 0.9.
        full_batch: Weight decay of Fig. 5, with a learning rate of 1.6.
        averages: Learning rate without momentum and weight decay of Figs. 6 and 7.
    """

    equilibrium: tuple[float, float]
    recovery_lr: float
    recovery: tuple[float, ...]
    decay: tuple[float, float]
    halvings: int
    predictions: tuple[float, float]
    small_lr: float
    levels_lr: tuple[float, ...]
    levels: float
    initialisation: tuple[float, float]
    full_batch: float
    averages: tuple[float, float]


PAPER = Rates(
    equilibrium=(0.4, 5e-4),
    recovery_lr=0.4,
    recovery=(1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3),
    decay=(3.2, 5e-4),
    halvings=7,
    predictions=(0.1, 0.1),
    small_lr=5e-4,
    levels_lr=(0.1, 0.4, 1.6),
    levels=5e-4,
    initialisation=(1e-4, 5e-4),
    full_batch=5e-4,
    averages=(0.4, 5e-4),
)
"""As printed, but for what is not: the rates of the recovery (Fig. 11) and of the averages (Figs. 6, 7), the learning
rates of Fig. 2d and the two weight decays of Fig. 8, of which the slopes say only that one is five times the other."""

REPLICA = Rates(
    equilibrium=(0.4, 7.5e-3),
    recovery_lr=0.4,
    recovery=(1e-3, 2e-3, 4e-3, 8e-3),
    decay=(3.2, 8e-3),
    halvings=5,
    predictions=(0.1, 0.1),
    small_lr=5e-3,
    levels_lr=(0.1, 0.4, 1.6),
    levels=5e-3,
    initialisation=(2.5e-3, 1.25e-2),
    full_batch=5e-3,
    averages=(0.2, 1e-2),
)

SMOKE = Rates(
    equilibrium=(0.4, 1.25e-2),
    recovery_lr=0.4,
    recovery=(2.5e-3, 5e-3, 1e-2, 2e-2),
    decay=(3.2, 1e-2),
    halvings=3,
    predictions=(0.1, 0.1),
    small_lr=1e-2,
    levels_lr=(0.1, 0.4, 1.6),
    levels=1e-2,
    initialisation=(5e-3, 2.5e-2),
    full_batch=1.25e-2,
    averages=(0.4, 1.25e-2),
)

RATES: Mapping[str, Rates] = {"smoke": SMOKE, "replica": REPLICA, "paper": PAPER}
