"""Studies of Teng, Wang and Choromanska, "AutoDrop: Training Deep Learning Models with Automatic Learning Rate Drop".

``angular_velocity`` (Fig. 2): constant learning rates; how the angle between the displacements of successive epochs
rises and saturates.

``table`` (Table 1, Figs. 6 to 12): AutoDrop at three drop factors against the schedule of the paper that each network
comes from, with the same first learning rate, momentum and weight decay.

``initial_lr`` (Table 2): AutoDrop against that schedule from four initial learning rates.

``imagenet`` (Table 1's last row, Fig. 12): both on ImageNet, with the drop factor of its baseline. Data live on the
device here, which ImageNet at 224 pixels does not fit; the paper scale takes it in 64 pixels.

The paper names the papers that its baselines come from, not their settings; `RESNET`, `WIDE_RESNET` and `IMAGENET` are
those settings. The momentum and weight decay of Fig. 2 are not given either; ours are the baseline's. AutoDrop has the
recommended settings at the paper scale. At the smaller scales the paper's ratios stand, and what cannot is ours: see
`Detection`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces.catalogue import Scale, StudyEntry
from tune_regimes.schedule import AutoDrop, Phase, Policy, Schedule, three_step

if TYPE_CHECKING:
    from tune_regimes.search import Study

BASELINE = "baseline"
"""Value of ``method`` for the schedule with drops at fixed epochs."""
FACTORS: Mapping[str, float] = {"rho 0.1": 0.1, "rho 0.2": 0.2, "rho 0.5": 0.5}
"""Drop factors of AutoDrop by value of ``method``, as in Table 1."""
RECOMMENDED = "rho 0.2"
"""The factor that the baselines drop by, and that Table 2 and Fig. 7 take."""
CONSTANT_LRS = (0.3, 0.1, 0.03, 0.01, 0.003)
"""Learning rates of Fig. 2."""
INITIAL_LRS = (0.15, 0.1, 0.05, 0.03)
"""Learning rates of Table 2."""
ON_IMAGENET = "rho 0.1"
"""The factor of the row on ImageNet."""
MOMENTUM = 0.9


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


def constant_schedule(config: Mapping[str, Any], *, recipe: Recipe, epochs: int) -> Schedule:
    """The schedule of a point of ``angular_velocity``.

    Examples:
        >>> constant_schedule({"lr": 0.03}, recipe=RESNET, epochs=200).phases[0].lr
        0.03
    """
    return Schedule((_phase(replace(recipe, lr=config["lr"]), epochs),))


def method_schedule(config: Mapping[str, Any], *, recipe: Recipe, detection: Detection, epochs: int) -> Policy:
    """What a point of ``table`` or ``initial_lr`` follows: the baseline, or AutoDrop with one of `FACTORS`.

    Examples:
        >>> policy = method_schedule({"method": "baseline"}, recipe=RESNET, detection=DETECTION["paper"], epochs=200)
        >>> [(phase.lr, phase.epochs) for phase in policy.phases]
        [(0.05, 60), (0.01, 60), (0.002, 40), (0.0004, 40)]
        >>> config = {"method": "rho 0.2", "lr": 0.1}
        >>> policy = method_schedule(config, recipe=RESNET, detection=DETECTION["paper"], epochs=200)
        >>> policy.phase.lr, policy.rho, policy.threshold, policy.max_threshold, policy.delay, policy.min_lr
        (0.1, 0.2, 0.01, 1.0, 20, 0.0001)
    """
    recipe = replace(recipe, lr=config.get("lr", recipe.lr))
    phase = _phase(recipe, epochs)
    if config["method"] != BASELINE:
        return detection.policy(phase, FACTORS[config["method"]])
    return three_step(
        epochs=epochs,
        lr=recipe.lr,
        drops=recipe.drops,
        factor=recipe.factor,
        momentum=MOMENTUM,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
    )


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


def build_angular_velocity(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``angular_velocity`` at a scale."""
    from ray import tune

    schedule = partial(constant_schedule, recipe=recipe_of(scale.task), epochs=scale.epochs)
    return _study("angular_velocity", name, scale, schedule, {"lr": tune.grid_search(list(CONSTANT_LRS))}, origin)


