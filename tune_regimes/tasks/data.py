"""The data of a task as tensors: splits and what is known of them, checked when they are made."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import torch
from torch import Tensor

from tune_regimes.errors import DataError


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
