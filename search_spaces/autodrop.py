"""Studies of Teng, Wang and Choromanska, "AutoDrop: Training Deep Learning Models with Automatic Learning Rate Drop".

``angular_velocity`` (Fig. 2): constant learning rates; how the angle between the displacements of successive epochs
rises and saturates.

``table`` (Table 1, Figs. 6 to 12): AutoDrop at three drop factors against the schedule of the paper that each network
comes from, with the same first learning rate, momentum and weight decay.

``initial_lr`` (Table 2): AutoDrop against that schedule from four initial learning rates.

``imagenet`` (Table 1's last row, Fig. 12): both on ImageNet, with the drop factor of its baseline. Data live on the
device here, which ImageNet at 224 pixels does not fit; the paper scale takes it in 64 pixels.

The settings of the baselines, and AutoDrop's own: :mod:`search_spaces.autodrop_recipes`. The momentum and weight decay
of Fig. 2 are not given; ours are the baseline's.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces.autodrop_recipes import DETECTION, IMAGENET, Detection, Recipe, recipe_of
from search_spaces.catalogue import Scale, StudyEntry, grid_of, make_study
from tune_regimes.schedule import Phase, Policy, Schedule, three_step

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


def constant_schedule(config: Mapping[str, Any], *, recipe: Recipe, epochs: int) -> Schedule:
    """The schedule of a point of ``angular_velocity``.

    Examples:
        >>> from search_spaces.autodrop_recipes import RESNET
        >>> constant_schedule({"lr": 0.03}, recipe=RESNET, epochs=200).phases[0].lr
        0.03
    """
    return Schedule((_phase(replace(recipe, lr=config["lr"]), epochs),))


def method_schedule(config: Mapping[str, Any], *, recipe: Recipe, detection: Detection, epochs: int) -> Policy:
    """What a point of ``table`` or ``initial_lr`` follows: the baseline, or AutoDrop with one of `FACTORS`.

    Examples:
        >>> from search_spaces.autodrop_recipes import RESNET
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


def build_angular_velocity(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``angular_velocity`` at a scale."""
    schedule = partial(constant_schedule, recipe=recipe_of(scale.task), epochs=scale.epochs)
    return make_study("autodrop.angular_velocity", name, scale, schedule, grid_of({"lr": CONSTANT_LRS}), origin)


def build_table(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``table`` at a scale, for the task's row of Table 1."""
    space = grid_of({"method": [BASELINE, *FACTORS]})
    return make_study("autodrop.table", name, scale, _methods(name, scale), space, origin)


def build_imagenet(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``imagenet`` at a scale: ImageNet's settings whatever the task."""
    schedule = partial(method_schedule, recipe=IMAGENET, detection=DETECTION[name], epochs=scale.epochs)
    space = grid_of({"method": [BASELINE, ON_IMAGENET]})
    return make_study("autodrop.imagenet", name, scale, schedule, space, origin)


def build_initial_lr(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``initial_lr`` at a scale."""
    space = grid_of({"lr": INITIAL_LRS, "method": [BASELINE, RECOMMENDED]})
    return make_study("autodrop.initial_lr", name, scale, _methods(name, scale), space, origin)


def _methods(name: str, scale: Scale) -> partial[Policy]:
    return partial(method_schedule, recipe=recipe_of(scale.task), detection=DETECTION[name], epochs=scale.epochs)


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
