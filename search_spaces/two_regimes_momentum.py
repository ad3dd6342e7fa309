"""Studies of Leclerc and Madry, "The Two Regimes of Deep Network Training" (2020), on momentum in each regime.

``momentum`` (Figs. 1, 3): both regimes at three momenta, with the alignment and scale of the momentum along the way.

``gradient_descent`` (App. A, Figs. 9, 10): the same with full gradients, and a sweep of their learning rates.

Printed are, for VGG-13 on CIFAR-10: lr 0.1 and 0.001 at momentum 0, 0.5 and 0.9 (C.2), lr 0.1 and 0.01 for full
gradients (Fig. 9, whose (b) is 0.01 and not 0.001), and no weight decay in Fig. 10. Ours are the learning rates of
smaller networks, the momenta of Fig. 9 (those of Fig. 1) and of Fig. 10 (those of Fig. 4), the steps that small scales
give to full gradients, and all that concerns BatchNorm, of which the paper says nothing.

A step of ``gradient_descent`` takes the gradients of a whole epoch, at every scale. At ``smoke`` (no BatchNorm) and
``replica`` these are of one batch that holds all training images, which are not augmented: the loss is one fixed
function of the weights, and BatchNorm normalises by the whole training set. At ``paper`` such a batch fits no memory;
the gradients of batches of 256 images are averaged, cropped and flipped as C.1 has it, and BatchNorm normalises by 256.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces.catalogue import Scale, StudyEntry, grid_of, make_study
from tune_regimes.schedule import Phase, Schedule

if TYPE_CHECKING:
    from tune_regimes.search import Study

LARGE, SMALL, SWEEP = "large", "small", "sweep"
REGIMES = (LARGE, SMALL)
"""A, the large-step regime, and B, the small-step regime."""
MOMENTA = (0.0, 0.5, 0.9)
"""Of Figs. 1 and 9."""
WEIGHT_DECAY = 1e-4
WHOLE_EPOCH = 1_000_000
"""More batches than any epoch has: one step takes them all."""


@dataclass(frozen=True)
class Regimes:
    """Both regimes of a network, each with one learning rate for all momenta.

    Args:
        large: Learning rate of A.
        small: Learning rate of B.
        threshold: Training loss in nats; how soon it is reached is compared (Sec. 3.2).
    """

    large: float
    small: float
    threshold: float = 0.1

    def lr(self, regime: str) -> float:
        """The learning rate of a regime."""
        return {LARGE: self.large, SMALL: self.small}[regime]


@dataclass(frozen=True)
class Descent:
    """What ``gradient_descent`` does at a scale.

    Args:
        regimes: Of Fig. 9.
        momenta: Of Fig. 10.
        step_sizes: Range of lr / (1 - momentum) in Fig. 10.
    """

    regimes: Regimes
    momenta: tuple[float, ...] = MOMENTA
    step_sizes: tuple[float, float] = (1e-2, 3.0)


STOCHASTIC: Mapping[str, Regimes] = {
    "smoke": Regimes(large=0.3, small=0.03),
    "replica": Regimes(large=0.3, small=0.003),
    "paper": Regimes(large=0.1, small=0.001, threshold=3e-4),
}
"""Regimes under mini-batches. The replica's A is the largest lr that ``lr_momentum`` located as usable at momentum 0.9
(0.302; docs/replication), B is 100 times smaller, as in the paper. On the digits B is 10 times smaller: at 0.003 the
study would end before much is learned."""

DESCENT: Mapping[str, Descent] = {
    "smoke": Descent(Regimes(large=0.3, small=0.03)),
    "replica": Descent(Regimes(large=0.3, small=0.03)),
    "paper": Descent(Regimes(large=0.1, small=0.01, threshold=3e-4), (0.0, 0.9, 0.99), (1e-3, 10.0)),
}
"""Regimes under full gradients. A of the small scales is the largest of 0.01, 0.03, 0.1, 0.3 and 1 at which momentum
0.9 learns (one seed), B is 10 times smaller, as in Fig. 9. In Fig. 10 they have momentum 0.5 in place of 0.99, for
which they make too few steps to build it up."""


def regime_schedule(config: Mapping[str, Any], *, regimes: Regimes, epochs: int) -> Schedule:
    """The schedule of a point of ``momentum``: constant lr and momentum.

    Examples:
        >>> config = {"regime": "small", "momentum": 0.9}
        >>> phase = regime_schedule(config, regimes=STOCHASTIC["paper"], epochs=50).phases[0]
        >>> phase.lr, phase.momentum, phase.weight_decay
        (0.001, 0.9, 0.0001)
    """
    lr, momentum = regimes.lr(config["regime"]), config["momentum"]
    return Schedule((Phase(lr=lr, momentum=momentum, weight_decay=WEIGHT_DECAY, epochs=epochs),))


def descent_schedule(config: Mapping[str, Any], *, descent: Descent, epochs: int) -> Schedule:
    """The schedule of a point of ``gradient_descent``: as many steps as epochs; a sweep's have no weight decay.

    Examples:
        >>> config = {"regime": "sweep", "momentum": 0.5, "step_size": 0.2}
        >>> phase = descent_schedule(config, descent=DESCENT["paper"], epochs=50).phases[0]
        >>> phase.lr, phase.weight_decay
        (0.1, 0.0)
    """
    momentum, swept = config["momentum"], config["regime"] == SWEEP
    lr = config["step_size"] * (1 - momentum) if swept else descent.regimes.lr(config["regime"])
    decay = 0.0 if swept else WEIGHT_DECAY
    phase = Phase(lr=lr, momentum=momentum, weight_decay=decay, epochs=epochs, batches_per_step=WHOLE_EPOCH)
    return Schedule((phase,))


def regime_points(regimes: Regimes) -> list[dict[str, Any]]:
    """The points of Fig. 9, next to those of a sweep: ``step_size`` is told, the learning rate that of the regime."""
    return [
        {"regime": regime, "momentum": momentum, "step_size": regimes.lr(regime) / (1 - momentum)}
        for regime in REGIMES
        for momentum in MOMENTA
    ]


def build_momentum(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``momentum`` at a scale whose name gives the learning rates."""
    schedule = partial(regime_schedule, regimes=STOCHASTIC[name], epochs=scale.epochs)
    space = grid_of({"regime": REGIMES, "momentum": MOMENTA})
    return make_study("two_regimes.momentum", name, scale, schedule, space, origin, probes=["momentum"])