def build_table(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``table`` at a scale, for the task's row of Table 1."""
    from ray import tune

    space = {"method": tune.grid_search([BASELINE, *FACTORS])}
    return _study("table", name, scale, _methods(name, scale), space, origin)


def build_imagenet(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``imagenet`` at a scale: ImageNet's settings whatever the task."""
    from ray import tune

    schedule = partial(method_schedule, recipe=IMAGENET, detection=DETECTION[name], epochs=scale.epochs)
    return _study("imagenet", name, scale, schedule, {"method": tune.grid_search([BASELINE, ON_IMAGENET])}, origin)


def build_initial_lr(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``initial_lr`` at a scale."""
    from ray import tune

    space = {"lr": tune.grid_search(list(INITIAL_LRS)), "method": tune.grid_search([BASELINE, RECOMMENDED])}
    return _study("initial_lr", name, scale, _methods(name, scale), space, origin)


def _methods(name: str, scale: Scale) -> partial[Policy]:
    return partial(method_schedule, recipe=recipe_of(scale.task), detection=DETECTION[name], epochs=scale.epochs)


def _study(
    study: str,
    name: str,
    scale: Scale,
    schedule: "partial[Any]",
    space: Mapping[str, Any],
    origin: dict[str, Any] | None,
) -> "Study":
    import tune_regimes as tr

    return tr.Study(
        name=f"autodrop.{study}-{name}",
        task=tr.task(scale.task, **scale.task_options),
        schedule=schedule,
        space=space,
        samples=scale.samples,
        seeds=scale.seeds,
        origin=origin,
    )


def _phase(recipe: Recipe, epochs: int) -> Phase:
    return Phase(
        lr=recipe.lr,
        momentum=MOMENTUM,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        epochs=epochs,
    )


_SOURCE = "Teng, Wang and Choromanska, AutoDrop: Training Deep Learning Models with Automatic Learning Rate Drop"
_DIGITS: Mapping[str, Any] = {}
_SMALL_IMAGES: Mapping[str, Any] = {
    "train_size": 1000,
    "test_size": 2000,
    "batch_size": 32,
    "width": 1 / 16,
    "augment": True,
}
_IMAGES: Mapping[str, Any] = {"batch_size": 128, "augment": True}


def _scales(replica: str, seeds: int) -> dict[str, Scale]:
    return {
        "smoke": Scale("digits, well under a minute", "digits/mlp", 24, 1, seeds, _DIGITS),
        "replica": Scale(f"CIFAR-10, {replica} on 2 cores", "cifar10/vgg11_bn", 30, 1, seeds, _SMALL_IMAGES),
        "paper": Scale("ResNet-18, for GPUs", "cifar10/resnet18", 200, 1, seeds, _IMAGES),
    }


STUDIES = {
    "angular_velocity": StudyEntry(
        name="autodrop.angular_velocity",
        summary="how the angular velocity rises and saturates at constant learning rates",
        source=_SOURCE,
        figures=("2",),
        claims=("P1-07",),
        scales=_scales("ten minutes", 3),
        builder=build_angular_velocity,
    ),
    "table": StudyEntry(
        name="autodrop.table",
        summary="AutoDrop at three drop factors against drops at fixed epochs",
        source=_SOURCE,
        figures=("6", "7", "8", "9", "10", "11", "12", "Table 1"),
        claims=("P1-17", "P1-18", "P1-19", "P1-20", "P1-22", "P1-24", "P1-25"),
        scales=_scales("ten minutes", 4),
        builder=build_table,
    ),
    "imagenet": StudyEntry(
        name="autodrop.imagenet",
        summary="AutoDrop against drops at fixed epochs with the settings of ImageNet",
        source=_SOURCE,
        figures=("12", "Table 1"),
        claims=("P1-21", "P1-25"),
        scales={
            "smoke": Scale("digits, well under a minute", "digits/mlp", 28, 1, 4, _DIGITS),
            "replica": Scale(
                "CIFAR-10 on a thin ResNet-18, ten minutes on 2 cores",
                "cifar10/resnet18",
                28,
                1,
                4,
                _SMALL_IMAGES,
            ),
            "paper": Scale(
                "ImageNet in 64 pixels on ResNet-18, for GPUs",
                "imagenet64/resnet18",
                105,
                1,
                1,
                {"batch_size": 256, "augment": True},
            ),
        },
        builder=build_imagenet,
    ),
    "initial_lr": StudyEntry(
        name="autodrop.initial_lr",
        summary="AutoDrop against drops at fixed epochs, from four initial learning rates",
        source=_SOURCE,
        figures=("Table 2",),
        claims=("P1-23", "P1-24", "P1-25"),
        scales=_scales("a quarter of an hour", 4),
        builder=build_initial_lr,
    ),
}
