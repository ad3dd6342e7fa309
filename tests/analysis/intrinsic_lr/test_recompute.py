"""Predictions of runs that were really trained, without Ray: the tables are written from a trajectory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.predictions import read_predictions
from analysis.recompute import epochs_of_interest, main, recompute
from search_spaces.intrinsic_lr_points import SMOKE, prediction_schedule
from tune_regimes import Trajectory, task
from tune_regimes.errors import StudyError
from tune_regimes.results import Results, Storage, config_columns, write_epochs, write_spec, write_trial
from tune_regimes.training import Numerics

SPEC = task("digits/mlp_si", train_size=60, test_size=50, batch_size=30)
EPOCHS = 5


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two schedules of ``predictions``, one seed each, as their study stores them."""
    storage = Storage(tmp_path)
    spec = {"name": "p", "metric": "test_accuracy", "mode": "max", "seeds": [0], "task": SPEC.to_dict()}
    write_spec(storage, {**spec, "origin": {"study": "intrinsic_lr.predictions", "scale": "smoke", "options": {}}})
    built = SPEC.build()
    for point, name in enumerate(("const", "wd_decay")):
        _write_run(storage, built, point, name)
    return tmp_path


def _write_run(storage: Storage, built: Any, point: int, name: str) -> None:
    schedule = prediction_schedule({"schedule": name}, rates=SMOKE, epochs=EPOCHS)
    trajectory = Trajectory(built, seed=0, numerics=Numerics(threads=1))
    trial, rows = {"schema_version": 1, "study": "p", "trial_id": f"{point:05d}-s0", "point": point, "seed": 0}, []
    for epoch in range(EPOCHS):
        told = schedule.settings(epoch, trajectory.steps_per_epoch)
        record = trajectory.advance(told)
        settings = {each: getattr(told, each) for each in ("lr", "momentum", "weight_decay", "optimizer")}
        place = {"trial_id": trial["trial_id"], "epoch": epoch + 1}
        rows.append(place | settings | {key: None if value != value else value for key, value in record.items()})
    write_epochs(storage, str(trial["trial_id"]), rows)
    row = {**trial, **config_columns({"schedule": name}), "schedule": schedule.to_json(), "status": "completed"}
    write_trial(storage, row | {"final_test_accuracy": rows[-1]["test_accuracy"]})


def test_recomputed_predictions_have_the_recorded_accuracy(study: Path) -> None:
    results = Results.load(study)
    assert epochs_of_interest(results) == [3, 5]
    assert recompute(results, [3, 5]) == ["00000-s0", "00001-s0"]
    targets = SPEC.build().data.test.targets.numpy()
    for part in read_predictions(results.storage, results.trials):
        recorded = results.epochs[results.epochs["epoch"] == part.epoch].set_index("trial_id")["test_accuracy"]
        for trial, predictions in zip(("00000-s0", "00001-s0"), part.by_schedule.values(), strict=True):
            assert (predictions[0] == targets).mean() == pytest.approx(recorded[trial])


def test_what_was_done_is_not_done_again(study: Path) -> None:
    results = Results.load(study)
    recompute(results, [5])
    assert recompute(results, [5]) == []


def test_a_run_that_does_not_repeat_itself_is_refused(study: Path) -> None:
    results = Results.load(study)
    results.epochs["test_accuracy"] += 0.01
    with pytest.raises(StudyError, match=r"training 00000-s0 again must measure .* epoch 1 has test accuracy"):
        recompute(results, [5])


def test_the_command_says_what_it_left_where(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(study)]) == 0
    assert "predictions of 2 runs in" in capsys.readouterr().out
    assert len(list((study / "predictions").glob("*.parquet"))) == 2


def test_the_command_explains_a_study_that_has_nothing_to_compare(
    simulated: Callable, store: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = prediction_schedule({"schedule": "const"}, rates=SMOKE, epochs=EPOCHS)
    trials, epochs = simulated([({"schedule": "const"}, schedule)], seeds=1)
    results = store((trials.assign(status="failed"), epochs), "intrinsic_lr.predictions")
    assert main([results.storage.path()]) == 2
    assert "has no such stretch" in capsys.readouterr().err


def test_predictions_are_a_table_that_anyone_can_read(study: Path) -> None:
    main([str(study)])
    table = pd.read_parquet(study / "predictions" / "00000-s0.parquet")
    assert set(table.columns) == {"trial_id", "epoch", "example", "prediction"}
    assert len(table) == 2 * 50
