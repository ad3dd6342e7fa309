"""The built-in data sets, models and options by name: what can be said of them without loading torch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from tune_regimes.errors import TaskError
from tune_regimes.tasks.options import FULL, Options


@dataclass(frozen=True)
class DatasetInfo:
    """What a built-in data set is, wherever its files lie.

    Attributes:
        shape: height, width and channels of an image.
        num_classes: how many classes there are.
        mean: per channel, over the full training split, of images scaled to [0, 1].
        std: per channel likewise.
        flip: whether a mirrored image is still one of its class (a mirrored digit is not).
        crop: pixels of padding before a random crop, where augmented.
        augment: whether it is augmented unless the user says otherwise.
        batch_size: default rows per step.
        train_size: default rows of the training split, None for all.
        label: name of the label column in Parquet files.
        original: name of torchvision's class; empty where torchvision has none.
        folder: the folder that torchvision keeps it in, below the one it is told.
        test_names: what files and folders of the test split are called, the name to be preferred first.
    """

    shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flip: bool = False
    crop: int = 0
    augment: bool = False
    batch_size: int = 128
    train_size: int | None = None
    label: str = "label"
    original: str = ""
    folder: str = ""
    test_names: tuple[str, ...] = ("test",)

    def names(self, split: str) -> tuple[str, ...]:
        """What files and folders of a split ("train" or "test") may be called."""
        return self.test_names if split == "test" else (split,)

    @property
    def top5(self) -> bool:
        """Whether the five largest scores are looked at beside the largest, as is usual with ImageNet's classes."""
        return self.num_classes >= 1000


_IMAGENET: dict[str, Any] = {
    "num_classes": 1000,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "flip": True,
    "augment": True,
    "batch_size": 256,
    "test_names": ("val", "validation"),
}
"""What the downsampled forms of ImageNet share; its test labels were never published, so that its validation images
are what everyone tests on. Mean and std are those in use for ImageNet itself."""

DATASETS: dict[str, DatasetInfo] = {
    "digits": DatasetInfo((8, 8, 1), 10, (0.3053,), (0.3759,), crop=1, batch_size=50, train_size=500),
    "mnist": DatasetInfo((28, 28, 1), 10, (0.1307,), (0.3081,), crop=2, original="MNIST", folder="MNIST"),
    "fashion_mnist": DatasetInfo(
        (28, 28, 1), 10, (0.2860,), (0.3530,), flip=True, crop=2, original="FashionMNIST", folder="FashionMNIST"
    ),
    "cifar10": DatasetInfo(
        (32, 32, 3), 10, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616),
        flip=True, crop=4, augment=True, original="CIFAR10", folder="cifar-10-batches-py",
    ),
    "cifar100": DatasetInfo(
        (32, 32, 3), 100, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762),
        flip=True, crop=4, augment=True, label="fine_label", original="CIFAR100", folder="cifar-100-python",
    ),
    "imagenet32": DatasetInfo((32, 32, 3), crop=4, **_IMAGENET),
    "imagenet64": DatasetInfo((64, 64, 3), crop=8, **_IMAGENET),
}  # fmt: skip


@dataclass(frozen=True)
class ModelInfo:
    """What a built-in model asks of its images.

    Attributes:
        smallest: pixels of the shorter side below which the network's pooling leaves nothing.
        normalize: whether images are normalised per channel unless the user says otherwise; else they stay in [0, 1].
        scale_invariant: whether the outputs, in training mode, are the same when all trained weights are multiplied by
            one positive number, so that lr and weight decay act through the effective and the intrinsic learning rate.
    """

    smallest: int = 1
    normalize: bool = True
    scale_invariant: bool = False


