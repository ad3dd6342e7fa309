"""Synthetic results, in the schema of a study's tables, of which the truth is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from search_spaces.second_phase import REPLICA, second_phases
from search_spaces.sgdl import methods
from tune_regimes.results import Results, Storage, config_columns, write_epochs, write_spec, write_trial
from tune_regimes.schedule import Phase, Policy, Schedule, at_step, told

Tables = tuple[pd.DataFrame, pd.DataFrame]

LARGE = ("momentum", "no_momentum")
SMALL = ("classic", "reduced", "fig7", "adamw")
EPOCHS = 12
SCHEDULE = Schedule((Phase(lr=0.1, momentum=0.9, epochs=EPOCHS),)).to_json()


def make_trial(
    point: int, seed: int, config: Mapping[str, Any], accuracy: float, status: str = "completed"
) -> dict[str, Any]:
    value = accuracy if status == "completed" else None
    return {
        "schema_version": 1,
        "study": "two_regimes",
        "trial_id": f"{point:05d}-s{seed}",
        "point": point,
        "seed": seed,
        **config_columns(config),
        "schedule": SCHEDULE,
        "status": status,
        "final_test_accuracy": value,
    }


def make_epochs(trial_id: str, losses: np.ndarray, lr: float, momentum: float) -> list[dict[str, Any]]:
    return [
        {
            "trial_id": trial_id,
            "epoch": epoch + 1,
            "phase": 1,
            "epoch_in_phase": epoch + 1,
            "lr": lr,
            "momentum": momentum,
            "weight_decay": 1e-4,
            "optimizer": "sgd",
            "train_loss": loss,
            "train_accuracy": 1 - loss / 3,
            "test_loss": loss + 0.1,
            "test_accuracy": 1 - loss / 3,
            "seconds": 0.1,
            "inherited": False,
        }
        for epoch, loss in enumerate(losses)
    ]


@pytest.fixture
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports write empty files for their figures, which are drawn in tests of their own."""
    monkeypatch.setattr("analysis.document._png", lambda figure: b"")


@pytest.fixture
def transition_tables() -> Callable[..., Tables]:
    """Tables of ``transition_epoch`` with chosen effects on the test accuracy."""

    def make(
        *,
        points: int = 12,
        seeds: int = 3,
        momentum_effect: Mapping[str, float] | float = 0.0,
        reduced_effect: float = 0.0,
        reference: float = 0.9,
        best: float = 0.9,
        noise: float = 0.003,
        paired: bool = True,
        diverged: Mapping[tuple[str, str], int] | None = None,
        rng_seed: int = 1,
    ) -> Tables:
        rng = np.random.default_rng(rng_seed)
        trials, epochs = [], []
        configs = [{"large": "three_step", "small": "three_step", "transition_epoch": t} for t in (20, 30, 36)]
        arms = [(large, small) for large in LARGE for small in SMALL]
        shared = rng.integers(1, 60, size=points)
        configs += [
            {"large": large, "small": small, "transition_epoch": int(t if paired else rng.integers(1, 60))}
            for t in shared
            for large, small in arms
        ]
        remaining = dict(diverged or {})
        for point, config in enumerate(configs):
            arm = (config["large"], config["small"])
            effect = momentum_effect if isinstance(momentum_effect, float) else momentum_effect.get(arm[1], 0.0)
            mean = best - 0.1 * ((config["transition_epoch"] - 40) / 40) ** 2
            mean += effect * (arm[0] == "momentum") + reduced_effect * (arm[1] == "reduced")
            mean = reference if arm[0] == "three_step" else mean
            for seed in range(seeds):
                status = "diverged" if remaining.get(arm, 0) > 0 else "completed"
                remaining[arm] = remaining.get(arm, 0) - 1
                trial = make_trial(point, seed, config, mean + 0.01 * seed + noise * rng.normal(), status)
                trials.append(trial)
                losses = 2.3 * np.exp(-0.3 * np.arange(EPOCHS)) if status == "completed" else np.array([2.3, np.inf])
                epochs += make_epochs(trial["trial_id"], losses, 0.1, 0.9)
        return pd.DataFrame(trials), pd.DataFrame(epochs)

    return make


