"""Images per second of this project's training loop and of a stock loop, on the same net, batch and math.

The stock loop is what a user would write with torchvision: a Dataset of PIL images with RandomCrop,
RandomHorizontalFlip, ToTensor and Normalize, a DataLoader, and the training loop of the tutorials. Every number of
DataLoader workers is tried, with workers that stay alive, and the best one counts. Both loops live in processes of
their own (ours sets the C library's allocator, which would help the stock loop too), hold the same number of threads,
and take turns within one run, so that other load on the machine hits both. A repeat is one epoch of training; the
epochs of a pair are compared, and the interval is Student's t over the logarithms of the ratios. The fastest epochs of
either are compared too: other load on the machine touched them least.

    python benchmarks/engine.py                              # CPU, synthetic images
    python benchmarks/engine.py --data <folder of CIFAR-10>  # real ones
    python benchmarks/engine.py --device cuda                # VGG-13-BN and ResNet-18, float32 and bfloat16
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torchvision
from engine_loops import BATCH, Case, our_loop, stock_loop
from ratios import interval
from torch.utils.flop_counter import FlopCounterMode

from tune_regimes.tasks import models

Epoch = Callable[[int], None]
NETS = {"cpu": ("simple_cnn", "resnet18"), "cuda": ("vgg13_bn", "resnet18")}
IMAGES = {"cpu": {"simple_cnn": 2560, "resnet18": 256}, "cuda": {"vgg13_bn": 25600, "resnet18": 25600}}


def serve(loop: Callable[[Case], Epoch], case: Case, pipe: Connection) -> None:
    """Run one epoch for every number of workers received, and answer with its seconds."""
    epoch = loop(case)
    while (workers := pipe.recv()) is not None:
        started = time.perf_counter()
        epoch(workers)
        if case.device == "cuda":
            torch.cuda.synchronize()
        pipe.send(time.perf_counter() - started)


class Loop:
    """A training loop in a process of its own."""

    def __init__(self, loop: Callable[[Case], Epoch], case: Case) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=serve, args=(loop, case, theirs))
        self._process.start()

    def seconds(self, workers: int = 0) -> float:
        """Train one epoch and return how long it took."""
        self._pipe.send(workers)
        return float(self._pipe.recv())

    def close(self) -> None:
        """Have the process end."""
        self._pipe.send(None)
        self._process.join()


def measure(case: Case, workers: Iterable[int], repeats: int) -> dict[str, Any]:
    """Seconds of every epoch of every loop; the first of each is thrown away, the order turns from repeat to repeat."""
    ours, stock = Loop(our_loop, case), Loop(stock_loop, case)
    turns = {"ours": ours.seconds} | {f"stock, {count} workers": partial(stock.seconds, count) for count in workers}
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    names = list(turns)
    for repeat in range(-1, repeats):
        shift = repeat % len(names)
        for name in names[shift:] + names[:shift]:
            seconds[name].append(turns[name]())
    ours.close()
    stock.close()
    return summary(case, {name: values[1:] for name, values in seconds.items()})


def summary(case: Case, seconds: dict[str, list[float]]) -> dict[str, Any]:
    trained = case.images // BATCH * BATCH
    speeds = {name: trained / statistics.median(values) for name, values in seconds.items()}
    best = max((name for name in seconds if name != "ours"), key=speeds.__getitem__)
    ratios = [theirs / ours for ours, theirs in zip(seconds["ours"], seconds[best], strict=True)]
    ratio, (low, high) = math.exp(statistics.median(map(math.log, ratios))), interval(ratios)
    fastest = min(min(values) for name, values in seconds.items() if name != "ours") / min(seconds["ours"])
    found = {"case": asdict(case), "images_per_second": speeds, "best_stock": best, "seconds": seconds}
    return found | {"ratio": ratio, "low": low, "high": high, "fastest": fastest, "repeats": len(ratios)}


def matrix_peak(dtype: str, size: int = 8192) -> float:
    """Floating-point operations per second of a large matrix product on the GPU, the best of ten."""
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    one, other = torch.randn(2, size, size, device="cuda", dtype=getattr(torch, dtype))
    best = math.inf
    for _ in range(10):
        torch.cuda.synchronize()
        started = time.perf_counter()
        one @ other
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def operations(case: Case) -> float:
    """Floating-point operations of forward and backward pass per image, in convolutions and matrix products."""
    model, inputs = case.model(), torch.zeros(2, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        model(inputs).sum().backward()
    return counter.get_total_flops() / 2


def share_of_peak(case: Case, speed: float) -> dict[str, float]:
    peak = matrix_peak(case.dtype)
    return {"matrix_peak_flops": peak, "share_of_peak": operations(case) * speed / peak}


def processor(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.processor())}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"


def report(results: list[dict[str, Any]], arguments: argparse.Namespace, load: float) -> str:
    """The results as Markdown."""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}"
    data = "synthetic images" if arguments.data is None else "CIFAR-10"
    table = [
        "| net | precision | images a repeat | ours, images/s | stock, images/s (by workers) "
        "| ours / stock (median) | 95 % interval | fastest epoch of ours / of stock | repeats |",
        "|---|---|---|---|---|---|---|---|---|",
        *(line(result) for result in results),
        *(peak_line(result) for result in results if "share_of_peak" in result),
    ]
    heading = f"# Images per second, batch {BATCH}: ours and a stock loop with its best number of workers"
    setup = f"{processor(arguments.device)}; {versions}; {arguments.threads} threads each; {data}."
    others = f"Load average before the start: {load:.1f}."
    return "\n".join(
        [heading, "", setup, others, f"Command: `python benchmarks/engine.py {command(arguments)}`", "", *table, ""]
    )


def line(result: dict[str, Any]) -> str:
    case, speeds = result["case"], result["images_per_second"]
    stock = ", ".join(f"{name.split()[1]}: {speed:.0f}" for name, speed in speeds.items() if name != "ours")
    cells = [case["net"], case["dtype"], case["images"], f"{speeds['ours']:.0f}", stock, f"{result['ratio']:.2f}"]
    cells += [f"{result['low']:.2f} to {result['high']:.2f}", f"{result['fastest']:.2f}", result["repeats"]]
    return "| " + " | ".join(map(str, cells)) + " |"


def peak_line(result: dict[str, Any]) -> str:
    case, peak = result["case"], result["matrix_peak_flops"] / 1e12
    share = f"{result['share_of_peak']:.0%} of the measured matrix peak, {peak:.0f} TFLOP/s"
    return f"\n{case['net']} in {case['dtype']}: {share}."


def command(arguments: argparse.Namespace) -> str:
    """The options that repeat this run; the folder of the data by what it holds."""
    given = {name: value for name, value in vars(arguments).items() if value is not None and name != "output"}
    given |= {"data": "<CIFAR-10>"} if arguments.data else {}
    lists = {name: " ".join(map(str, value)) for name, value in given.items() if isinstance(value, list)}
    return " ".join(f"--{name} {value}" for name, value in (given | lists).items())


def cases(arguments: argparse.Namespace) -> Iterator[Case]:
    for net in arguments.nets or NETS[arguments.device]:
        images = arguments.images or IMAGES[arguments.device].get(net, 2560)
        for dtype in ("float32", "bfloat16") if arguments.device == "cuda" else ("float32",):
            yield Case(net, dtype, arguments.device, images, arguments.threads, arguments.data)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--nets", nargs="+", choices=sorted(models.BUILDERS), help="default: those of the device")
    parser.add_argument("--images", type=int, help="training images in a repeat (default: by net and device)")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--workers", type=int, nargs="+", help="numbers of DataLoader workers to try")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="torch's threads, of both loops")
    parser.add_argument("--data", help="folder of CIFAR-10 (default: synthetic images)")
    parser.add_argument("--output", type=Path, help="write <output>.md and <output>.json")
    return parser.parse_args()


def main() -> None:
    arguments, load = parse(), os.getloadavg()[0]
    workers = arguments.workers or ([0, 1, 2] if arguments.device == "cpu" else [0, 2, 4, 8, 16])
    results = []
    for case in cases(arguments):
        result = measure(case, workers, arguments.repeats)
        if case.device == "cuda":
            result |= share_of_peak(case, result["images_per_second"]["ours"])
        results.append(result)
        print(line(result), flush=True)
    text = report(results, arguments, load)
    print("\n" + text)
    if arguments.output is not None:
        arguments.output.with_suffix(".md").write_text(text)
        arguments.output.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
