"""How numbers are computed: data type, threads, determinism. All of it is part of a training's identity.

The same schedule computed in bfloat16, or with another number of threads (which changes the order of sums), is another
training: close, but not equal bit for bit.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from tune_regimes.errors import ResourceError, UsageError

DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class Numerics:
    """The choices that decide the bits of a training next to its settings and seed.

    Args:
        dtype: "float32", or "bfloat16" for automatic mixed precision (weights stay float32). bfloat16 needs a CUDA
            device: on a CPU without special instructions for it, it is over ten times slower than float32.
        threads: threads for operations on the CPU; None takes what torch is set to when the trajectory is made.
        deterministic: restrict cuDNN to deterministic kernels and do not let it choose by timing. Without effect on a
            CPU, where everything we use is deterministic for a given number of threads.
        tf32: allow TensorFloat-32 for float32 products and convolutions on CUDA devices.
        compile: run the model through torch.compile. Costs a minute at the start; worth it for long trainings on a GPU.

    Raises:
        UsageError: an unknown dtype, or fewer than one thread.

    Examples:
        >>> Numerics(threads=0)
        Traceback (most recent call last):
        ...
        tune_regimes.errors.UsageError: threads must be at least 1, got 0; leave it None to keep torch's own setting.
    """

    dtype: str = "float32"
    threads: int | None = None
    deterministic: bool = False
    tf32: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.dtype not in DTYPES:
            raise UsageError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}.")
        if self.threads is not None and self.threads < 1:
            raise UsageError(
                f"threads must be at least 1, got {self.threads}; leave it None to keep torch's own setting."
            )

    def resolved(self, device: torch.device) -> "Numerics":
        """Return these numerics with nothing left open, for a device.

        Raises:
            ResourceError: the device is a GPU that torch cannot use.
            UsageError: bfloat16 on a CPU.
        """
        if device.type == "cuda" and not (device.index or 0) < torch.cuda.device_count():
            raise ResourceError(
                f"device {device} needs a GPU that torch can use, and there are {torch.cuda.device_count()}; "
                "use device='cpu'."
            )
        if self.dtype == "bfloat16" and device.type == "cpu":
            raise UsageError("bfloat16 needs a CUDA device, got device='cpu', where it is slow; use dtype='float32'.")
        return replace(self, threads=self.threads or torch.get_num_threads())

    def identity(self, device: torch.device) -> dict[str, str | int | bool]:
        """Return what of this decides the results on a device, as JSON values."""
        common: dict[str, str | int | bool] = {"device": device.type, "dtype": self.dtype, "compile": self.compile}
        if device.type == "cpu":
            return common | {"threads": self.threads or torch.get_num_threads()}
        return common | {"deterministic": self.deterministic, "tf32": self.tf32}

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the context in which the forward pass and the loss are computed."""
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.dtype == "bfloat16")

    @contextmanager
    def applied(self, device: torch.device) -> Iterator[None]:
        """Put torch's global switches as asked inside the block, and back afterwards."""
        with ExitStack() as stack:
            if self.threads is not None:
                stack.callback(torch.set_num_threads, torch.get_num_threads())
                torch.set_num_threads(self.threads)
            if device.type == "cuda":
                stack.enter_context(self._cuda_flags())
            yield

    @contextmanager
    def _cuda_flags(self) -> Iterator[None]:
        precision = "tf32" if self.tf32 else "ieee"
        cudnn: Any = torch.backends.cudnn
        wanted = [
            (torch.backends.cuda.matmul, "fp32_precision", precision),
            (cudnn.conv, "fp32_precision", precision),
            (cudnn, "deterministic", self.deterministic),
            (cudnn, "benchmark", not self.deterministic),
        ]
        before = [(holder, name, getattr(holder, name)) for holder, name, _ in wanted]
        try:
            _write(wanted)
            yield
        finally:
            _write(before)


def _write(switches: Iterable[tuple[Any, str, Any]]) -> None:
    for holder, name, value in switches:
        setattr(holder, name, value)
