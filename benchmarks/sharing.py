"""What sharing prefixes saves: the same study with sharing on and off, in one run, in epochs and in wall time.

Three studies of two-phase schedules with the phases of Leclerc and Madry (2020), on the embedded digits:

- ``figure 7``: two large-step phases, one small-step phase, transition epochs spread evenly;
- ``late``: as figure 7, with all transitions in the last third;
- ``tails``: as figure 7, with four small-step phases at each transition.

    python benchmarks/sharing.py

prints the epochs that all schedules ask for, their distinct prefixes (the trie, the least that must be trained), the
epochs that were trained, and wall times, Ray's start included. A wall ratio equal to the epoch ratio would mean that
sharing costs nothing. Sides take turns within a repeat.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from importlib import metadata
from pathlib import Path

from ratios import interval
from ray import tune

import tune_regimes as tr

LARGE = {"momentum": tr.Phase(lr=0.05, momentum=0.9), "no_momentum": tr.Phase(lr=0.3)}
SMALL = {
    "fig7": tr.Phase(lr=0.01, momentum=0.95),
    "classic": tr.Phase(lr=0.01, momentum=0.9),
    "reduced": tr.Phase(lr=0.004, momentum=0.98),
    "adamw": tr.Phase(lr=1e-3, optimizer="adamw", weight_decay=1e-2),
}
STUDIES = ("figure 7", "late", "tails")


def transitions(study: str, epochs: int, count: int) -> list[int]:
    """Transition epochs, spread evenly over where the study has them."""
    first = 2 * epochs // 3 if study == "late" else 1
    return sorted({first + round(k * (epochs - 1 - first) / (count - 1)) for k in range(count)})


def make_study(study: str, epochs: int, count: int, seeds: int, images: int) -> tr.Study:
    def schedule(config: dict) -> tr.Schedule:
        large, small = LARGE[config["large"]], SMALL[config["small"]]
        return tr.two_phase(
            epochs=epochs, transition_epoch=config["transition_epoch"], large=large, small=small, weight_decay=1e-4
        )

    few = max(2, count // len(SMALL)) if study == "tails" else count
    return tr.Study(
        name=study.replace(" ", "-"),
        task=tr.task("digits/simple_cnn", augment=True, train_size=images),
        schedule=schedule,
        space={
            "large": tune.grid_search(list(LARGE)),
            "small": tune.grid_search(list(SMALL) if study == "tails" else ["fig7"]),
            "transition_epoch": tune.grid_search(transitions(study, epochs, few)),
        },
        searcher="grid",
        seeds=seeds,
    )


def run(study: tr.Study, *, share: bool, slots: int) -> tuple[float, int]:
    """Wall seconds of a study, Ray's start included, and the epochs that it trained."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        results = study.run(folder, share=share, max_concurrent=slots)
        wall = time.perf_counter() - began
        assert list(results.trials.status) == ["completed"] * study.trials
        return wall, int(results.trials.epochs_trained.sum())


def measure(name: str, arguments: argparse.Namespace) -> dict:
    """One row: epochs, and wall times of both sides."""
    from tune_regimes.sharing.plan import make_plan

    study = make_study(name, arguments.epochs, arguments.transitions, arguments.seeds, arguments.images)
    points = study.open_points({})
    schedules = [study.schedule(points.config(point)) for point in range(points.total)]
    trials = [((p, seed), seed, schedule) for p, schedule in enumerate(schedules) for seed in study.seeds]
    plan = make_plan(trials, arguments.slots)
    walls: dict[bool, list[float]] = {True: [], False: []}
    trained = 0
    for repeat in range(arguments.repeats):
        for share in (True, False) if repeat % 2 else (False, True):
            wall, epochs = run(study, share=share, slots=arguments.slots)
            walls[share].append(wall)
            trained = epochs if share else trained
    ratios = [off / on for off, on in zip(walls[False], walls[True], strict=True)]
    mean, (low, high) = statistics.geometric_mean(ratios), interval(ratios)
    return {
        "study": name,
        "trials": len(trials),
        "asked": plan.asked,
        "trie": plan.distinct,
        "trained": trained,
        "epoch_ratio": plan.asked / trained,
        "wall_off": walls[False],
        "wall_on": walls[True],
        "wall_ratio": mean,
        "wall_ratio_low": low,
        "wall_ratio_high": high,
        "efficiency": mean / (plan.asked / trained),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--epochs", type=int, default=40, help="epochs of every schedule")
    parser.add_argument("--transitions", type=int, default=12, help="transition epochs in each arm")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--images", type=int, default=1200, help="training images: an epoch must outweigh the start")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1, help="trials at once")
    parser.add_argument("--output", type=Path, help="write the figures as JSON here")
    arguments = parser.parse_args()
    print(f"{'study':>9} {'trials':>6} {'asked':>6} {'trie':>6} {'trained':>7} {'ratio':>6}  wall off / on", flush=True)
    rows = []
    for name in arguments.studies:
        rows.append(row := measure(name, arguments))
        off, on = (sum(row[side]) / arguments.repeats for side in ("wall_off", "wall_on"))
        print(
            f"{row['study']:>9} {row['trials']:6d} {row['asked']:6d} {row['trie']:6d} {row['trained']:7d} "
            f"{row['epoch_ratio']:6.2f}  {off:.1f} s / {on:.1f} s = {row['wall_ratio']:.2f} "
            f"({row['wall_ratio_low']:.2f} to {row['wall_ratio_high']:.2f}), "
            f"{row['efficiency']:.2f} of the epoch ratio",
            flush=True,
        )
    if arguments.output:
        versions = {name: metadata.version(name) for name in ("ray", "torch", "tune-regimes")}
        facts = {name: getattr(arguments, name) for name in ("epochs", "seeds", "images", "repeats")}
        facts |= {"slots": arguments.slots, "cpus": os.cpu_count(), "python": platform.python_version()}
        arguments.output.write_text(json.dumps({**facts, **versions, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
