"""The search over transition epochs as a user would write it with Ray Tune alone, against ours: wall time to the end.

Both sides run the same trials: the study ``two_regimes.transition_epoch`` on CIFAR-10 (phases of the replica: two
large-step phases, four small-step phases, random transition epochs, three-step references), the same seeds, epochs,
network, images and batches, two at a time or as many as there are processors.

- ``stock``: a function trainable with torchvision's transforms and a DataLoader, ``torch.optim`` and ``tune.report``,
  under FIFO and Ray's defaults. The decoded images are passed by ``tune.with_parameters``, so no trial decodes them.
- ``ours``: `Study.run`, prefixes shared, nothing pruned.
- ``pruned``: the same with `RegimeASHA`.

    python benchmarks/versus_ray_tune.py --data <folder of CIFAR-10>

Sides take turns within a repeat. Beside the ratios it says whether the best point of the pruned search lies within the
interval that the seeds of the best unpruned point span.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ratios import interval
from ray import tune

import tune_regimes as tr
from search_spaces.two_regimes import RATES, THREE_STEP, transition_schedule
from tune_regimes.results import Results

BATCH = 32
WIDTH = 1 / 16


def make_study(arguments: argparse.Namespace, scheduler: Any) -> tr.Study:
    rates, epochs = RATES["replica"], arguments.epochs
    task = tr.task(
        "cifar10/vgg11_bn",
        data=str(arguments.data.resolve()),
        train_size=arguments.images,
        test_size=arguments.images,
        batch_size=BATCH,
        width=WIDTH,
        augment=True,
    )
    return tr.Study(
        name="versus",
        task=task,
        schedule=partial(transition_schedule, rates=rates, epochs=epochs),
        space={
            "large": tune.grid_search(list(rates.large)),
            "small": tune.grid_search(list(rates.small)),
            "transition_epoch": tune.randint(1, epochs),
        },
        points_to_evaluate=[
            {"large": THREE_STEP, "small": THREE_STEP, "transition_epoch": epoch}
            for epoch in (epochs // 3, epochs // 2)
        ],
        samples=arguments.samples,
        seeds=arguments.seeds,
        scheduler=scheduler,
    )


def trials_of(study: tr.Study) -> list[dict[str, Any]]:
    """Every trial as plain values: seed, and for each epoch optimizer, lr, momentum, weight decay."""
    points = study.open_points({})
    trials = []
    for point in range(points.total):
        schedule = study.schedule(points.config(point))
        epochs = []
        for epoch in range(schedule.epochs):
            told = schedule.settings(epoch, 1)
            reset = epoch in schedule.transitions
            epochs.append((told.optimizer, told.lr, told.momentum, told.weight_decay, reset))
        trials += [{"seed": seed, "epochs": epochs} for seed in study.seeds]
    return trials


def stock_trial(config: dict[str, Any], images: dict[str, np.ndarray] | None = None) -> None:
    """What a user writes: a Dataset, transforms, a DataLoader, an optimizer, an epoch loop and a report."""
    import torch
    from PIL import Image
    from torch import nn
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    from tune_regimes.tasks import models
    from tune_regimes.tasks.registry import DATASETS

    assert images is not None
    config = config["trial"]
    info = DATASETS["cifar10"]
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])

    class Pictures(Dataset):
        def __init__(self, inputs, targets, transform) -> None:
            self.inputs, self.targets, self.transform = inputs, targets.tolist(), transform

        def __len__(self):
            return len(self.targets)

        def __getitem__(self, index):
            return self.transform(Image.fromarray(self.inputs[index])), self.targets[index]

    plain = [transforms.ToTensor(), transforms.Normalize(info.mean, info.std)]
    augmented = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *plain]
    train = Pictures(images["train_x"], images["train_y"], transforms.Compose(augmented))
    test = Pictures(images["test_x"], images["test_y"], transforms.Compose(plain))
    train_loader = DataLoader(train, batch_size=BATCH, shuffle=True, drop_last=True)
    test_loader = DataLoader(test, batch_size=500)
    model = models.build("vgg11_bn", shape=info.shape, num_classes=10, width=WIDTH)
    criterion, optimizer = nn.CrossEntropyLoss(), None
    for kind, lr, momentum, weight_decay, begins in config["epochs"]:
        if optimizer is None or begins:
            optimizer = make_optimizer(kind, model.parameters(), lr, momentum, weight_decay)
        model.train()
        total = 0.0
        for inputs, targets in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        correct = 0
        with torch.no_grad():
            for inputs, targets in test_loader:
                correct += int((model(inputs).argmax(1) == targets).sum().item())
        tune.report({"train_loss": total / len(train_loader), "test_accuracy": correct / len(test)})


def make_optimizer(kind: str, parameters: Any, lr: float, momentum: float, weight_decay: float) -> Any:
    import torch

    if kind == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, betas=(momentum, 0.999), weight_decay=weight_decay)
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay)


def images_of(study: tr.Study) -> dict[str, np.ndarray]:
    data = study.task.build().data
    return {
        "train_x": data.train.inputs.numpy(),
        "train_y": data.train.targets.numpy(),
        "test_x": data.test.inputs.numpy(),
        "test_y": data.test.targets.numpy(),
    }


def run_stock(arguments: argparse.Namespace, images: dict[str, np.ndarray]) -> tuple[float, None]:
    """Wall seconds from before Ray starts to the last result."""
    trials = trials_of(make_study(arguments, "fifo"))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", num_cpus=arguments.slots)
        try:
            grid = tune.Tuner(
                tune.with_resources(tune.with_parameters(stock_trial, images=images), {"cpu": 1}),
                param_space={"trial": tune.grid_search(trials)},
                tune_config=tune.TuneConfig(metric="test_accuracy", mode="max"),
                run_config=tune.RunConfig(storage_path=folder, verbose=0),
            ).fit()
            wall = time.perf_counter() - began
        finally:
            ray.shutdown()
    assert not grid.errors, grid.errors[0]
    assert len(grid) == len(trials)
    return wall, None


def run_ours(arguments: argparse.Namespace, scheduler: Any) -> tuple[float, Results]:
    study = make_study(arguments, scheduler)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        results = study.run(folder, max_concurrent=arguments.slots)
        wall = time.perf_counter() - began
        _ = results.trials, results.epochs, results.points
    return wall, results


def compare_best(unpruned: Results, pruned: Results) -> dict[str, Any]:
    """Whether the pruned search has found a point as good as the best, by the seeds of the latter."""
    best, found = unpruned.best(), pruned.best()
    return {
        "unpruned_best": [best.mean, best.low, best.high, best.n],
        "pruned_best": [found.mean, found.low, found.high, found.n],
        "within": bool(best.low <= found.mean),
        "same_point": best.point == found.point,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10")
    parser.add_argument("--images", type=int, default=1000, help="training images, and as many test images")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--samples", type=int, default=3, help="transition epochs drawn in each of the 8 arms")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1, help="trials at once")
    parser.add_argument("--output", type=Path, help="write the figures as JSON here, after every repeat")
    arguments = parser.parse_args()
    study = make_study(arguments, "fifo")
    images = images_of(study)
    print(f"{study.trials} trials of {arguments.epochs} epochs, {arguments.slots} at once, one thread each", flush=True)
    sides = {
        "stock": lambda: run_stock(arguments, images),
        "ours": lambda: run_ours(arguments, "fifo"),
        "pruned": lambda: run_ours(arguments, tr.RegimeASHA()),
    }
    walls: dict[str, list[float]] = {side: [] for side in sides}
    found: dict[str, Any] = {}
    for repeat in range(arguments.repeats):
        for side in list(sides)[:: -1 if repeat % 2 else 1]:
            wall, results = sides[side]()
            walls[side].append(wall)
            trained = "" if results is None else f", {int(results.trials.epochs_trained.sum())} epochs trained"
            print(f"repeat {repeat + 1} {side:>6}: {wall:7.1f} s{trained}", flush=True)
            if results is not None:
                found[side] = results
        best = compare_best(found["ours"], found["pruned"])
        ratios = {}
        for side in ("ours", "pruned"):
            each = [stock / ours for stock, ours in zip(walls["stock"], walls[side], strict=True)]
            ratios[side] = (statistics.geometric_mean(each), *interval(each))
        if arguments.output:
            write(arguments, study, walls, ratios, best, found)
    for side, (mean, low, high) in ratios.items():
        print(f"stock / {side}: {mean:.2f} ({low:.2f} to {high:.2f}, n = {arguments.repeats})")
    mean, low, high, n = best["unpruned_best"]
    print(
        f"best unpruned point {mean:.4f} ({low:.4f} to {high:.4f}, {n} seeds), "
        f"best pruned point {best['pruned_best'][0]:.4f}: within the interval: {best['within']}"
    )


def write(
    arguments: argparse.Namespace, study: tr.Study, walls: dict, ratios: dict, best: dict, found: dict[str, Results]
) -> None:
    facts = {name: value for name, value in vars(arguments).items() if name not in ("data", "output")}
    facts |= {"trials": study.trials, "epochs_asked": sum(study.lengths) * len(study.seeds)}
    facts |= {f"epochs_trained_{side}": int(results.trials.epochs_trained.sum()) for side, results in found.items()}
    facts |= {"cpus": os.cpu_count(), "python": platform.python_version()}
    facts |= {name: metadata.version(name) for name in ("ray", "torch", "torchvision", "tune-regimes")}
    figures = {"wall_seconds": walls, "ratio_to_stock": ratios, "best": best}
    arguments.output.write_text(json.dumps(facts | figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
