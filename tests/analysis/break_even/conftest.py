"""Synthetic runs whose curvature rises to a known level and falls again, in the schema of a study's tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.break_even.curvature_runs import HESSIAN, LARGEST, RATIO, SCALE, SPAN, STABILITY, TRACE
from tune_regimes.results import Results, config_columns
from tune_regimes.results.tables import write_readings
from tune_regimes.schedule import Phase, Schedule

Tables = tuple[pd.DataFrame, pd.DataFrame]
Curve = Callable[[Mapping[str, Any], np.ndarray], np.ndarray]

SMALLER_WITH_LR = {LARGEST: -1.0, TRACE: -0.8, HESSIAN: -1.0, RATIO: 0.3, SPAN: 0.2, SCALE: 0.0}
"""What the conjectures say: powers of the learning rate, or of 1 / batch size."""
BASE = {LARGEST: 0.5, TRACE: 5.0, HESSIAN: 2.0, RATIO: 0.2, SPAN: 1.5, SCALE: 5.0}


def size_of(config: Mapping[str, Any]) -> float:
    """What acts as the learning rate does: it itself, the inverse batch size, or 1 / (1 - momentum)."""
    return float(config.get("lr", 1.0) / config.get("batch_size", 1.0) / (1 - config.get("momentum", 0.0)))


def rise(times: np.ndarray, top: float, length: int) -> np.ndarray:
    """From a hundredth to 1 at `top`, and down to a quarter at the end."""
    up = 0.01 ** (1 - times / top)
    down = 0.25 ** ((times - top) / max(length - top, 1))
    return np.where(times <= top, up, down)


@pytest.fixture
def curved() -> Callable[..., Tables]:
    """Tables of a study of given configs, each with an epoch at which the curvature is largest.

    The maximum of a column is its base times (what acts as lr) ^ power, times exp(noise), drawn by run and column.
    ``extra`` sets columns as functions of the config and the epochs. ``stuck`` are configs that do not learn. Where the
    seeds are ``opposed``, every other one has the contrary powers.
    """

    def make(
        configs: Sequence[Mapping[str, Any]],
        *,
        seeds: int = 3,
        length: int = 20,
        top: Callable[[Mapping[str, Any]], float] = lambda config: 4.0,
        lr: float = 0.05,
        powers: Mapping[str, float] = SMALLER_WITH_LR,
        noise: float = 0.02,
        opposed: bool = False,
        extra: Mapping[str, Curve] | None = None,
        stuck: Callable[[Mapping[str, Any]], bool] = lambda config: False,
        diverged: Callable[[Mapping[str, Any]], bool] = lambda config: False,
    ) -> Tables:
        rng, trials, epochs = np.random.default_rng(3), [], []
        times = np.arange(1.0, length + 1)
        for point, config in enumerate(configs):
            own_lr, momentum = config.get("lr", lr), config.get("momentum", 0.0)
            schedule = Schedule((Phase(lr=own_lr, momentum=momentum, epochs=length),)).to_json()
            for seed in range(seeds):
                trial_id = f"{point:05d}-s{seed}"
                shape = rise(times, top(config), length)
                rows = pd.DataFrame({"epoch": times.astype(int), "lr": own_lr, "momentum": momentum})
                for column, power in {**dict.fromkeys(BASE, 0.0), **powers}.items():
                    own = -power if opposed and seed % 2 else power
                    level = BASE[column] * size_of(config) ** own * np.exp(noise * rng.normal())
                    rows[column] = level * shape
                rows[STABILITY] = (1 - own_lr * rows[HESSIAN]) ** 2
                accuracy = np.full(length, 0.1) if stuck(config) else 0.95 * (1 - np.exp(-times / 6))
                rows["train_accuracy"], rows["test_accuracy"] = accuracy, 0.8 * accuracy
                rows["train_loss"] = 2.3 - 2.0 * (accuracy - 0.1)
                rows["test_loss"], rows["weight_decay"], rows["optimizer"] = rows["train_loss"] + 0.1, 0.0, "sgd"
                for column, curve in (extra or {}).items():
                    rows[column] = curve(config, times)
                told = {"phase": 1, "epoch_in_phase": rows["epoch"], "seconds": 0.1, "inherited": False, "steps": 10}
                epochs.append(rows.assign(trial_id=trial_id, **told))
                status = "diverged" if diverged(config) else "completed"
                final = None if status == "diverged" else float(rows["test_accuracy"].iloc[-1])
                study = {"schema_version": 1, "study": "break_even", "trial_id": trial_id, "point": point, "seed": seed}
                trials.append(
                    {**study, **config_columns(config), "schedule": schedule, "status": status}
                    | {"final_test_accuracy": final}
                )
        return pd.DataFrame(trials), pd.concat(epochs, ignore_index=True)

    return make


@pytest.fixture
def looked() -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """Looks within the epochs of tables of `curved`, every other step, and their spectra.

    lambda_K^1 and lambda_H^1 go together up to the maximum and apart behind it; steps do harm from half of it on. The
    spectra at all looks have ``outliers(lr)`` large eigenvalues.
    """

    def make(
        tables: Tables,
        *,
        together: bool = True,
        harm: bool = True,
        outliers: Callable[[float], int] = lambda lr: 3 if lr < 0.1 else 1,
        examples: int = 6,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        rng, looks, spectra = np.random.default_rng(4), [], []
        for trial_id, rows in tables[1].groupby("trial_id"):
            top = float(rows.loc[rows[LARGEST].idxmax(), "epoch"])
            level = {name: float(rows[name].max()) for name in (LARGEST, HESSIAN)}
            for row in rows.itertuples():
                for step in range(2, 11, 2):
                    share = (row.epoch - 1 + step / 10) / top
                    grown = min(share, 2 - share) * 4 if share <= 1.2 else 3.2
                    jitter = -0.3 * abs(rng.normal())
                    k, h = grown + 0.02 * rng.normal(), (grown if share <= 1 else -jitter) + 0.02 * rng.normal()
                    h = h if together else (-grown if share <= 1 else grown)
                    place = {"trial_id": trial_id, "epoch": row.epoch, "step": step}
                    bad = harm and share > 0.8
                    looks.append(
                        {
                            **place,
                            LARGEST: level[LARGEST] * np.exp(k + (jitter if share > 1 else 0)),
                            HESSIAN: level[HESSIAN] * np.exp(h),
                            RATIO: getattr(row, RATIO),
                            TRACE: getattr(row, TRACE),
                            "loss_change": (-0.01 if bad and step != 2 else 0.01) * (1 + rng.random()),
                        }
                    )
                    large = outliers(row.lr)
                    values = [100.0] * large + [1.0] * (8 - large)
                    lists = {"covariance": [*values, 0.0], "hessian": values}
                    lists["predicted_class"] = list(np.arange(examples) % (2 + row.epoch % 3))
                    spectra += [
                        {**place, "name": name, "index": index, "value": float(value)}
                        for name, numbers in lists.items()
                        for index, value in enumerate(numbers)
                    ]
        return pd.DataFrame(looks), pd.DataFrame(spectra)

    return make


@pytest.fixture
def store_looks(store: Callable[..., Results]) -> Callable[..., Results]:
    """Write tables with looks and spectra into a folder as a study does, and read them back."""

    def make(tables: Tables, measurements: pd.DataFrame, spectra: pd.DataFrame, study: str) -> Results:
        results = store(tables, study)
        listed = dict(iter(spectra.groupby(["trial_id", "epoch", "step"])))
        for trial_id, rows in measurements.groupby("trial_id"):
            readings: list[list[dict[str, Any]]] = []
            for epoch, part in rows.groupby("epoch"):
                readings.append([_reading(row, listed[trial_id, epoch, row["step"]]) for _, row in part.iterrows()])
            write_readings(results.storage, str(trial_id), readings)
        return Results.load(results.storage)

    return make


def _reading(row: pd.Series, listed: pd.DataFrame) -> dict[str, Any]:
    values = {name: float(row[name]) for name in (LARGEST, HESSIAN, RATIO, TRACE, "loss_change")}
    lists = {str(name): part["value"].tolist() for name, part in listed.groupby("name")}
    return {"step": int(row["step"]), "values": values, "spectra": lists}
