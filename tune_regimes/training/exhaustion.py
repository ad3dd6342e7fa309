"""Memory that does not suffice, said in words: what was asked for, and what to ask for instead."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tune_regimes.errors import ResourceError
from tune_regimes.schedule import Settings

_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "alloc_failed", "could not create a primitive")
"""What allocators say; the last is oneDNN's, which does not say what it lacked."""
SMALLER_BATCHES = "choose a smaller one; batches_per_step makes one step of the gradients of several batches, or of all"
SMALLER_GROUPS = (
    "choose a smaller one, or a smaller batches_per_step: this optimizer holds all batches of a step at once"
)
HOLDING = ("lbfgs", "kfac")
"""Families whose steps go through their batches more than once."""


def remedy_for(settings: Settings) -> str:
    """What to do where an epoch under these settings does not fit the memory."""
    return SMALLER_GROUPS if settings.batches_per_step > 1 and settings.family in HOLDING else SMALLER_BATCHES


@contextmanager
def enough_memory(device: torch.device, what: str, size: int, remedy: str) -> Iterator[None]:
    """Turn a failed allocation inside the block, by whichever allocator, into an error with a remedy.

    Args:
        device: Where the block computes.
        what: The option that decides how much memory it takes, such as ``batch_size``.
        size: Its value.
        remedy: What to do.

    Raises:
        ResourceError: The memory did not suffice.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_exhaustion(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ResourceError(f"{what} must fit the memory of {device}, got {size} ({reason}): {remedy}.") from error


def _is_exhaustion(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(sign in text for sign in _SIGNS)
