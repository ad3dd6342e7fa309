"""Studies of "Training by Vanilla SGD with Larger Learning Rates" (submitted to ICLR 2021): SGDL.

``lr_sweep`` (Fig. 3): plain SGD at learning rates from 0.2 to 1.

``optimizers`` (Figs. 4, 8 to 15): plain SGD, SGD with momentum (SGDM), SGDL, Adam and AdaDelta over the learning rates
of Table 1. SGDL is plain SGD at ten times the learning rate of SGDM, or more.

``imagenet32`` (Fig. 5): the same optimizers, each at one learning rate, on a ResNet56 of four times the width, with a
fourth step. Of SGD the paper gives no learning rate there: it has that of SGDM, the largest of Table 1.

All learning rates but AdaDelta's are divided by ten after a third and two thirds of the epochs (``imagenet32``: after
each quarter). The paper scale is as
printed: 150 epochs, batch size 256, Kaiming initialisation, flips, and crops of images padded by reflection. Its
networks and data sets are options: ``--model cifar100/resnet110``, ``vgg16_bn``, ``densenet100_12``. Sec. 6.1 has a
ResNet of "120 layers" where all figures have ResNet110; the latter is meant. Table 1 prints no weight decay for Adam
and AdaDelta: they have none here. The paper does not say how many seeds its curves have, nor the steps of Fig. 3
between 0.2, 0.4 and 1.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces.catalogue import Scale, StudyEntry, grid_of, make_study
from tune_regimes.schedule import Phase, Schedule, three_step

if TYPE_CHECKING:
    from tune_regimes.search import Study

SGD, SGDM, SGDL, ADAM, ADADELTA = "SGD", "SGDM", "SGDL", "Adam", "AdaDelta"
TABLE_1: Mapping[str, Sequence[float]] = {
    SGD: (0.001, 0.01, 0.05, 0.1),
    SGDM: (0.001, 0.01, 0.05, 0.1),
    SGDL: (1.0, 1.1, 1.2, 1.3),
    ADAM: (0.0001, 0.001, 0.01),
    ADADELTA: (1.0,),
}
"""Learning rates by optimizer; those of SGDL are A.3.1's, Table 1 has their rule (see `follows_rule`)."""
SWEEP = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Learning rates of Fig. 3."""
WEIGHT_DECAY = 0.005
"""Of SGD in all its forms, as printed; it is ten times the usual one."""
RATIO = 10.0
"""The learning rate of SGDL is that of SGDM times this, or more."""
DROPS = (1 / 3, 2 / 3)
"""First epochs with a smaller learning rate, as fractions of the epochs: 50 and 100 of 150."""
IMAGENET32: Mapping[str, float] = {SGD: 0.1, SGDM: 0.1, SGDL: 1.1, ADAM: 0.001, ADADELTA: 1.0}
"""Learning rates of Fig. 5 by optimizer; that of SGD is ours."""
QUARTERS = (1 / 4, 1 / 2, 3 / 4)
"""The drops of Fig. 5: after epochs 30, 60 and 90 of 120."""

PRINTED: Mapping[str, Mapping[str, float]] = {
    "cifar10/resnet56": {SGDL: 1.0, SGDM: 0.1, ADAM: 0.001},
    "cifar10/resnet110": {SGDL: 1.2, SGDM: 0.1, ADAM: 0.001},
    "cifar10/vgg16_bn": {SGDL: 1.2, SGDM: 0.05, ADAM: 0.001},
    "cifar10/densenet100_12": {SGDL: 1.1, SGDM: 0.1, ADAM: 0.001},
    "cifar100/resnet56": {SGDL: 1.3, SGDM: 0.1, ADAM: 0.001},
    "cifar100/resnet110": {SGDL: 1.3, SGDM: 0.1, ADAM: 0.001},
    "cifar100/vgg16_bn": {SGDL: 1.0, SGDM: 0.1, ADAM: 0.001},
    "cifar100/densenet100_12": {SGDL: 1.3, SGDM: 0.1, ADAM: 0.001},
}
"""The learning rates that A.3.1 chose, by task and optimizer."""


def follows_rule(sgdl_lr: float, sgdm_lr: float) -> bool:
    """Whether a learning rate of plain SGD is SGDL's for the best one of SGDM: at least ten times as large.

    Table 1 has "at least", A.3.1 "more than"; with the latter the paper's own pair on ResNet56, 1.0 and 0.1, would
    break the rule.

    Examples:
        >>> follows_rule(1.0, 0.1), follows_rule(0.4, 0.05)
        (True, False)
    """
    return sgdl_lr >= RATIO * sgdm_lr


def methods() -> list[dict[str, Any]]:
    """Every optimizer at each of its learning rates.

    Examples:
        >>> len(methods()), methods()[0]
        (16, {'optimizer': 'SGD', 'lr': 0.001})
    """
    return [{"optimizer": optimizer, "lr": lr} for optimizer, lrs in TABLE_1.items() for lr in lrs]


def method_schedule(config: Mapping[str, Any], *, epochs: int, drops: Sequence[float] = DROPS) -> Schedule:
    """The schedule of a point of ``optimizers``, or with `QUARTERS` of ``imagenet32``.

    Examples:
        >>> config = {"method": {"optimizer": "SGDM", "lr": 0.05}}
        >>> schedule = method_schedule(config, epochs=150)
        >>> [(phase.lr, phase.momentum, phase.epochs) for phase in schedule.phases]
        [(0.05, 0.9, 50), (0.005, 0.9, 50), (0.0005, 0.9, 50)]
        >>> [phase.epochs for phase in method_schedule(config, epochs=120, drops=QUARTERS).phases]
        [30, 30, 30, 30]
        >>> method_schedule({"method": {"optimizer": "AdaDelta", "lr": 1.0}}, epochs=9).phases[0].optimizer
        'adadelta'
    """
    optimizer, lr = config["method"]["optimizer"], config["method"]["lr"]
    if optimizer == ADADELTA:
        return Schedule((Phase(lr=lr, optimizer="adadelta", rho=0.9, epochs=epochs),))
    if optimizer == ADAM:
        return three_step(epochs=epochs, lr=lr, drops=drops, optimizer="adam", momentum=0.9, beta2=0.999)
    momentum = 0.9 if optimizer == SGDM else 0.0
    return three_step(epochs=epochs, lr=lr, drops=drops, momentum=momentum, weight_decay=WEIGHT_DECAY)


def sweep_schedule(config: Mapping[str, Any], *, epochs: int) -> Schedule:
    """The schedule of a point of ``lr_sweep``.

    Examples:
        >>> [phase.lr for phase in sweep_schedule({"lr": 0.4}, epochs=150).phases]
        [0.4, 0.04, 0.004]
    """
    return method_schedule({"method": {"optimizer": SGD, "lr": config["lr"]}}, epochs=epochs)


def build_lr_sweep(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``lr_sweep`` at a scale."""
    schedule = partial(sweep_schedule, epochs=scale.epochs)
    return make_study("sgdl.lr_sweep", name, scale, schedule, grid_of({"lr": SWEEP}), origin)


