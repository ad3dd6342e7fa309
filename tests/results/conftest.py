"""A small study, written the way the search writes one."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tune_regimes.results import config_columns, write_epochs, write_spec, write_trial
from tune_regimes.schedule import Phase, Schedule
from tune_regimes.storage import Storage

SPEC = {"name": "demo", "metric": "test_accuracy", "mode": "max", "seeds": 3}


def epoch_rows(count: int = 3, **extra: Any) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch + 1,
            "phase": 1,
            "epoch_in_phase": epoch + 1,
            "lr": 0.1,
            "momentum": 0,
            "weight_decay": 0.0,
            "optimizer": "sgd",
            "train_loss": 1 / (epoch + 1),
            "train_accuracy": 0.5,
            "test_loss": 2 / (epoch + 1),
            "test_accuracy": 0.4,
            "seconds": 1.5,
            "inherited": False,
            **extra,
        }
        for epoch in range(count)
    ]


def diverged_rows() -> list[dict[str, Any]]:
    """Two epochs, of which the second diverged."""
    rows = epoch_rows(2)
    rows[1] |= {"train_loss": math.nan, "test_loss": None, "test_accuracy": None}
    return rows


def schedule_of(config: dict[str, Any]) -> Schedule:
    return Schedule((Phase(lr=config.get("lr", 0.1), epochs=3),))


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "demo")


@pytest.fixture
def add(storage: Storage) -> Callable[..., str]:
    """Writes a trial with its epochs and returns its id."""

    def add_trial(point: int, seed: int, config: dict[str, Any], status: str = "completed", **columns: Any) -> str:
        trial_id = f"{point:05d}-s{seed}"
        write_epochs(storage, trial_id, diverged_rows() if status == "diverged" else epoch_rows())
        row = {"study": "demo", "trial_id": trial_id, "point": point, "seed": seed, "status": status}
        write_trial(storage, {**row, **config_columns(config), "schedule": schedule_of(config).to_json(), **columns})
        return trial_id

    return add_trial


@pytest.fixture
def study(storage: Storage, add: Callable[..., str]) -> Storage:
    """Four points of three seeds: one is whole, one diverged once, one was pruned, one still runs."""
    write_spec(storage, SPEC)
    for seed in range(3):
        add(0, seed, {"lr": 0.1, "transition_epoch": 2}, final_test_accuracy=0.80 + 0.01 * seed)
        status = "diverged" if seed == 1 else "completed"
        add(1, seed, {"lr": 1, "transition_epoch": 2}, status, final_test_accuracy=0.95)
        add(2, seed, {"lr": 0.01, "transition_epoch": 1}, "pruned" if seed else "completed", final_test_accuracy=0.90)
    add(3, 0, {"lr": 0.5, "transition_epoch": 1}, final_test_accuracy=0.99)
    add(3, 1, {"lr": 0.5, "transition_epoch": 1}, "running", final_test_accuracy=0.99)
    storage.write("states/00000-s0/key.pt", json.dumps({}).encode())
    return storage
