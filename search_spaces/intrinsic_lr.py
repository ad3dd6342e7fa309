"""Studies of Li, Lyu and Arora, "Reconciling Modern Deep Learning with Traditional Optimization Analyses" (2020).

The intrinsic learning rate is lr * weight decay. For networks whose outputs do not depend on the scale of their weights
it decides the equilibrium that training reaches, in about its inverse in steps:

- ``equilibrium`` (Figs. 1, 12, 13): the five schedules of Table 1, which meet;
- ``recovery`` (Fig. 11): the steps back to equilibrium after a change that keeps the intrinsic learning rate;
- ``decay_kind`` (Fig. 4): learning rate or weight decay halved at the same epochs;
- ``predictions`` (Fig. 3): three schedules and many seeds, whose predictions are compared too;
- ``predictions_one_start`` (Fig. 9): the same, with the same initial weights in all runs;
- ``small_lr`` (Figs. 2a to 2c, 10) and ``levels`` (Fig. 2d): small learning rates from the start;
- ``initialisation_*`` (Fig. 8): four initialisations, two weight decays, two schedules;
- ``full_batch`` (Fig. 5): gradient descent, which does not stay where the loss is zero;
- ``averages`` (Figs. 6, 7): how far the weights of one run are apart, and what the averages of any two predict.

The paper scale takes what is printed; ``search_spaces.intrinsic_lr_rates`` says what is not and what the others have.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces import intrinsic_lr_points as points
from search_spaces.catalogue import Scale, StudyEntry, grid_of, make_study
from tune_regimes.schedule import Schedule

if TYPE_CHECKING:
    from tune_regimes.search import Study

SCHEDULES: Mapping[str, Callable[..., Schedule]] = {
    "equilibrium": points.equilibrium_schedule,
    "recovery": points.recovery_schedule,
    "decay_kind": points.decay_schedule,
    "predictions": points.prediction_schedule,
    "small_lr": points.label_schedule,
    "levels": points.level_schedule,
    "initialisation": points.initialisation_schedule,
    "full_batch": points.full_batch_schedule,
    "averages": points.averages_schedule,
}
"""From a point and the rates of a scale to a schedule, by kind of study."""
PROBES: Mapping[str, Callable[[int], str]] = {
    "predictions": points.prediction_probe,
    "averages": points.weights_probe,
}
"""From the epochs of a scale to what looks at the trainings, by kind of study."""


def build(name: str, scale: Scale, *, kind: str, study: str = "", origin: dict[str, Any] | None = None) -> "Study":
    """A study of one kind at a scale: every combination of its settings, with the scale's seeds.

    Args:
        name: Name of the scale, which gives the rates.
        scale: Task, epochs, samples and seeds.
        kind: One of `SCHEDULES`.
        study: Short name of the study, where it is not that of the kind.
        origin: The catalogue entry.
    """
    schedule = partial(SCHEDULES[kind], rates=points.RATES[name], epochs=scale.epochs)
    space = grid_of(points.drawn(name, scale.epochs)[kind])
    probes = [PROBES[kind](scale.epochs)] if kind in PROBES else []
    return make_study(f"intrinsic_lr.{study or kind}", name, scale, schedule, space, origin, probes=probes)


_SOURCE = "Li, Lyu and Arora, Reconciling Modern Deep Learning with Traditional Optimization Analyses (2020)"
_DIGITS: Mapping[str, Any] = {"batch_size": 20}
_SMALL_IMAGES: Mapping[str, Any] = {
    "train_size": 2000,
    "test_size": 1000,
    "batch_size": 32,
    "width": 1 / 16,
    "augment": True,
}
_CIFAR: Mapping[str, Any] = {"batch_size": 128, "augment": True}

Run = tuple[str, int, int]
"""What a scale of a study takes in words, its epochs and its seeds."""


def _scales(smoke: Run, replica: Run, paper: Run, **extra: Any) -> dict[str, Scale]:
    """The scales on the digits, on small images of CIFAR-10 and as printed; `extra` are further options of the task."""
    tasks = {
        "smoke": ("digits/mlp_si", {**_DIGITS, **extra}, smoke),
        "replica": ("cifar10/vgg11_si", {**_SMALL_IMAGES, **extra}, replica),
        "paper": ("cifar10/preresnet32_si", {**_CIFAR, **extra}, paper),
    }
    return {
        name: Scale(summary, task, epochs, 1, seeds, options)
        for name, (task, options, (summary, epochs, seeds)) in tasks.items()
    }


def _entry(
    study: str,
    summary: str,
    figures: tuple[str, ...],
    claims: tuple[str, ...],
    scales: Mapping[str, Scale],
    kind: str = "",
) -> StudyEntry:
    builder = partial(build, kind=kind or study, study=study)
    return StudyEntry(f"intrinsic_lr.{study}", summary, _SOURCE, figures, claims, scales, builder)


INITIALISATIONS: Mapping[str, Mapping[str, Any]] = {
    "ntk": {"init": "ntk"},
    "kaiming": {"init": "kaiming"},
    "kaiming_times_1000": {"init": "kaiming", "init_scale": 1000.0},
    "kaiming_by_1000": {"init": "kaiming", "init_scale": 0.001},
}
"""The initialisations of Fig. 8 as options of the task: each is a study of its own, since a study has one task."""

_EQUILIBRIUM = _entry(
    "equilibrium",
    "five schedules that end at one intrinsic lr: effective lr, norm and accuracy meet",
    ("1", "12", "13"),
    ("P4-01", "P4-09", "P4-34", "P4-35"),
    _scales(
        ("digits, half a minute", 66, 2),
        ("CIFAR-10, half an hour on 2 cores", 99, 3),
        ("PreResNet-32, for GPUs; also --model vgg16_si and --model cifar100/preresnet32_si", 1100, 3),
    ),
)
_RECOVERY = _entry(
    "recovery",
    "steps back to equilibrium after lr / 10 with weight decay x 10, against 1 / intrinsic lr",
    ("11",),
    ("P4-08", "P4-33"),
    _scales(
        ("digits, half a minute", 80, 2),
        ("CIFAR-10, ten minutes on 2 cores", 96, 3),
        ("PreResNet-32, for GPUs; the paper's network is --model vgg16_si", 400, 3),
    ),
)
_DECAY_KIND = _entry(
    "decay_kind",
    "learning rate or weight decay halved at the same epochs",
    ("4",),
    ("P4-08", "P4-16", "P4-19"),
    _scales(
        ("digits, ten seconds", 70, 3),
        ("CIFAR-10, five minutes on 2 cores", 44, 3),
        ("PreResNet-32, for GPUs", 8200, 3),
    ),
)
_ONE_START: Mapping[str, Any] = {"init_seed": 1000}
"""The initial weights of a seed that is none of the runs' own."""


