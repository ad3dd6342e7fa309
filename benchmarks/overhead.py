"""What running trials on Ray Tune costs beyond training them: ours, and a stock function trainable, side by side.

Both train the same schedules of the same task with the same loop; only what stands around the loop differs. The stock
side is what a user writes: a function that builds its task, trains, and calls ``tune.report`` every epoch, under Ray's
defaults.

    python benchmarks/overhead.py --seconds 1 20

prints, for each length of trial, wall time, the sum of training seconds over slots, and the difference as a share of
the wall time.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import ray
from ray import tune

import tune_regimes as tr

TASK = "digits/simple_cnn"


def schedule_of(epochs: int) -> Callable[[dict], tr.Schedule]:
    def schedule(config: dict) -> tr.Schedule:
        large, small = tr.Phase(lr=0.1), tr.Phase(lr=0.01, momentum=0.9)
        return tr.two_phase(epochs=epochs, transition_epoch=int(config["at"] * epochs), large=large, small=small)

    return schedule


def calibrate(seconds: float) -> int:
    """Epochs that one process trains in about that time."""
    import torch

    torch.set_num_threads(1)
    trajectory = tr.Trajectory(tr.task(TASK).build(), seed=0)
    settings = schedule_of(100)({"at": 1.0}).settings(0, trajectory.steps_per_epoch)
    times = sorted(trajectory.advance(settings)["seconds"] for _ in range(15))
    return max(2, round(seconds / times[7]))


def run_ours(trials: int, epochs: int, slots: int) -> tuple[float, float]:
    """Wall seconds of the whole study, Ray's start included, and the training seconds of all trials."""
    with tempfile.TemporaryDirectory() as folder:
        study = tr.Study(
            name="overhead",
            task=tr.task(TASK),
            schedule=schedule_of(epochs),
            space={"at": tune.uniform(0.0, 1.0)},
            samples=trials,
        )
        began = time.perf_counter()
        results = study.run(folder, max_concurrent=slots, share=False)
        wall = time.perf_counter() - began
        assert (results.trials.status == "completed").all()
        return wall, float(results.trials.train_seconds.sum())


def run_stock(trials: int, epochs: int, slots: int) -> tuple[float, float]:
    """The same trials through a function trainable."""

    def train(config: dict) -> None:
        import torch

        import tune_regimes as tr

        torch.set_num_threads(1)
        trajectory = tr.Trajectory(tr.task(TASK).build(), seed=0)
        schedule = schedule_of(epochs)(config)
        spent = 0.0
        for epoch in range(schedule.epochs):
            record = trajectory.advance(schedule.settings(epoch, trajectory.steps_per_epoch))
            spent += record["seconds"]
            tune.report({"test_accuracy": record["test_accuracy"], "train_seconds": spent})

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        try:
            grid = tune.Tuner(
                tune.with_resources(train, {"cpu": (os.cpu_count() or 1) / slots}),
                param_space={"at": tune.uniform(0.0, 1.0)},
                tune_config=tune.TuneConfig(metric="test_accuracy", mode="max", num_samples=trials),
                run_config=tune.RunConfig(storage_path=folder, verbose=0),
            ).fit()
            return time.perf_counter() - began, sum(result.metrics["train_seconds"] for result in grid)
        finally:
            ray.shutdown()


def measure(run: Callable[..., tuple[float, float]], trials: int, epochs: int, slots: int) -> dict[str, float]:
    wall, training = run(trials, epochs, slots)
    return {
        "wall_seconds": wall,
        "training_seconds_per_slot": training / slots,
        "overhead": (wall - training / slots) / wall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 20.0], help="lengths of a trial")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1, help="trials at once")
    parser.add_argument(
        "--only-ours-from", type=float, default=float("inf"), help="leave the stock side out from this length on"
    )
    parser.add_argument("--output", type=Path, help="write the figures as JSON here")
    arguments = parser.parse_args()
    rows = []
    print(f"{arguments.trials} trials of {TASK}, {arguments.slots} at once, one thread each")
    print(f"{'trial':>8} {'side':>6} {'wall':>9} {'training':>9} {'overhead':>9}")
    for seconds in arguments.seconds:
        epochs = calibrate(seconds)
        sides = [("ours", run_ours)] + ([("stock", run_stock)] if seconds < arguments.only_ours_from else [])
        for side, run in sides:
            row = {"trial_seconds": seconds, "epochs": epochs, "side": side}
            row |= measure(run, arguments.trials, epochs, arguments.slots)
            rows.append(row)
            wall, training = row["wall_seconds"], row["training_seconds_per_slot"]
            print(f"{seconds:7g}s {side:>6} {wall:8.1f}s {training:8.1f}s {row['overhead']:9.1%}", flush=True)
        if len(sides) == 2:
            print(f"{'':8} ours / stock wall time: {rows[-2]['wall_seconds'] / rows[-1]['wall_seconds']:.2f}")
    if arguments.output:
        versions = {name: metadata.version(name) for name in ("ray", "torch", "tune-regimes")}
        facts = {
            "trials": arguments.trials,
            "slots": arguments.slots,
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
        }
        arguments.output.write_text(json.dumps({**facts, **versions, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
