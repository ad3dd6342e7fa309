"""Task = model + data + loss + metrics, and the values it is made of: frozen and checked when they are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tune_regimes.errors import DataError, TaskError

if TYPE_CHECKING:
    from tune_regimes.tasks.spec import TaskSpec

PADDINGS = ("zero", "reflect")


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of the batch whose largest output is the target's, as a 0-dimensional tensor.

    Args:
        outputs: scores, ``[N, classes]``.
        targets: class numbers, int64 ``[N]``.
    """
    return (outputs.argmax(dim=1) == targets).float().mean()


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    Attributes:
        inputs: images as uint8 ``[N, height, width, channels]``, anything else as float32 ``[N, ...]``.
        targets: class numbers, int64 ``[N]``.

    Raises:
        DataError: for other types or shapes, no row at all, or a float input that is not finite.
    """

    inputs: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        _check_inputs(self.inputs)
        if self.targets.dtype != torch.int64 or self.targets.ndim != 1:
            raise DataError(
                f"targets must be int64 of shape [N], got {_kind(self.targets)}; "
                "give the class numbers of the rows, as in labels.long()"
            )
        if len(self.inputs) != len(self.targets) or len(self.targets) == 0:
            raise DataError(
                f"a split needs one target per input and at least one row, "
                f"got {len(self.inputs)} inputs and {len(self.targets)} targets"
            )

    def __len__(self) -> int:
        return len(self.targets)


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _check_inputs(inputs: Tensor) -> None:
    image = inputs.dtype == torch.uint8 and inputs.ndim == 4
    if not image and (inputs.dtype != torch.float32 or inputs.ndim < 2):
        raise DataError(
            f"inputs must be images, uint8 [N, height, width, channels], or float32 [N, ...], got {_kind(inputs)}; "
            "permute and convert the tensor first"
        )
    if not image and not bool(inputs.isfinite().all()):
        row = int(inputs.flatten(1).isfinite().all(dim=1).logical_not().nonzero()[0])
        raise DataError(f"inputs must be finite, row {row} is not; remove or mend the row")


@dataclass(frozen=True, eq=False)
class Data:
    """A training and a test split of one kind.

    Attributes:
        train: what is trained on.
        test: what is evaluated on after each epoch.
        num_classes: targets lie in ``0 .. num_classes - 1``.
        mean: per channel, of images scaled to [0, 1]; ``None`` leaves them in [0, 1].
        std: per channel likewise; given where ``mean`` is.

    Raises:
        DataError: for splits whose inputs differ in type or shape, targets out of range, or a mean and std that do
            not fit the channels.
    """

    train: Split
    test: Split
    num_classes: int
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        train, test = self.train.inputs, self.test.inputs
        if train.dtype != test.dtype or train.shape[1:] != test.shape[1:]:
            raise DataError(f"train and test inputs must agree in type and shape, got {_kind(train)} and {_kind(test)}")
        for name, split in (("train", self.train), ("test", self.test)):
            _check_targets(name, split.targets, self.num_classes)
        _check_statistics(self)

    @cached_property
    def digest(self) -> str:
        """Fingerprint of everything that training can see of the data: arrays, classes and normalisation (hex)."""
        seen = blake2b(repr((self.num_classes, self.mean, self.std)).encode(), digest_size=16)
        for split in (self.train, self.test):
            for tensor in (split.inputs, split.targets):
                seen.update(_kind(tensor).encode())
                seen.update(tensor.contiguous().cpu().numpy().data)
        return seen.hexdigest()

    @property
    def is_image(self) -> bool:
        """Whether the inputs are uint8 images, which are scaled, normalised and may be augmented."""
        return self.train.inputs.dtype == torch.uint8


def _check_targets(split: str, targets: Tensor, num_classes: int) -> None:
    wrong = (targets < 0) | (targets >= num_classes)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise DataError(
            f"targets must lie in 0..{num_classes - 1} for {num_classes} classes, "
            f"{split} row {row} has {int(targets[row])}; correct the labels or num_classes"
        )


def _check_statistics(data: Data) -> None:
    if data.mean is None and data.std is None:
        return
    channels = data.train.inputs.shape[-1]
    fits = data.mean is not None and data.std is not None and len(data.mean) == len(data.std) == channels
    if not data.is_image or not fits or min(data.std or (0.0,)) <= 0:
        raise DataError(
            f"mean and std (> 0) must be given together, for uint8 images, one number for each channel, "
            f"got mean={data.mean} and std={data.std} for {_kind(data.train.inputs)}"
        )


@dataclass(frozen=True)
class Augmentation:
    """Random changes to training images: a mirror image, and a shift by cropping a padded image.

    Attributes:
        flip: mirror left and right with probability one half.
        crop: pixels of padding on each side before a random crop of the original size; 0 for none.
        padding: what the padding holds, "zero" (in the normalised image) or "reflect".

    Raises:
        TaskError: for a negative crop or an unknown padding.
    """

    flip: bool = False
    crop: int = 0
    padding: str = "zero"

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise TaskError(f"crop must be at least 0 pixels, got {self.crop}")
        if self.padding not in PADDINGS:
            raise TaskError(f"padding must be one of {', '.join(PADDINGS)}, got {self.padding!r}")

    def __bool__(self) -> bool:
        return self.flip or self.crop > 0


Loss = Callable[[Tensor, Tensor], Tensor]


def _default_metrics() -> Mapping[str, Loss]:
    return {"accuracy": accuracy}


@dataclass(frozen=True, eq=False)
class Task:
    """What is trained, and how it is judged.

    Attributes:
        model: makes a new, randomly initialised network; images reach it as float ``[N, channels, height, width]``.
        data: the training and test splits.
        loss: mean loss of a batch from (outputs, targets), differentiable.
        metrics: by name, mean of a batch from (outputs, targets), 0-dimensional; each gives the columns
            ``train_<name>`` and ``test_<name>``.
        batch_size: rows per training step. The last, partial batch of an epoch is dropped.
        eval_batch_size: rows per evaluation step (every row is evaluated).
        augmentation: random changes to training images.
        spec: the specification the task was built from, where it was.

    Raises:
        TaskError: for a batch size below 1 or above the training split, a metric named "loss", or an augmentation
            that does not fit the data.
    """

    model: Callable[[], nn.Module]
    data: Data
    loss: Loss = cross_entropy
    metrics: Mapping[str, Loss] = field(default_factory=_default_metrics)
    batch_size: int = 128
    eval_batch_size: int = 500
    augmentation: Augmentation = Augmentation()
    spec: "TaskSpec | None" = None

    def __post_init__(self) -> None:
        rows = len(self.data.train)
        if not 1 <= self.batch_size <= rows:
            raise TaskError(f"batch_size must lie in 1..{rows} (rows of the training split), got {self.batch_size}")
        if self.eval_batch_size < 1:
            raise TaskError(f"eval_batch_size must be at least 1, got {self.eval_batch_size}")
        if "loss" in self.metrics:
            raise TaskError("a metric cannot be named 'loss': train_loss and test_loss are the task's own loss")
        _check_augmentation(self.augmentation, self.data)

    @property
    def steps_per_epoch(self) -> int:
        """Training steps in an epoch: whole batches only, ``rows // batch_size``."""
        return len(self.data.train) // self.batch_size

    def identity(self) -> dict[str, Any]:
        """What tells this task from another one, as JSON: its specification's identity, its settings, its data.

        The code of a user's model is not part of it: give a changed model another name, or an option that says so.
        """
        crop = self.augmentation
        return {
            "spec": None if self.spec is None else self.spec.identity(),
            "data": self.data.digest,
            "batch_size": self.batch_size,
            "eval_batch_size": self.eval_batch_size,
            "augmentation": {"flip": crop.flip, "crop": crop.crop, "padding": crop.padding},
            "loss": _name_of(self.loss),
            "metrics": {name: _name_of(metric) for name, metric in sorted(self.metrics.items())},
        }


def _name_of(function: Loss) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _check_augmentation(augmentation: Augmentation, data: Data) -> None:
    if not augmentation:
        return
    if not data.is_image:
        raise TaskError("augmentation needs uint8 images [N, height, width, channels]; use Augmentation() otherwise")
    smallest = min(data.train.inputs.shape[1:3])
    if augmentation.padding == "reflect" and augmentation.crop >= smallest:
        raise TaskError(f"reflection can pad by at most {smallest - 1} pixels here, got crop={augmentation.crop}")
