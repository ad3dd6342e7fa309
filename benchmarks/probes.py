"""The cost of each probe as a share of an epoch, at its default frequency, and the memory that it takes beside it.

One training of SimpleCNN (full width, batches of 128) per probe, each in a process of its own, as long as the longest
period of the probe: five epochs for curvature, whose Hessian is looked at in every fifth. A repeat is one such process
for each probe and one without any, in an order that alternates; printed are the medians over repeats, with the range.

Within one training the probe's time and that of training and evaluation are taken from the same clock: on a CPU the
processor time of the process with one thread, which other load on the machine hardly touches, on a GPU the wall time.
The share is the probe's time over all epochs of the period, divided by that of the training; each look of the period is
told beside it. "always on" is what every training observes without a probe: the norm of the weights and the angular
velocity. A look at K costs `batches` steps however long an epoch is: with fewer images than CIFAR-10 has its share is
larger, while that of H, on a share of the images, stays.

The extra memory is the difference of the peak resident sizes (on a GPU: of the peak allocations) of a process with the
probe and the one without in the same repeat, in MB and in copies of the weights.

    python benchmarks/probes.py                              # 50,000 synthetic images: over an hour on a CPU
    python benchmarks/probes.py --images 5000 --probe norms  # quicker; shares of a shorter epoch are larger
    python benchmarks/probes.py --data <folder of CIFAR-10>
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from engine_loops import SETTINGS, Case

from tune_regimes.probes import PROBES, Probe, Watch, parse_probe
from tune_regimes.training import Numerics, Trajectory

ALWAYS = "always on"
"""The training without a probe."""
PERIODS = {"curvature": "hessian_every"}
"""Options of probes that look less often at what is dear."""
PREPARED = ("norms",)
"""Probes whose first look does work for all later ones: they are watched over two."""
LIMITS = {ALWAYS: 0.03, "momentum": 0.03, "norms": 0.03, "curvature": 0.4}
"""Shares of an epoch that the project allows itself."""


@dataclass
class Stopwatch:
    """Time spent inside some functions."""

    clock: Callable[[], float]
    laps: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The sum over all calls."""
        return sum(self.laps)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        def timed(*arguments: Any, **named: Any) -> Any:
            began = self.clock()
            try:
                return function(*arguments, **named)
            finally:
                self.laps.append(self.clock() - began)

        return timed


@dataclass(frozen=True)
class Cost:
    """What one training took."""

    training: float
    looks: tuple[float, ...]
    peak: int
    parameters: int
    epochs: int

    @property
    def epoch(self) -> float:
        """Seconds of an epoch without the probe."""
        return self.training / self.epochs

    @property
    def share(self) -> float:
        """Of the training, what the probe takes."""
        return sum(self.looks) / self.training


def clock(device: str) -> Callable[[], float]:
    """Processor time, or wall time after the GPU has finished."""
    if device == "cpu":
        return time.process_time

    def synchronised() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return synchronised


def period(probe: Probe | None) -> int:
    """Epochs after which what the probe does repeats itself; the first two where there is none: one has no angle."""
    if probe is None:
        return 2
    epochs = int(getattr(probe, PERIODS.get(probe.name, ""), 0) or probe.when.every)
    return epochs + probe.when.every if probe.name in PREPARED else epochs


def train(case: Case, name: str, pipe: Connection) -> None:
    """Train one period under a probe and send back what it took."""
    probe = None if name == ALWAYS else parse_probe(name)
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
    else:
        observer = trajectory._observer
        observer.begin = watch.around(observer.begin)  # type: ignore[method-assign]
        observer.end = watch.around(observer.end)  # type: ignore[method-assign]
    whole = Stopwatch(clock(case.device))
    advance = whole.around(trajectory.advance)
    for _ in range(period(probe)):
        advance(SETTINGS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if case.device != "cpu":
        peak = torch.cuda.max_memory_allocated()
    pipe.send(Cost(whole.seconds - watch.seconds, tuple(watch.laps), peak, count, period(probe)))


def measured(case: Case, name: str) -> Cost:
    """The cost of one training in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=train, args=(case, name, theirs))
    process.start()
    found: Cost = ours.recv()
    process.join()
    print(f"{name}: {found.share:.2%} of an epoch of {found.epoch:.1f} s", file=sys.stderr)
    return found


def repeat(case: Case, names: Sequence[str], number: int) -> dict[str, Cost]:
    """One training for each of the names, backwards in every other repeat."""
    return {name: measured(case, name) for name in (names if number % 2 == 0 else names[::-1])}


def spread(values: Sequence[float], digits: int) -> dict[str, float]:
    """Median and range."""
    found = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def row(name: str, repeats: Sequence[dict[str, Cost]]) -> dict[str, Any]:
    """A line of the table."""
    costs, plain = [each[name] for each in repeats], [each[ALWAYS] for each in repeats]
    extra = [cost.peak - beside.peak for cost, beside in zip(costs, plain, strict=True)]
    looks = zip(*([look / cost.epoch for look in cost.looks] for cost in costs), strict=True)
    return {
        "probe": name,
        "epochs": costs[0].epochs,
        "limit": LIMITS.get(name.partition(":")[0]),
        "share": spread([cost.share for cost in costs], 5),
        "looks": [] if name == ALWAYS else [spread(look, 5) for look in looks],
        "epoch_seconds": spread([cost.epoch for cost in costs], 3),
        "epoch_over_that_without": spread([c.epoch / b.epoch for c, b in zip(costs, plain, strict=True)], 3),
        "extra_mb": spread([size / 1e6 for size in extra], 1),
        "extra_copies_of_the_weights": spread([size / (4 * costs[0].parameters) for size in extra], 1),
    }


def line(found: dict[str, Any]) -> str:
    """The same to read."""
    share, extra = found["share"], found["extra_mb"]
    weights = found["extra_copies_of_the_weights"]["median"]
    limit = "" if found["limit"] is None else f" (limit {found['limit']:.0%})"
    looks = ", ".join(f"{look['median']:.2%}" for look in found["looks"])
    return (
        f"{found['probe']:>14}: {share['median']:.2%} of an epoch ({share['least']:.2%} to {share['most']:.2%}){limit} "
        f"over {found['epochs']} epochs{f' with looks of {looks}' if looks else ''}; {extra['median']:.0f} MB "
        f"({extra['least']:.0f} to {extra['most']:.0f}) beside the training, {weights:.1f} weights"
    )


def main() -> None:
    """Measure and print; ``--output`` keeps the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--net", default="simple_cnn")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data")
    parser.add_argument("--probe", action="append", help="in the notation of the command line; default: each as it is")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    case = Case(args.net, "float32", args.device, args.images, 1, args.data)
    names = [ALWAYS, *(args.probe or PROBES)]
    repeats = [repeat(case, names, number) for number in range(args.repeats)]
    rows = [row(name, repeats) for name in names]
    print("\n".join(map(line, rows)))
    document = {
        "net": args.net,
        "images": args.images,
        "pictures": "synthetic" if args.data is None else "CIFAR-10",
        "device": args.device if args.device == "cpu" else torch.cuda.get_device_name(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "parameters": repeats[0][ALWAYS].parameters,
        "repeats": args.repeats,
        "rows": rows,
    }
    if args.output is not None:
        args.output.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