def build_gradient_descent(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``gradient_descent`` at a scale whose name gives the learning rates."""
    from ray import tune

    descent = DESCENT[name]
    schedule = partial(descent_schedule, descent=descent, epochs=scale.epochs)
    swept = grid_of({"regime": [SWEEP], "momentum": descent.momenta})
    space = {**swept, "step_size": tune.loguniform(*descent.step_sizes)}
    named = regime_points(descent.regimes)
    return make_study("two_regimes.gradient_descent", name, scale, schedule, space, origin, points_to_evaluate=named)


SOURCE = "Leclerc and Madry, The Two Regimes of Deep Network Training (2020)"
VGG: Mapping[str, Any] = {"batch_size": 256, "augment": True}
_FITTED: Mapping[str, Any] = {"train_size": 500, "test_size": 1000, "batch_size": 32, "width": 1 / 8, "augment": False}
"""Few images, not augmented, and a network that can fit them: the claims are about how far the training loss falls."""
_DIGITS_AT_ONCE: Mapping[str, Any] = {"batch_size": "full"}
_FITTED_AT_ONCE: Mapping[str, Any] = {**_FITTED, "batch_size": "full"}

STUDIES = {
    "momentum": StudyEntry(
        name="two_regimes.momentum",
        summary="training loss, alignment and scale of the momentum in both regimes",
        source=SOURCE,
        figures=("1", "3"),
        claims=("P0-03", "P0-04", "P0-05", "P0-10"),
        scales={
            "smoke": Scale("digits, a minute", "digits/mlp", 24, 1, 3),
            "replica": Scale("CIFAR-10, a quarter of an hour on 2 cores", "cifar10/vgg11_bn", 30, 1, 4, _FITTED),
            "paper": Scale("VGG-13-BN, for GPUs", "cifar10/vgg13_bn", 50, 1, 3, VGG),
        },
        builder=build_momentum,
    ),
    "gradient_descent": StudyEntry(
        name="two_regimes.gradient_descent",
        summary="both regimes with full gradients, and test accuracy against lr and momentum",
        source=SOURCE,
        figures=("9", "10"),
        claims=("P0-11", "P0-12"),
        scales={
            "smoke": Scale("digits, two minutes", "digits/mlp", 100, 10, 3, _DIGITS_AT_ONCE),
            "replica": Scale(
                "CIFAR-10, a quarter of an hour on 2 cores", "cifar10/vgg11_bn", 50, 10, 2, _FITTED_AT_ONCE
            ),
            "paper": Scale("VGG-13-BN, for GPUs", "cifar10/vgg13_bn", 50, 20, 3, VGG),
        },
        builder=build_gradient_descent,
    ),
}
"""These studies by short name; calling one builds it."""