MODELS: dict[str, ModelInfo] = {
    "mlp": ModelInfo(normalize=False),
    "simple_cnn": ModelInfo(smallest=4),
    "simple_cnn_bn": ModelInfo(smallest=4),
    **{f"vgg{depth}_bn": ModelInfo(smallest=32) for depth in (11, 13, 16, 19)},
    **{f"resnet{depth}": ModelInfo() for depth in (18, 34, 50, 20, 32, 56, 110)},
    "wrn28_10": ModelInfo(),
    "wrn40_10": ModelInfo(),
    "densenet100_12": ModelInfo(smallest=4),
    "mlp_si": ModelInfo(scale_invariant=True),
    "mnist_cnn_si": ModelInfo(smallest=4, scale_invariant=True),
    **{f"preresnet{depth}_si": ModelInfo(scale_invariant=True) for depth in (8, 14, 20, 32)},
    **{f"vgg{depth}_si": ModelInfo(smallest=32, scale_invariant=True) for depth in (11, 16)},
}
_OWN_START = (("init", "default"), ("init_scale", 1.0), ("init_seed", None))


def split_name(name: str) -> tuple[str, str]:
    """Data set and model of a built-in task's name, ``"<data set>/<model>"``.

    Raises:
        TaskError: when there is no such data set or model, or the model is too deep for the images.

    Examples:
        >>> split_name("digits/mlp")
        ('digits', 'mlp')
    """
    dataset, _, model = name.partition("/")
    choose("data set", dataset, DATASETS, name)
    choose("model", model, MODELS, name)
    side, smallest = min(DATASETS[dataset].shape[:2]), MODELS[model].smallest
    if side < smallest:
        fitting = ", ".join(m for m, info in MODELS.items() if info.smallest <= side)
        raise TaskError(
            f"{model} needs images of at least {smallest} pixels, those of {dataset} have {side}; "
            f"models that fit: {fitting}"
        )
    return dataset, model


def choose(kind: str, value: str, choices: Mapping[str, object], asked: str) -> None:
    """Check that a value is one of the choices.

    Raises:
        TaskError: otherwise, with the nearest choice and the list of all.
    """
    if value in choices:
        return
    near = get_close_matches(value, choices, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise TaskError(f"unknown {kind} {value!r} in {asked!r}{hint}; choices: {', '.join(choices)}")


def resolve(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a built-in task: those given, checked, and the defaults of the data set and the model.

    The folder is made absolute, so that it means the same in a worker process. A full batch becomes the number of rows
    where that is known without reading the data. The initialisation is left out where it is the network's own, and its
    seed where it is the training's: a task that does not use them is the task that it was before there was a choice.

    Raises:
        TaskError: for an unknown task or option, or a value of the wrong type or range.

    Examples:
        >>> resolve("digits/mlp", {"width": 2})["batch_size"]
        50
        >>> resolve("digits/mlp", {"batch_size": "full"})["batch_size"]
        500
    """
    dataset, model = split_name(name)
    known: dict[str, Any] = {f.name: f.default for f in fields(Options)}
    for option in given:
        choose("option", option, known, name)
    info = DATASETS[dataset]
    options = known | _own_defaults(info, MODELS[model]) | {k: v for k, v in given.items() if v is not None}
    if options["data"] != "" and isinstance(options["data"], str | os.PathLike):
        options["data"] = os.path.abspath(os.path.expanduser(options["data"]))
    Options(**options)
    if options["batch_size"] == FULL:
        options["batch_size"] = options["train_size"] or FULL
    _check_fit(name, options)
    options |= {option: float(options[option]) for option in ("width", "dropout", "init_scale")}
    return {k: v for k, v in options.items() if (k, v) not in _OWN_START}


def _own_defaults(info: DatasetInfo, model: ModelInfo) -> dict[str, Any]:
    return {
        "batch_size": info.batch_size,
        "augment": info.augment,
        "train_size": info.train_size,
        "normalize": model.normalize,
    }


def _check_fit(name: str, options: Mapping[str, Any]) -> None:
    rows, batch = options["train_size"], options["batch_size"]
    if batch != FULL and rows is not None and rows < batch:
        raise TaskError(f"{name}: train_size must be at least batch_size, got {rows} rows for batches of {batch}")
