"""How many copies of the weights each probe holds at most while it looks.

Counted on a net of 12 million weights with batches of 4, beside which activations are nothing: the peak of the resident
size during a look less the size before it, over that of the weights in float32. Freed memory goes back at once. Each
probe has a process of its own; the first two looks are told apart. It reads /proc, so that it needs Linux.

    python benchmarks/probe_copies.py
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from engine_loops import SETTINGS
from torch import nn

from tune_regimes.probes import Watch, parse_probe
from tune_regimes.tasks import Data, Split, Task
from tune_regimes.training import Numerics, Trajectory

WIDTH, IMAGES, BATCH = 2000, 160, 4
PROBES = (
    "norms",
    "momentum:reference=none",
    "predictions",
    "curvature:subset=0.1,hessian_every=0",
    "curvature:subset=0.1,batches=2",
    "curvature:subset=0.4,batches=2",
    "curvature:subset=0.1,hessian_every=1",
)
RETURNING = {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}


def net() -> nn.Module:
    """Three square layers and a last one."""
    square = [part for _ in range(3) for part in (nn.Linear(WIDTH, WIDTH), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *square, nn.Linear(WIDTH, 10))


def made() -> Task:
    """Synthetic images of as many pixels as a layer is wide."""
    pixels = torch.randint(0, 256, (IMAGES, 40, 50, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    train = Split(pixels, torch.arange(IMAGES) % 10)
    return Task(net, Data(train, Split(pixels[:4], train.targets[:4]), 10, (0.5,), (0.25,)), batch_size=BATCH)


def resident(line: str) -> int:
    """Bytes, of "VmRSS" or of its peak, "VmHWM"."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(each for each in lines if each.startswith(line)).split()[1])


def count(text: str) -> None:
    """Print the copies of the first two looks, those of what the probe is handed included."""
    trajectory = Trajectory(made(), seed=0, numerics=Numerics(threads=1), watcher=Watch([parse_probe(text)]))
    size = 4 * sum(parameter.numel() for parameter in trajectory.model.parameters())
    look, copies = trajectory._lookout._look, []

    def counted(*arguments: Any) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
        before = resident("VmRSS")
        look(*arguments)
        copies.append((resident("VmHWM") - before) / size)

    trajectory._lookout._look = counted  # type: ignore[method-assign, assignment]
    for _ in range(2):
        trajectory.advance(SETTINGS)
    print(f"{text:>40}: " + ", ".join(f"{each:.1f}" for each in copies), flush=True)


if __name__ == "__main__":
    for probe in sys.argv[1:2] or PROBES:
        if len(sys.argv) > 1:
            count(probe)
        else:
            subprocess.run([sys.executable, __file__, probe], env=os.environ | RETURNING, check=True)
