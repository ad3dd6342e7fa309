"""Counter-based randomness: what is drawn in an epoch depends on the seed and on that epoch alone.

A running generator would make the state of a training depend on everything drawn before. Here every use of randomness
names its stream, such as ``("epoch", 7, "order")``, and is given a fresh generator seeded with a hash of the seed and
that name. Training can thus be resumed, or branch off, after any epoch with nothing but weights, buffers and
optimizer state.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stream_seed(seed: int, *stream: str | int) -> int:
    """Hash a seed and the name of a stream into a seed of 63 bits.

    Args:
        seed: the seed of the whole training.
        *stream: the name of the stream; strings and integers.

    Examples:
        >>> stream_seed(0, "init") == stream_seed(0, "init")
        True
        >>> stream_seed(0, "epoch", 1, "order") == stream_seed(0, "epoch", 11, "order")
        False
    """
    digest = hashlib.blake2b(json.dumps([seed, *stream]).encode(), digest_size=8, person=b"tune-regimes").digest()
    return int.from_bytes(digest, "big") >> 1


def stream(seed: int, *name: str | int) -> torch.Generator:
    """Return a fresh CPU generator for the named stream: the same numbers on every device and in every process."""
    return torch.Generator().manual_seed(stream_seed(seed, *name))


@contextmanager
def global_stream(device: torch.device, seed: int, *name: str | int) -> Iterator[None]:
    """Seed torch's global generators inside the block and put them back as they were afterwards.

    For what can only draw from the global generators: initialisation of layers and dropout.

    Args:
        device: the generator of this device is seeded next to that of the CPU.
        seed: the seed of the whole training.
        *name: the name of the stream.
    """
    cuda = [torch.cuda.current_device() if device.index is None else device.index] if device.type == "cuda" else []
    value = stream_seed(seed, *name)
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(value)
        for index in cuda:
            torch.cuda.default_generators[index].manual_seed(value)
        yield
