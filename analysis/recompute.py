"""Predictions of a study's runs, which its tables do not hold: each run is trained once more and asked on the way.

The weights of a run are a function of its task, seed and schedule, so training again gives the same ones on the same
kind of machine; that they are is checked on the measured test accuracies, epoch by epoch. What is there is not redone.

    python -m analysis.recompute studies/intrinsic_lr.predictions-smoke
"""

import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.effective_lr import courses
from analysis.equilibrium import meeting
from analysis.predictions import FOLDER
from tune_regimes.errors import StudyError, UsageError
from tune_regimes.storage import Storage

if TYPE_CHECKING:
    from tune_regimes.results import Results
    from tune_regimes.tasks import Task
    from tune_regimes.training import Trajectory

TOLERANCE = 1e-9
"""Test accuracies that differ by more are not those of the same training."""


def recompute(results: "Results", epochs: Sequence[int]) -> list[str]:
    """Train the completed runs of a study again and store what they predict on the test set.

    Args:
        results: The study, of fixed schedules.
        epochs: After which epochs the predictions are kept.

    Returns:
        The names of the runs that were trained, each with a file ``predictions/<trial_id>.parquet`` of columns
        ``trial_id``, ``epoch``, ``example`` and ``prediction``.

    Raises:
        StudyError: A run does not measure what it did before: other versions, another machine or number of threads.
        TaskError: The task cannot be built here.
    """
    from tune_regimes.tasks import TaskSpec

    trials = results.trials
    done = trials[trials["status"] == "completed"]
    waiting = done[[not results.storage.exists(_file(trial)) for trial in done["trial_id"]]]
    task = TaskSpec.from_dict(results.spec["task"]).build() if len(waiting) else None
    for trial in waiting.to_dict("records"):
        measured = results.epochs[results.epochs["trial_id"] == trial["trial_id"]].sort_values("epoch")
        assert task is not None
        table = _predictions(task, trial, measured, epochs, _threads(results.spec))
        results.storage.write(_file(trial["trial_id"]), _parquet(table))
    return [str(trial) for trial in waiting["trial_id"]]


def epochs_of_interest(results: "Results") -> list[int]:
    """The last epoch before the fine-tuning, and the last of all.

    Raises:
        StudyError: There is no stretch in which all runs have the same settings.
    """
    rows = courses(results.trials, results.epochs)
    stretch = meeting(rows) if len(rows) else None
    if stretch is None:
        raise StudyError(
            "predictions are compared where all runs have the same settings; "
            f"{results.storage} has no such stretch: complete a study of intrinsic_lr.predictions first"
        )
    return [stretch[1], int(rows["epoch"].max())]


def main(paths: Iterable[str]) -> int:
    """Recompute the predictions of the studies in these folders; the exit status."""
    from tune_regimes.results import Results

    for path in paths:
        try:
            results = Results.load(Storage(path))
            names = recompute(results, epochs_of_interest(results))
        except UsageError as error:
            print(f"analysis.recompute: {error}", file=sys.stderr)
            return 2
        print(f"{path}: predictions of {len(names)} runs in {results.storage.child(FOLDER)}")
    return 0


def _predictions(
    task: "Task", trial: Mapping[str, Any], measured: pd.DataFrame, epochs: Sequence[int], threads: int
) -> pd.DataFrame:
    from tune_regimes.schedule import Schedule
    from tune_regimes.training import Numerics, Trajectory

    schedule = Schedule.from_json(trial["schedule"])
    trajectory = Trajectory(task, seed=int(trial["seed"]), numerics=Numerics(threads=threads))
    before, tables = measured["test_accuracy"].to_numpy(float), []
    for epoch in range(max(epochs)):
        record = trajectory.advance(schedule.settings(epoch, trajectory.steps_per_epoch))
        _check_same(trial["trial_id"], epoch + 1, before[epoch], record["test_accuracy"])
        if epoch + 1 in epochs:
            found = predicted_classes(trajectory, task)
            columns = {"epoch": epoch + 1, "example": np.arange(len(found)), "prediction": found}
            tables.append(pd.DataFrame({"trial_id": trial["trial_id"], **columns}))
    return pd.concat(tables, ignore_index=True)


def predicted_classes(trajectory: "Trajectory", task: "Task") -> "np.ndarray[Any, np.dtype[np.int8]]":
    """The class that the network gives each test example, in their order; shape [examples]."""
    import torch

    from tune_regimes.training.batches import device_data

    model = trajectory.model.eval()
    device = next(model.parameters()).device
    with torch.no_grad():
        parts = [model(inputs).argmax(dim=1) for inputs, _ in device_data(task, device).test()]
    return torch.cat(parts).to("cpu", torch.int8).numpy()


def _check_same(trial: str, epoch: int, before: float, now: float) -> None:
    if not abs(before - now) <= TOLERANCE:
        raise StudyError(
            f"training {trial} again must measure what it measured before; epoch {epoch} has test accuracy {now:.6f} "
            f"instead of {before:.6f}: use the versions, the kind of machine and the threads of the study"
        )


def _threads(spec: Mapping[str, Any]) -> int:
    return max(1, int((spec.get("resources") or {}).get("cpus_per_trial", 1)))


def _file(trial: str) -> str:
    return f"{FOLDER}/{trial}.parquet"


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
