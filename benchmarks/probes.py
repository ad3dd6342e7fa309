"""The cost of each probe as a share of an epoch, at its default frequency, and the memory that it takes beside it.

One training of SimpleCNN (full width, batches of 128) per probe, each in a process of its own, as long as the longest
period of the probe. Within one training the probe's time and that of training and evaluation are taken from the same
clock: on a CPU the processor time of the process with one thread, which other load on the machine hardly touches, on a
GPU the wall time. The share is the probe's time over all epochs of the period, divided by that of the training. "always
on" is what every training observes without a probe: the norm of the weights and the angular velocity.

The extra memory is the difference of the peak resident sizes (on a GPU: of the peak allocations) of a process with the
probe and one without, in MB and in copies of the weights.

    python benchmarks/probes.py                              # 50,000 synthetic images: about ten minutes on a CPU
    python benchmarks/probes.py --images 5000 --probe norms  # quicker; shares of a shorter epoch are larger
    python benchmarks/probes.py --data <folder of CIFAR-10>
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from engine_loops import SETTINGS, Case

from tune_regimes.probes import PROBES, Probe, Watch, parse_probe
from tune_regimes.training import Numerics, Trajectory

ALWAYS = "always on"
NOTHING = "no probe"
PERIODS = {"curvature": "hessian_every"}
"""Options of probes that look less often at what is dear."""
LIMITS = {ALWAYS: 0.03, "momentum": 0.03, "norms": 0.03, "curvature": 0.4}
"""Shares of an epoch that the project allows itself."""


@dataclass
class Stopwatch:
    """Time spent inside some functions."""

    clock: Callable[[], float]
    seconds: float = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        def timed(*arguments: Any, **named: Any) -> Any:
            began = self.clock()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += self.clock() - began

        return timed


@dataclass(frozen=True)
class Cost:
    """What one training took."""

    training: float
    probe: float
    peak: int
    parameters: int
    epochs: int


def clock(device: str) -> Callable[[], float]:
    """Processor time, or wall time after the GPU has finished."""
    if device == "cpu":
        return time.process_time

    def synchronised() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return synchronised


def period(probe: Probe | None) -> int:
    """Epochs after which what the probe does repeats itself."""
    if probe is None:
        return 1
    return int(getattr(probe, PERIODS.get(probe.name, ""), 0) or probe.when.every)


def train(case: Case, name: str, text: str | None, pipe: Connection) -> None:
    """Train one period under a probe and send back what it took."""
    probe = None if text is None else parse_probe(text)
    watch = Stopwatch(clock(case.device))
    watcher = None if probe is None else Watch([probe])
    numerics = Numerics(dtype=case.dtype, threads=case.threads)
    task = case.task()
    weights = {name: parameter.detach() for name, parameter in task.model().named_parameters()}
    ahead = {} if probe is None else dict.fromkeys(probe.ahead(period(probe)), weights)
    trajectory = Trajectory(task, seed=0, device=case.device, numerics=numerics, watcher=watcher, ahead=ahead)
    count = sum(parameter.numel() for parameter in trajectory.model.parameters())
    if watcher is not None:
        watcher.look = watch.around(watcher.look)  # type: ignore[method-assign]
    elif name == ALWAYS:
        observer = trajectory._observer
        observer.begin = watch.around(observer.begin)  # type: ignore[method-assign]
        observer.end = watch.around(observer.end)  # type: ignore[method-assign]
    # The first epoch has no angle to measure.
    epochs, whole = 2 if name == ALWAYS else period(probe), Stopwatch(clock(case.device))
    advance = whole.around(trajectory.advance)
    for _ in range(epochs):
        advance(SETTINGS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if case.device != "cpu":
        peak = torch.cuda.max_memory_allocated()
    pipe.send(Cost(whole.seconds - watch.seconds, watch.seconds, peak, count, epochs))


def measured(case: Case, name: str, text: str | None) -> Cost:
    """The cost of one training in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=train, args=(case, name, text, theirs))
    process.start()
    found: Cost = ours.recv()
    process.join()
    return found


def row(name: str, cost: Cost, plain: Cost) -> dict[str, Any]:
    """A line of the table."""
    extra = cost.peak - plain.peak
    return {
        "probe": name,
        "epochs": cost.epochs,
        "training_seconds": round(cost.training, 3),
        "probe_seconds": round(cost.probe, 3),
        "share": round(cost.probe / cost.training, 5),
        "limit": LIMITS.get(name.partition(":")[0]),
        "extra_mb": round(extra / 1e6, 1),
        "extra_copies_of_the_weights": round(extra / (4 * cost.parameters), 1),
    }


def main() -> None:
    """Measure and print; ``--output`` keeps the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--net", default="simple_cnn")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data")
    parser.add_argument("--probe", action="append", help="in the notation of the command line; default: each as it is")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    case = Case(args.net, "float32", args.device, args.images, 1, args.data)
    plain = measured(case, NOTHING, None)
    texts: list[tuple[str, str | None]] = [(ALWAYS, None), *((text, text) for text in args.probe or PROBES)]
    rows = []
    for name, text in texts:
        rows.append(row(name, measured(case, name, text), plain))
        found = rows[-1]
        limit = "" if found["limit"] is None else f" (limit {found['limit']:.0%})"
        print(
            f"{name:>14}: {found['share']:8.2%} of an epoch{limit}, over {found['epochs']} epochs; "
            f"{found['extra_mb']:.0f} MB beside the training, {found['extra_copies_of_the_weights']:.1f} weights",
            flush=True,
        )
    document = {
        "net": args.net,
        "images": args.images,
        "device": args.device if args.device == "cpu" else torch.cuda.get_device_name(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "parameters": plain.parameters,
        "rows": rows,
    }
    if args.output is not None:
        args.output.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