@pytest.fixture
def sweep_tables() -> Callable[..., Tables]:
    """Tables of ``lr_momentum`` in which (lr, momentum) acts as the learning rate lr / (1 - momentum)**power.

    Step sizes above ``unstable`` diverge, those above ``broken`` end at chance, those above ``rough`` rise every other
    epoch. Losses and accuracy depend on the acting rate alone, so with power 1 every claim on the sweep holds.
    """

    def make(
        *,
        power: float = 1.0,
        momenta: tuple[float, ...] = (0.0, 0.9, 0.99),
        points: int = 20,
        seeds: int = 2,
        unstable: float = 5.0,
        broken: float = 4.0,
        rough: float = 0.1,
        noise: float = 0.001,
    ) -> Tables:
        rng = np.random.default_rng(3)
        trials, epochs, point = [], [], 0
        for momentum in momenta:
            for step_size in np.geomspace(1e-3, 10, points) * np.exp(rng.uniform(-0.1, 0.1, points)):
                lr = step_size * (1 - momentum)
                acting = lr / (1 - momentum) ** power
                for seed in range(seeds):
                    losses = _losses(acting, rough) + noise * rng.normal(size=EPOCHS)
                    losses = np.full(EPOCHS, 2.31) if acting > broken else losses
                    status = "diverged" if acting > unstable else "completed"
                    losses = np.array([2.9, np.nan]) if status == "diverged" else losses
                    accuracy = (
                        0.1 if acting > broken else 0.9 - 0.05 * np.log10(acting / 0.5) ** 2 + noise * rng.normal()
                    )
                    config = {"momentum": momentum, "step_size": step_size}
                    trials.append(make_trial(point, seed, config, accuracy, status))
                    epochs += make_epochs(trials[-1]["trial_id"], losses, lr, momentum)
                point += 1
        return pd.DataFrame(trials), pd.DataFrame(epochs)

    return make


def _losses(acting: float, rough: float) -> np.ndarray:
    epoch = np.arange(EPOCHS)
    falling = 2.3 * np.exp(-2.0 * acting**0.5 * (epoch + 0.1)) + 0.3 * acting
    return falling + (0.2 * acting * (epoch % 2) if acting > rough else -0.001 * epoch)


@dataclass(frozen=True)
class Course:
    """A trial of synthetic tables: what it followed, for how long, and how it ended.

    ``losses`` are its training losses, 1, 1/2, 1/3, ... where none are given.
    """

    policy: Policy
    seed: int = 0
    accuracy: float | None = 0.9
    status: str = "completed"
    epochs: int | None = None
    losses: Sequence[float] | None = None
    inherited: int = 0


@pytest.fixture
def course_tables() -> Callable[..., Tables]:
    """Tables of trials that each followed a policy, numbered within their seed; takes the fields of a `Course` each."""

    def make(courses: Sequence[Mapping[str, Any]]) -> Tables:
        trials: list[dict[str, Any]] = []
        epochs: list[dict[str, Any]] = []
        for course in (Course(**fields) for fields in courses):
            point = sum(trial["seed"] == course.seed for trial in trials)
            trial = make_trial(point, course.seed, {"point": point}, 0.0, course.status)
            rows = _rows(course, trial["trial_id"])
            trials.append(trial | {"schedule": course.policy.to_json(), "final_test_accuracy": course.accuracy})
            epochs += rows
        return pd.DataFrame(trials), pd.DataFrame(epochs, columns=list(make_epochs("", np.ones(1), 0.1, 0.9)[0]))

    return make


