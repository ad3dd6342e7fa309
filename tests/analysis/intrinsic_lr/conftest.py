"""Synthetic runs whose effective learning rate follows Lemma 5.2, with accuracies of which the truth is known."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tune_regimes.results import config_columns
from tune_regimes.schedule import Schedule

Tables = tuple[pd.DataFrame, pd.DataFrame]
Point = tuple[Mapping[str, Any], Schedule]
Effect = Callable[[Mapping[str, Any], int], float]
STEPS = 25


def nothing(config: Mapping[str, Any], epoch: int) -> float:
    return 0.0


def course(schedule: Schedule, noise: Callable[[], float], start: float, speed: float, power: float) -> pd.DataFrame:
    """Epochs of one run: d gamma / dt = -4 intrinsic_lr gamma + 2 trace, with lr / norm^2 = gamma^(-1/2).

    ``speed`` multiplies the rate of the relaxation, and the equilibrium is proportional to intrinsic_lr^(-power).
    """
    squared_norm, rows = start**2, []
    for epoch in range(schedule.epochs):
        told = schedule.settings(epoch, STEPS)
        size = told.lr / (1 - told.momentum)
        intrinsic = size * told.weight_decay
        gamma = (squared_norm / size) ** 2
        rest = 0.5 * 0.01 ** (power - 1) / intrinsic**power if intrinsic else gamma
        left = np.exp(-4 * intrinsic * STEPS * speed)
        squared_norm = size * np.sqrt(left * gamma + (1 - left) * rest)
        rows.append(
            {
                "epoch": epoch + 1,
                **{name: getattr(told, name) for name in ("lr", "momentum", "weight_decay")},
                "steps": STEPS,
                "weight_norm": np.sqrt(squared_norm) * np.exp(noise()),
                "effective": size / squared_norm,
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture
def simulated() -> Callable[..., Tables]:
    """Tables of runs of given points, a config and a schedule each.

    Accuracy depends on the effective learning rate alone, plus ``accuracy(config, epoch)`` and noise; the norm is
    multiplied by exp(``norm(config, epoch)``).
    """

    def make(
        points: Sequence[Point],
        *,
        seeds: int = 3,
        noise: float = 0.001,
        start: float = 5.0,
        speed: float = 1.0,
        power: float = 1.0,
        accuracy: Effect = nothing,
        norm: Effect = nothing,
    ) -> Tables:
        rng, trials, epochs = np.random.default_rng(2), [], []
        for point, (config, schedule) in enumerate(points):
            for seed in range(seeds):
                rows = course(schedule, lambda: noise * rng.normal(), start, speed, power)
                shift = np.array([accuracy(config, epoch) for epoch in rows["epoch"]])
                level = 0.9 - 0.05 * np.log10(rows["effective"] / 0.1) + shift
                rows["weight_norm"] *= np.exp([norm(config, epoch) for epoch in rows["epoch"]])
                rows["test_accuracy"] = level + noise * rng.normal(size=len(rows))
                rows["train_accuracy"] = level + 0.05 + noise * rng.normal(size=len(rows))
                rows["train_loss"] = 1.5 - rows["train_accuracy"]
                rows["test_loss"] = 1.6 - rows["test_accuracy"]
                trial = {"trial_id": f"{point:05d}-s{seed}", "point": point, "seed": seed}
                told = {
                    "phase": 1,
                    "epoch_in_phase": rows["epoch"],
                    "optimizer": "sgd",
                    "seconds": 0.1,
                    "inherited": False,
                }
                epochs.append(rows.drop(columns="effective").assign(trial_id=trial["trial_id"], **told))
                final = {"status": "completed", "final_test_accuracy": rows["test_accuracy"].iloc[-1]}
                study = {"schema_version": 1, "study": "intrinsic_lr", "schedule": schedule.to_json()}
                trials.append({**study, **trial, **config_columns(config), **final})
        return pd.DataFrame(trials), pd.concat(epochs, ignore_index=True)

    return make
