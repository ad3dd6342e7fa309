"""The state of a training as bytes, readable without running any code that they contain."""

import io
import pickle
from typing import Any

import torch

from tune_regimes.errors import StorageError

_PARTS = {"epoch", "diverged", "model", "optimizer", "start", "average"}

State = dict[str, Any]
"""Tensors on the CPU, numbers and strings, nested in dictionaries; see `Trajectory.capture`."""


def state_to_bytes(state: State) -> bytes:
    """Write a state in torch's own format; `state_from_bytes` gives it back, equal bit for bit."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def state_from_bytes(payload: bytes) -> State:
    """Read a state; only tensors and plain values are admitted (``torch.load(weights_only=True)``).

    Raises:
        StorageError: the bytes are truncated, damaged or no state.
    """
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise StorageError(
            f"a stored state must be complete, got {len(payload)} bytes that cannot be read; delete the file, "
            "and its epochs are trained again."
        ) from error
    if not isinstance(state, dict) or not state.keys() >= _PARTS:
        raise StorageError(
            f"a stored state must hold {', '.join(sorted(_PARTS))}, got something else; delete the file."
        )
    return state