def _rows(course: Course, trial_id: str) -> list[dict[str, Any]]:
    count = course.policy.epochs if course.epochs is None else course.epochs
    losses = np.array(course.losses or [1 / (epoch + 1) for epoch in range(count)])[:count]
    rows = make_epochs(trial_id, losses, 0.0, 0.0)
    for row, (settings, state) in zip(rows, islice(told(course.policy, rows, 1), count), strict=True):
        phase, epoch_in_phase = course.policy.phase_of(state)
        row |= {"phase": phase + 1, "epoch_in_phase": epoch_in_phase + 1, "optimizer": settings.optimizer}
        row |= {name: at_step(getattr(settings, name), 0) for name in ("lr", "momentum", "weight_decay")}
        row["inherited"] = row["epoch"] <= course.inherited
    return rows


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Results]:
    """Write tables into a folder as a study does, and read them back."""

    def make(tables: Tables, study: str | None, name: str = "a-study", task: str = "digits/mlp") -> Results:
        storage = Storage(tmp_path / name)
        origin = study and {"study": study, "scale": "smoke", "options": {"seeds": 2}}
        spec = {"name": name, "metric": "test_accuracy", "mode": "max", "seeds": [0, 1], "origin": origin}
        write_spec(storage, {**spec, "task": {"name": task, "options": {}}, "versions": {"torch": "2.15.0"}})
        trials, epochs = tables
        for row in _records(trials):
            write_trial(storage, row)
        for trial_id, rows in epochs.groupby("trial_id"):
            write_epochs(storage, str(trial_id), _records(rows))
        return Results.load(storage)

    return make


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.astype(object).where(table.notna(), None).to_dict("records")


@pytest.fixture
def method_tables() -> Callable[..., Tables]:
    """Tables of ``autodrop.table``, or of ``initial_lr`` where lrs are given, with chosen differences of the error.

    ``effects`` are what a method's final error is above the baseline's; ``lowest`` the epoch of its lowest error.
    """

    def make(
        *,
        effects: Mapping[str, float] | None = None,
        lowest: Mapping[str, int] | None = None,
        lrs: Sequence[float] = (),
        lr_effect: Mapping[str, float] | None = None,
        seeds: int = 4,
        noise: float = 0.001,
        diverged: Mapping[str, int] | None = None,
    ) -> Tables:
        rng = np.random.default_rng(5)
        methods = ("baseline", "rho 0.2") if lrs else ("baseline", "rho 0.1", "rho 0.2", "rho 0.5")
        configs = [{"lr": lr} for lr in lrs] or [{}]
        trials, epochs, remaining = [], [], dict(diverged or {})
        for point, config in enumerate({**config, "method": method} for config in configs for method in methods):
            method = config["method"]
            for seed in range(seeds):
                error = 0.3 + 0.02 * seed + (effects or {}).get(method, 0.0) + noise * rng.normal()
                error += (lr_effect or {}).get(method, 0.0) * abs(np.log10(config.get("lr", 0.05) / 0.05))
                status = "diverged" if remaining.get(method, 0) > 0 else "completed"
                remaining[method] = remaining.get(method, 0) - 1
                trial = make_trial(point, seed, config, 1 - error, status)
                rows = make_epochs(trial["trial_id"], 2.3 * np.exp(-0.1 * np.arange(EPOCHS)), 0.05, 0.9)
                best = (lowest or {}).get(method, EPOCHS) - (seed % 2)
                for row in rows:
                    early = row["epoch"] - best
                    row |= {"test_accuracy": 1 - error - 0.01 * abs(early), "angular_velocity": 60.0 + row["epoch"]}
                    row["lr"] = 0.05 * (0.2 if row["epoch"] > 6 else 1.0)
                rows[0]["angular_velocity"] = np.nan
                trials.append(trial)
                epochs += rows
        return pd.DataFrame(trials), pd.DataFrame(epochs)

    return make


@pytest.fixture
def velocity_tables() -> Callable[..., Tables]:
    """Tables of ``autodrop.angular_velocity`` in which the angle rises by 60 degrees to ``level(lr)``.

    ``time(lr)`` epochs are what it takes to come 1/e near, ``noise(lr)`` its deviation from that curve; ``straight``
    makes it rise to the last epoch. The loss falls with the rise, or evenly where ``even``.
    """

    def make(
        *,
        lrs: Sequence[float] = (0.3, 0.1, 0.03, 0.01, 0.003),
        seeds: int = 3,
        length: int = 40,
        level: Callable[[float], float] = lambda lr: 90 + 10 * np.log10(lr / 0.03),
        time: Callable[[float], float] = lambda lr: 3.0,
        noise: Callable[[float], float] = lambda lr: 0.5,
        straight: bool = False,
        even: bool = False,
    ) -> Tables:
        rng = np.random.default_rng(7)
        trials, epochs = [], []
        for point, lr in enumerate(lrs):
            for seed in range(seeds):
                trial = make_trial(point, seed, {"lr": lr}, 0.5)
                age = np.arange(length)
                rest = 1 - age / (length - 1) if straight else np.exp(-age / time(lr))
                omega = level(lr) - 60 * rest + noise(lr) * rng.normal(size=length)
                losses = 2.3 - 2 * (age / length if even else 1 - rest) + 0.001 * rng.normal(size=length)
                rows = make_epochs(trial["trial_id"], losses, lr, 0.9)
                for row, angle in zip(rows, [np.nan, *omega[1:]], strict=True):
                    row["angular_velocity"] = angle
                trials.append(trial)
                epochs += rows
        return pd.DataFrame(trials), pd.DataFrame(epochs)

    return make


