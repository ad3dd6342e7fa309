"""Task = model + data + loss + metrics, and the values it is made of: frozen and checked when they are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tune_regimes.errors import TaskError
from tune_regimes.tasks.data import Data

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


def top5_accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of the batch with the target's output among the five largest, as a 0-dimensional tensor.

    Args:
        outputs: scores, ``[N, classes]``, of five classes or more.
        targets: class numbers, int64 ``[N]``.
    """
    return (outputs.topk(5, dim=1).indices == targets[:, None]).any(dim=1).float().mean()


@dataclass(frozen=True)
class Augmentation:
    """Random changes to training images: a mirror image, and a shift by cropping a padded image.

    Attributes:
        flip: mirror left and right with probability one half.
        crop: pixels of padding on each side before a random crop of the original size; 0 for none.
        padding: what the padding holds, "zero" (black pixels, before normalisation) or "reflect".

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
        init_seed: trainings of whatever seed start from the weights of a training with this one; None where each starts
            from those of its own seed. Order, crops and dropout are those of the training's seed either way.

    Raises:
        TaskError: for a batch size below 1 or above the training split, a metric named "loss", an augmentation that
            does not fit the data, or a seed below 0.
    """

    model: Callable[[], nn.Module]
    data: Data
    loss: Loss = cross_entropy
    metrics: Mapping[str, Loss] = field(default_factory=_default_metrics)
    batch_size: int = 128
    eval_batch_size: int = 500
    augmentation: Augmentation = Augmentation()
    spec: "TaskSpec | None" = None
    init_seed: int | None = None

    def __post_init__(self) -> None:
        rows = len(self.data.train)
        if not 1 <= self.batch_size <= rows:
            raise TaskError(f"batch_size must lie in 1..{rows} (rows of the training split), got {self.batch_size}")
        if self.eval_batch_size < 1:
            raise TaskError(f"eval_batch_size must be at least 1, got {self.eval_batch_size}")
        if "loss" in self.metrics:
            raise TaskError("a metric cannot be named 'loss': train_loss and test_loss are the task's own loss")
        if self.init_seed is not None and self.init_seed < 0:
            raise TaskError(f"init_seed must be at least 0, or None for the training's own, got {self.init_seed}")
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
            **({} if self.init_seed is None else {"init_seed": self.init_seed}),
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
