"""Studies of Jastrzebski et al., "The Break-Even Point on Optimization Trajectories of Deep Neural Networks" (2020).

Early in training SGD reaches a point beyond which curvature and the noise of the gradient grow no further: training
would not be stable. The larger the learning rate, or the smaller the batch, the lower it lies. H is the Hessian of the
training loss, K the covariance of the gradients.

- ``lr`` and ``batch_size`` (Figs. 4, 5, 10, 11): SimpleCNN, K and H along the whole training;
- ``early`` (Figs. 1 to 3, 8): the first epochs in detail, with the test predictions on the way;
- ``batch_norm`` and ``no_batch_norm`` (Fig. 7), ``batch_norm_<batch size>`` (Fig. 26): what BatchNorm changes;
- ``momentum`` and ``momentum_lr`` (Figs. 20 to 23), ``decay`` (Figs. 24, 25): SGD in other forms;
- ``resnet32`` and ``resnet32_batch_size`` (Figs. 4, 5, 12, 13), ``mlp`` (Figs. 18, 19): other networks;
- ``single_example`` and ``mini_batch`` (Fig. 9): the same trainings, K of single examples and of mini-batches.

The batch size of a step is varied by how many batches it takes, so that a study has one task: exact for networks
without BatchNorm, whereas that of ResNet-32 normalises by batches of one size throughout. Reports of ``batch_norm``,
``batch_norm_<batch size>`` and ``single_example`` take the studies that they are compared with by ``--with``.
``search_spaces.break_even_points`` says what is printed and what is ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces import break_even_points as points
from search_spaces.catalogue import Scale, StudyEntry, grid_of, make_study
from tune_regimes.schedule import Schedule

if TYPE_CHECKING:
    from tune_regimes.search import Study

SCHEDULES: Mapping[str, Callable[..., Schedule]] = {
    "lr": points.constant_schedule,
    "fixed": points.constant_schedule,
    "batch_size": points.constant_schedule,
    "momentum": points.constant_schedule,
    "decay": points.decay_schedule,
    "early": points.early_schedule,
}
"""From a point, and the grid and epochs of a scale, to a schedule, by kind of study."""


def build(
    name: str, scale: Scale, *, kind: str, study: str, grid: str, origin: dict[str, Any] | None = None
) -> "Study":
    """A study of one kind at a scale: every value of what it varies, with the scale's seeds.

    Args:
        name: Name of the scale, which gives the grid.
        scale: Task, epochs and seeds.
        kind: One of `SCHEDULES`.
        study: Short name of the study.
        grid: Its entry in `break_even_points.GRIDS`.
        origin: The catalogue entry.
    """
    own = points.GRIDS[name][grid]
    schedule = partial(SCHEDULES[kind], grid=own, epochs=scale.epochs, batch_size=scale.task_options["batch_size"])
    space = grid_of(points.drawn(kind, own))
    return make_study(f"break_even.{study}", name, scale, schedule, space, origin, probes=own.probes)


_SOURCE = "Jastrzebski et al., The Break-Even Point on Optimization Trajectories of Deep Neural Networks (2020)"
_TASKS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "smoke": ("digits", {"width": 0.25, "train_size": 500, "test_size": 500, "augment": False}),
    "replica": ("cifar10", {"width": 0.25, "train_size": 1000, "test_size": 500, "augment": False}),
    "paper": ("cifar10", {"augment": False}),
}
"""Data set and options by scale; whether the paper augments the images of SimpleCNN is not given."""

Run = tuple[str, int, int, int]
"""What a scale of a study takes in words, its epochs, its seeds and the task's batch size."""
Runs = tuple[Run, Run, Run]
"""At the scales smoke, replica and paper."""


def _scales(model: str, runs: Runs, **extra: Any) -> dict[str, Scale]:
    """The scales on the digits, on small images of CIFAR-10 and as printed; `extra` are further options of the task."""
    scales = {}
    for (name, (data, options)), (summary, epochs, seeds, batch_size) in zip(_TASKS.items(), runs, strict=True):
        task_options = {**options, "batch_size": batch_size, **extra}
        scales[name] = Scale(summary, f"{data}/{model}", epochs, 1, seeds, task_options)
    return scales


_SMOKE, _REPLICA, _GPU = "digits, a few minutes", "CIFAR-10, a quarter of an hour on 2 cores", "SimpleCNN, for GPUs"
_WHOLE: Runs = ((_SMOKE, 20, 2, 20), (_REPLICA, 32, 3, 32), (_GPU, 200, 3, 128))
"""A whole training by SGD with one batch size; the paper trains ResNet-32 and the MLP for 200 epochs."""
_BY_BATCH: Runs = ((_SMOKE, 20, 2, 10), (_REPLICA, 40, 3, 8), (_GPU, 200, 3, 10))
_FIRST: Runs = ((_SMOKE, 15, 3, 20), (_REPLICA, 24, 3, 32), (_GPU, 150, 5, 128))
_RESIDUAL: Runs = ((_SMOKE, 10, 2, 20), (_REPLICA, 16, 3, 32), ("ResNet-32, for GPUs", 200, 3, 128))
_RESIDUAL_BY_BATCH: Runs = ((*_RESIDUAL[0][:3], 10), _RESIDUAL[1], (*_RESIDUAL[2][:3], 32))
_DIGITS: Mapping[str, Any] = {"test_size": 500, "augment": False}
_MLP = {
    "smoke": Scale(_SMOKE, "digits/mlp", 30, 1, 2, {**_DIGITS, "train_size": 500, "batch_size": 20}),
    "replica": Scale(
        "digits, ten minutes on 2 cores", "digits/mlp", 60, 1, 5, {**_DIGITS, "train_size": 1200, "batch_size": 64}
    ),
    "paper": Scale("Fashion-MNIST, for GPUs", "fashion_mnist/mlp", 200, 1, 3, {"augment": False, "batch_size": 64}),
}