@pytest.fixture
def optimizer_tables() -> Callable[..., Tables]:
    """Tables of ``sgdl.optimizers``: an optimizer's error is lowest at ``best``, and rises from there by ``slope``.

    ``effects`` are what an optimizer's lowest error is above that of the others; ``noise`` differs from run to run.
    """

    def make(
        *,
        best: Mapping[str, float] | None = None,
        effects: Mapping[str, float] | None = None,
        slope: float = 0.05,
        seeds: int = 3,
        noise: float = 0.001,
        diverged: Sequence[tuple[str, float]] = (),
    ) -> Tables:
        rng = np.random.default_rng(11)
        tops = {"SGD": 0.1, "SGDM": 0.1, "SGDL": 1.0, "Adam": 0.001, "AdaDelta": 1.0} | dict(best or {})
        trials, epochs = [], []
        for point, method in enumerate(methods()):
            optimizer, lr = method["optimizer"], method["lr"]
            for seed in range(seeds):
                error = 0.3 + 0.02 * seed + (effects or {}).get(optimizer, 0.0) + noise * rng.normal()
                error += slope * abs(np.log10(lr / tops[optimizer]))
                status = "diverged" if (optimizer, lr) in diverged else "completed"
                trials.append(make_trial(point, seed, {"method": method}, 1 - error, status))
                epochs += make_epochs(trials[-1]["trial_id"], 2.3 * np.exp(-0.1 * np.arange(EPOCHS)), lr, 0.0)
        return pd.DataFrame(trials), pd.DataFrame(epochs)

    return make


@pytest.fixture
def second_phase_tables() -> Callable[..., Tables]:
    """Tables of ``second_phase.optimizers``: six epochs, then six whose error falls to 0.3 plus an optimizer's effect.

    ``costs`` are seconds of an epoch, 1 where none is given; ``lr_effect`` is what the lower two learning rates add.
    The error halves its distance from its end with every epoch, so that what is cut short ends higher.
    """

    def make(
        *,
        effects: Mapping[str, float] | None = None,
        costs: Mapping[str, float] | None = None,
        lr_effect: float = 0.02,
        seeds: int = 3,
        noise: float = 0.001,
        diverged: Sequence[str] = (),
    ) -> Tables:
        rng = np.random.default_rng(13)
        trials, epochs = [], []
        for point, second in enumerate(second_phases(REPLICA)):
            optimizer, rates = second["optimizer"], REPLICA.small[second["optimizer"]]
            for seed in range(seeds):
                error = 0.3 + 0.02 * seed + (effects or {}).get(optimizer, 0.0) + noise * rng.normal()
                error += lr_effect * (second["lr"] != max(rates))
                status = "diverged" if optimizer in diverged else "completed"
                trial = make_trial(point, seed, {"second": second}, 1 - error, status)
                rows = make_epochs(trial["trial_id"], np.linspace(2.3, 1.2, EPOCHS), second["lr"], 0.0)
                for row in rows:
                    age = max(0, row["epoch"] - EPOCHS // 2)
                    row |= {"phase": 2 if age else 1, "epoch_in_phase": age or row["epoch"]}
                    row["test_accuracy"] = 1 - error - 0.2 * (0.5**age - 0.5 ** (EPOCHS // 2))
                    row["seconds"] = (costs or {}).get(optimizer, 1.0) if age else 0.7
                trials.append(trial | {"final_train_loss": 1.2 if status == "completed" else None})
                epochs += rows
        return pd.DataFrame(trials), pd.DataFrame(epochs)

    return make
