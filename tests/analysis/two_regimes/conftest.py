"""Synthetic runs of both regimes, in the schema of a study's tables, of which the truth is known."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.two_regimes.momentum_regimes import ALIGNMENT, SCALE
from tune_regimes.results import config_columns
from tune_regimes.schedule import Phase, Schedule

Tables = tuple[pd.DataFrame, pd.DataFrame]

EPOCHS = 20
LRS = {"large": 0.1, "small": 0.001}
MOMENTA = (0.0, 0.5, 0.9)
AS_PRINTED = {("large", 0.0): 0.02, ("large", 0.5): 0.03, ("large", 0.9): 0.1}
AS_PRINTED |= {("small", 0.0): 0.3, ("small", 0.5): 0.1, ("small", 0.9): 0.001}
"""Final losses by regime and momentum of which every claim holds."""


def course(final: float, swing: float) -> np.ndarray:
    """From 2 to the final loss at a constant rate, every other epoch above the way by a share of it."""
    epoch = np.arange(EPOCHS)
    return 2.0 * (final / 2.0) ** (epoch / (EPOCHS - 1)) * np.exp(swing * (epoch % 2 == 0) * (epoch < EPOCHS - 1))


@pytest.fixture
def regime_tables() -> Callable[..., Tables]:
    """Tables of ``momentum``: both regimes at three momenta, with chosen final losses and measures of the momentum.

    ``swing`` is how far the loss of a regime rises above its way in every other epoch, as a logarithm; ``alignment``
    and ``scale`` are means by regime. ``diverged`` are (regime, momentum, seed).
    """

    def make(
        *,
        losses: Mapping[tuple[str, float], float] = AS_PRINTED,
        swing: Mapping[str, float] | None = None,
        alignment: Mapping[str, float] | None = None,
        scale: Mapping[str, float] | None = None,
        seeds: int = 4,
        noise: float = 0.03,
        diverged: tuple[tuple[str, float, int], ...] = (),
        rng_seed: int = 7,
    ) -> Tables:
        rng = np.random.default_rng(rng_seed)
        trials: list[dict[str, Any]] = []
        epochs: list[dict[str, Any]] = []
        for point, ((regime, momentum), final) in enumerate(losses.items()):
            for seed in range(seeds):
                bad = (regime, momentum, seed) in diverged
                lost = course(final * np.exp(noise * rng.normal()), (swing or {"large": 1.0}).get(regime, 0.0))
                config = {"regime": regime, "momentum": momentum}
                trials.append(trial_row(point, seed, config, "diverged" if bad else "completed", 0.8))
                means = (alignment or {"large": 0.0, "small": 0.5})[regime], (scale or {"large": 2, "small": 6})[regime]
                epochs += epoch_rows(trials[-1]["trial_id"], lost[:2] if bad else lost, LRS[regime], momentum)
                for row in epochs[-EPOCHS:]:
                    row[ALIGNMENT] = means[0] + 0.02 * rng.normal()
                    row[SCALE] = means[1] * np.exp(0.1 * rng.normal())
                epochs[-1][ALIGNMENT] = np.nan
        return pd.DataFrame(trials), pd.DataFrame(epochs)

    return make


@pytest.fixture
def descent_tables(regime_tables: Callable[..., Tables]) -> Callable[..., Tables]:
    """Tables of ``gradient_descent``: those of both regimes, and a sweep in which lr / (1 - momentum)**power acts."""

    def make(*, power: float = 1.0, points: int = 12, sweep_noise: float = 0.002, **options: Any) -> Tables:
        rng = np.random.default_rng(8)
        own_trials, own_epochs = regime_tables(**options)
        trials: list[dict[str, Any]] = []
        epochs: list[dict[str, Any]] = []
        for momentum in MOMENTA:
            for step_size in np.geomspace(1e-2, 1.0, points) * np.exp(rng.uniform(-0.1, 0.1, points)):
                config = {"regime": "sweep", "momentum": momentum, "step_size": step_size}
                lr = step_size * (1 - momentum)
                acting = lr / (1 - momentum) ** power
                for seed in range(2):
                    accuracy = 0.9 - 0.1 * np.log10(acting / 0.1) ** 2 + sweep_noise * rng.normal()
                    trials.append(trial_row(100 + len(trials) // 2, seed, config, "completed", accuracy))
                    epochs += epoch_rows(trials[-1]["trial_id"], course(0.01, 0.0), lr, momentum)
        both = pd.concat([own_trials, pd.DataFrame(trials)], ignore_index=True)
        return both, pd.concat([own_epochs, pd.DataFrame(epochs)], ignore_index=True)

    return make


def trial_row(point: int, seed: int, config: Mapping[str, Any], status: str, accuracy: float) -> dict[str, Any]:
    """A row of the trials table."""
    schedule = Schedule((Phase(lr=0.1, momentum=config["momentum"], epochs=EPOCHS),)).to_json()
    return {
        "schema_version": 1,
        "study": "two_regimes",
        "trial_id": f"{point:05d}-s{seed}",
        "point": point,
        "seed": seed,
        **config_columns(config),
        "schedule": schedule,
        "status": status,
        "final_test_accuracy": accuracy if status == "completed" else None,
    }


def epoch_rows(trial_id: str, losses: np.ndarray, lr: float, momentum: float) -> list[dict[str, Any]]:
    """Rows of the epochs table."""
    return [
        {
            "trial_id": trial_id,
            "epoch": epoch,
            "phase": 1,
            "epoch_in_phase": epoch,
            "lr": lr,
            "momentum": momentum,
            "weight_decay": 1e-4,
            "optimizer": "sgd",
            "train_loss": float(loss),
            "train_accuracy": 0.5,
            "test_loss": 1.0,
            "test_accuracy": 0.5,
            "seconds": 0.1,
            "inherited": False,
        }
        for epoch, loss in enumerate(losses, 1)
    ]
