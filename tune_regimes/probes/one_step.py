"""What one more step of a training does to its loss: the step itself, and rows drawn for it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tune_regimes.probes.applied import batch_index, batches_in_step
from tune_regimes.probes.flattened import set_mode
from tune_regimes.training.batches import Batch
from tune_regimes.training.moment import Moment
from tune_regimes.training.objective import Objective
from tune_regimes.training.optimizers import ScheduledOptimizer


def drawn(count: int, size: int, batches: int) -> Tensor:
    """Rows of so many batches, int64 (batches, size): shuffled as often as it takes, each time into whole batches.

    Args:
        count: Training examples.
        size: Examples in a batch, at most `count`.
        batches: How many.
    """
    whole = count // size
    rounds = [torch.randperm(count)[: whole * size].view(whole, size) for _ in range(math.ceil(batches / whole))]
    return torch.cat(rounds)[:batches]


def loss_change(moment: Moment, rows: Sequence[Tensor], mode: str) -> float:
    """The loss on some rows before one more step of SGD, less that after it: above 0 where the step does good.

    The step is the training's own: in training mode, with the momentum buffers, weight decay and clipping of the epoch
    and the values of its last step, on examples drawn for it from torch's global generator.

    Args:
        moment: Where the training stands; its model has made the step afterwards.
        rows: Batches of one size, int64 each.
        mode: In which the loss is taken; see `set_mode`.

    Returns:
        NaN for optimizers other than SGD.
    """
    if moment.settings.family != "sgd":
        return math.nan
    before = mean_loss(moment, rows, mode)
    _step(moment)
    return before - mean_loss(moment, rows, mode)


@torch.no_grad()
def mean_loss(moment: Moment, rows: Sequence[Tensor], mode: str) -> float:
    """The mean loss over batches of one size."""
    set_mode(moment.model, mode)
    losses = [moment.loss(moment.model(inputs), targets).double() for inputs, targets in map(moment.examples, rows)]
    return float(torch.stack(losses).mean())


def _step(moment: Moment) -> None:
    settings = replace(moment.settings, reset=False)
    optimizer = ScheduledOptimizer(moment.model, moment.loss)
    buffers = {name: {"momentum_buffer": value} for name, value in moment.velocity.items()}
    optimizer.restore({"family": "sgd", "buffers": buffers})
    optimizer.enter(settings)
    moment.model.train()
    size = batches_in_step(moment)

    def outputs(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        scores = moment.model(inputs)
        return scores, moment.loss(scores, targets)

    optimizer.step(batch_index(moment), Objective(_batches(moment, size), size, outputs))


def _batches(moment: Moment, count: int) -> Iterator[Batch]:
    return map(moment.examples, drawn(moment.train_count, moment.batch_size, count))