def build_optimizers(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``optimizers`` at a scale."""
    schedule = partial(method_schedule, epochs=scale.epochs)
    return make_study("sgdl.optimizers", name, scale, schedule, grid_of({"method": methods()}), origin)


def build_imagenet32(name: str, scale: Scale, *, origin: dict[str, Any] | None = None) -> "Study":
    """The study ``imagenet32`` at a scale."""
    schedule = partial(method_schedule, epochs=scale.epochs, drops=QUARTERS)
    chosen = [{"optimizer": optimizer, "lr": lr} for optimizer, lr in IMAGENET32.items()]
    return make_study("sgdl.imagenet32", name, scale, schedule, grid_of({"method": chosen}), origin)


_SOURCE = "Training by Vanilla SGD with Larger Learning Rates (submitted to ICLR 2021)"
_AS_PRINTED: Mapping[str, Any] = {"augment": True, "padding": "reflect", "init": "kaiming"}
_SMALL_IMAGES: Mapping[str, Any] = {
    **_AS_PRINTED,
    "train_size": 1000,
    "test_size": 1000,
    "batch_size": 32,
    "width": 1 / 16,
}


def _scales(replica: str) -> dict[str, Scale]:
    return {
        "smoke": Scale("digits, under a minute", "digits/simple_cnn_bn", 9, 1, 3, {**_AS_PRINTED, "width": 1 / 8}),
        "replica": Scale(f"CIFAR-10, {replica} on 2 cores", "cifar10/vgg11_bn", 12, 1, 3, _SMALL_IMAGES),
        "paper": Scale("ResNet56, for GPUs", "cifar10/resnet56", 150, 1, 3, {**_AS_PRINTED, "batch_size": 256}),
    }


STUDIES = {
    "lr_sweep": StudyEntry(
        name="sgdl.lr_sweep",
        summary="plain SGD at learning rates from 0.2 to 1",
        source=_SOURCE,
        figures=("3",),
        claims=("P2-14",),
        scales=_scales("a few minutes"),
        builder=build_lr_sweep,
    ),
    "optimizers": StudyEntry(
        name="sgdl.optimizers",
        summary="plain SGD in large steps against SGD with momentum, Adam and AdaDelta",
        source=_SOURCE,
        figures=("4", "8", "9", "10", "11", "12", "13", "14", "15", "Table 1"),
        claims=("P2-15", "P2-16", "P2-17", "P2-21", "P2-22"),
        scales=_scales("five minutes"),
        builder=build_optimizers,
    ),
    "imagenet32": StudyEntry(
        name="sgdl.imagenet32",
        summary="the same optimizers at one learning rate each, on a wide ResNet56 and ImageNet in 32 pixels",
        source=_SOURCE,
        figures=("5",),
        claims=("P2-18",),
        scales={
            "smoke": Scale("digits, under a minute", "digits/simple_cnn_bn", 12, 1, 3, {**_AS_PRINTED, "width": 1 / 8}),
            "replica": Scale(
                "CIFAR-10 on a thin ResNet-20, ten minutes on 2 cores",
                "cifar10/resnet20",
                16,
                1,
                4,
                {**_SMALL_IMAGES, "width": 1 / 4},
            ),
            "paper": Scale(
                "ImageNet32 on ResNet56, four times as wide, for GPUs",
                "imagenet32/resnet56",
                120,
                1,
                3,
                {**_AS_PRINTED, "batch_size": 256, "width": 4.0},
            ),
        },
        builder=build_imagenet32,
    ),
}
"""The studies of this paper by short name; calling one builds it."""
