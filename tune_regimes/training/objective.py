"""What one optimizer step minimises: the mean loss of a group of batches, as a function of the weights."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tune_regimes.training.batches import Batch


class Objective:
    """The mean loss over a group of batches of one size; a call adds its gradient to that of the parameters.

    Batches are taken one after another, so that a group needs no more memory than one of them, unless `keep` was
    called: then they stay, and the objective can be called again.

    Args:
        batches: the group, (inputs, targets) each.
        size: how many batches that is.
        forward: outputs and mean loss of (inputs, targets).
        seen: told loss, outputs and targets of every batch, in the first call only.
    """

    def __init__(
        self,
        batches: Iterable[Batch],
        size: int,
        forward: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        seen: Callable[[Tensor, Tensor, Tensor], None] = lambda loss, outputs, targets: None,
    ) -> None:
        self._batches, self._size, self._forward = batches, size, forward
        self._seen: Callable[[Tensor, Tensor, Tensor], None] | None = seen

    def keep(self) -> list[Batch]:
        """Return the batches, and hold them for further calls."""
        self._batches = list(self._batches)
        return self._batches

    def __call__(self) -> Tensor:
        """Add the gradient of the mean loss to what the parameters hold; return that loss, 0-dimensional."""
        losses = []
        for inputs, targets in self._batches:
            outputs, loss = self._forward(inputs, targets)
            share = loss if self._size == 1 else loss / self._size
            share.backward()  # type: ignore[no-untyped-call]
            losses.append(share.detach())
            if self._seen is not None:
                self._seen(loss, outputs, targets)
        self._seen = None
        return losses[0] if self._size == 1 else torch.stack(losses).sum()


class Replay:
    """Runs a model in training mode once more, as if it were the first time.

    Args:
        model: random draws are those that follow the making of this object (dropout), and running statistics
            (BatchNorm) are put back afterwards, as are the generators.
    """

    def __init__(self, model: nn.Module) -> None:
        self._buffers = list(model.buffers())
        devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
        self._cpu = torch.get_rng_state()
        self._cuda = {index: torch.cuda.get_rng_state(index) for index in devices}

    @contextmanager
    def again(self) -> Iterator[None]:
        """Inside the block the draws are repeated; after it nothing but the gradients has changed."""
        before = [buffer.clone() for buffer in self._buffers]
        with torch.random.fork_rng(devices=list(self._cuda)):
            torch.set_rng_state(self._cpu)
            for index, state in self._cuda.items():
                torch.cuda.set_rng_state(state, index)
            yield
        for buffer, value in zip(self._buffers, before, strict=True):
            buffer.copy_(value)