def _few_rows() -> dict[str, Scale]:
    """The scales of Fig. 9: few training examples, on all of which K is measured."""
    return {
        name: _with_task(scale, train_size=points.ROWS[name], batch_size=points.SIZES[name])
        for name, scale in _scales("simple_cnn", _WHOLE).items()
    }


def _with_task(scale: Scale, **options: Any) -> Scale:
    return replace(scale, task_options={**scale.task_options, **options})


def _entry(
    study: str,
    summary: str,
    figures: tuple[str, ...],
    claims: tuple[str, ...],
    scales: Mapping[str, Scale],
    kind: str = "lr",
    grid: str = "",
) -> StudyEntry:
    builder = partial(build, kind=kind, study=study, grid=grid or study)
    return StudyEntry(f"break_even.{study}", summary, _SOURCE, figures, claims, scales, builder)


def _batch_norm_batches() -> list[StudyEntry]:
    """Fig. 26: a study for each batch size."""
    entries = []
    for size in points.BATCH_NORM_BATCHES:
        scales = {name: _with_task(scale, batch_size=size) for name, scale in _scales("simple_cnn_bn", _WHOLE).items()}
        summary = f"with BatchNorm, at batch size {size}; reported with the others"
        entries.append(_entry(f"batch_norm_{size}", summary, ("26",), ("P3-26",), scales, "fixed", "batch_norm_batch"))
    return entries


STUDIES = {
    entry.name.partition(".")[2]: entry
    for entry in (
        _entry(
            "lr",
            "curvature and gradient noise along the training, by learning rate",
            ("4", "5", "10"),
            ("P3-02", "P3-04", "P3-05", "P3-09", "P3-11", "P3-12"),
            _scales("simple_cnn", _WHOLE),
        ),
        _entry(
            "batch_size",
            "curvature and gradient noise along the training, by batch size",
            ("4", "5", "11"),
            ("P3-02", "P3-04", "P3-05", "P3-09", "P3-10", "P3-11"),
            _scales("simple_cnn", _BY_BATCH),
            "batch_size",
        ),
        _entry(
            "early",
            "the first epochs in detail: predictions, spectra, and whether steps do harm",
            ("1", "2", "3", "8"),
            ("P3-06", "P3-07", "P3-08", "P3-16"),
            _scales("simple_cnn", _FIRST),
            "early",
        ),
        _entry(
            "batch_norm",
            "with BatchNorm, by learning rate; reported with no_batch_norm",
            ("7",),
            ("P3-14", "P3-15"),
            _scales("simple_cnn_bn", _WHOLE),
        ),
        _entry(
            "no_batch_norm",
            "without BatchNorm, at the same learning rates",
            ("7",),
            ("P3-04", "P3-05"),
            _scales("simple_cnn", _WHOLE),
        ),
        *_batch_norm_batches(),
        _entry(
            "momentum",
            "curvature and gradient noise along the training, by momentum",
            ("20", "21"),
            ("P3-23",),
            _scales("simple_cnn", _WHOLE),
            "momentum",
        ),
        _entry(
            "momentum_lr",
            "curvature and gradient noise by learning rate, at momentum 0.9",
            ("22", "23"),
            ("P3-24",),
            _scales("simple_cnn", _WHOLE),
        ),
        _entry(
            "decay",
            "curvature and gradient noise by learning rate, which drops by 10 in the middle",
            ("24", "25"),
            ("P3-25",),
            _scales("simple_cnn", _WHOLE),
            "decay",
        ),
        _entry(
            "resnet32",
            "curvature and gradient noise of a residual network, by learning rate",
            ("4", "5", "12"),
            ("P3-19",),
            _scales("resnet32", _RESIDUAL, augment=True),
        ),
        _entry(
            "resnet32_batch_size",
            "curvature and gradient noise of a residual network, by batch size",
            ("4", "5", "13"),
            ("P3-19",),
            _scales("resnet32", _RESIDUAL_BY_BATCH, augment=True),
            "batch_size",
        ),
        _entry(
            "mlp",
            "curvature and gradient noise of an MLP, by learning rate",
            ("18", "19"),
            ("P3-22",),
            _MLP,
        ),
        _entry(
            "single_example",
            "K of single examples; reported with mini_batch",
            ("9",),
            ("P3-17",),
            _few_rows(),
        ),
        _entry(
            "mini_batch",
            "K of mini-batches along the trainings of single_example",
            ("9",),
            ("P3-17",),
            _few_rows(),
        ),
    )
}
"""The studies of this paper by short name; calling one builds it."""