def _prediction_scales(**extra: Any) -> dict[str, Scale]:
    digits, mnist = {**_DIGITS, **extra}, {"augment": False, **extra}
    return {
        "smoke": Scale("digits, a minute", "digits/mlp_si", 20, 1, 12, digits),
        "replica": Scale("digits, ten minutes on 2 cores", "digits/mlp_si", 50, 1, 60, digits),
        "paper": Scale("CNN on MNIST, 1500 runs, for GPUs", "mnist/mnist_cnn_si", 200, 1, 500, mnist),
    }


_PREDICTIONS = _entry(
    "predictions",
    "errors and predictions of many runs of three schedules that meet, then are fine-tuned",
    ("3",),
    ("P4-11", "P4-12", "P4-17", "P4-18"),
    _prediction_scales(),
)
_PREDICTIONS_ONE_START = _entry(
    "predictions_one_start",
    "predictions of the same schedules where all runs have the same initial weights",
    ("9",),
    ("P4-31",),
    _prediction_scales(**_ONE_START),
    "predictions",
)
_SMALL_LR = _entry(
    "small_lr",
    "a small learning rate from the start, for long, against the usual large start",
    ("2", "10"),
    ("P4-14",),
    _scales(
        ("digits, half a minute", 100, 3),
        ("CIFAR-10, ten minutes on 2 cores", 80, 3),
        ("PreResNet-32, for GPUs", 5100, 3),
    ),
)
_LEVELS = _entry(
    "levels",
    "test accuracy after the drop from equilibria of smaller and smaller intrinsic lr",
    ("2",),
    ("P4-15",),
    _scales(
        ("digits, half a minute", 100, 3),
        ("CIFAR-10, ten minutes on 2 cores", 70, 3),
        ("PreResNet-32, for GPUs", 1000, 3),
    ),
)
_FEW_ROWS: Mapping[str, Any] = {"batch_size": "full", "train_size": 200, "test_size": 100}
_THOUSAND_ROWS: Mapping[str, Any] = {"batch_size": "full", "train_size": 1000, "augment": False}
_FULL_BATCH = _entry(
    "full_batch",
    "gradient descent with weight decay never stays at zero loss",
    ("5",),
    ("P4-21",),
    {
        "smoke": Scale("digits, half a minute", "digits/mlp_si", 1200, 1, 2, _FEW_ROWS),
        "replica": Scale("digits, ten minutes on 2 cores", "digits/mlp_si", 6000, 1, 5, _FEW_ROWS),
        "paper": Scale("1000 images, for GPUs", "cifar10/preresnet32_si", 40000, 1, 3, _THOUSAND_ROWS),
    },
)
_AVERAGES = _entry(
    "averages",
    "distances between the weights of one run, and what the averages of any two predict",
    ("6", "7"),
    ("P4-22", "P4-23"),
    _scales(
        ("digits, half a minute", 80, 4),
        ("CIFAR-10, a quarter of an hour on 2 cores", 48, 3),
        ("PreResNet-32, for GPUs", 8000, 3),
    ),
)


def _initialisations() -> list[StudyEntry]:
    runs = (("digits, ten seconds", 40, 2), ("CIFAR-10, five minutes on 2 cores", 40, 2), ("for GPUs", 160, 3))
    summary = "large and small start, two weight decays, from the initialisation {}"
    return [
        _entry(
            f"initialisation_{name}",
            summary.format(name),
            ("8",),
            ("P4-30",),
            _scales(*runs, **option),
            "initialisation",
        )
        for name, option in INITIALISATIONS.items()
    ]


STUDIES = {
    entry.name.partition(".")[2]: entry
    for entry in (
        _EQUILIBRIUM,
        _RECOVERY,
        _DECAY_KIND,
        _PREDICTIONS,
        _PREDICTIONS_ONE_START,
        _SMALL_LR,
        _LEVELS,
        *_initialisations(),
        _FULL_BATCH,
        _AVERAGES,
    )
}
"""The studies of this paper by short name; calling one builds it."""
