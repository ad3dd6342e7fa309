"""Results: loaded lazily, the best schedule ready to run, exports that replace nothing unasked."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tune_regimes.errors import StorageError, StudyError
from tune_regimes.results import Results, write_spec
from tune_regimes.schedule import Phase, Schedule
from tune_regimes.storage import Storage

Add = Callable[..., str]


def test_trials_epochs_and_points_are_tables(study: Storage) -> None:
    results = Results.load(study.uri)
    assert (len(results.trials), len(results.epochs), len(results.points)) == (11, 32, 4)
    assert (results.spec["name"], results.metric, results.mode, results.seeds) == ("demo", "test_accuracy", "max", 3)
    assert results.trials is results.trials


def test_tables_are_read_when_they_are_asked_for(study: Storage) -> None:
    results = Results.load(study)
    study.delete("epochs")
    assert len(results.trials) == 11
    assert results.epochs.empty


def test_points_count_diverged_trials_and_leave_them_out_of_the_mean(study: Storage) -> None:
    points = Results.load(study).points.set_index("point")
    assert points.loc[1, ["n", "n_seeds", "n_diverged"]].tolist() == [2, 3, 1]
    assert points["mean"].tolist() == pytest.approx([0.81, 0.95, 0.90, 0.99])
    assert points["config.lr"].tolist() == [0.1, 1.0, 0.01, 0.5]


def test_the_best_point_brings_its_config_its_schedule_and_its_best_seed(study: Storage) -> None:
    best = Results.load(study).best()
    assert (best.point, best.trial_id, best.n) == (0, "00000-s2", 3)
    assert best.config == {"lr": 0.1, "transition_epoch": 2}
    assert type(best.config["transition_epoch"]) is int
    assert best.schedule == Schedule((Phase(lr=0.1, epochs=3),))
    assert best.low < best.mean < best.high
    assert best.mean == pytest.approx(0.81)


def test_the_ranking_puts_whole_points_before_pruned_ones_and_these_before_flawed_ones(study: Storage) -> None:
    ranking = Results.load(study).ranking()
    assert ranking["point"].tolist() == [0, 2, 3, 1]
    assert ranking.index.tolist() == [0, 1, 2, 3]


def test_the_front_of_metric_and_epochs_leaves_out_what_costs_more_without_being_better(
    storage: Storage, add: Add
) -> None:
    write_spec(storage, {"name": "demo", "metric": "test_accuracy", "mode": "max", "seeds": 1})
    for point, (accuracy, epochs) in enumerate([(0.9, 60), (0.7, 20), (0.8, 80), (0.6, 30)]):
        add(point, 0, {"lr": 0.1}, final_test_accuracy=accuracy, epochs=epochs)
    front = Results.load(storage).pareto()
    assert front[["point", "epochs"]].to_numpy().tolist() == [[1, 20], [0, 60]]


def test_the_smallest_metric_is_best_where_the_study_says_so(storage: Storage, add: Add) -> None:
    write_spec(storage, {"name": "demo", "metric": "test_loss", "mode": "min", "seeds": [7]})
    for point, loss in enumerate((0.5, 0.3, 0.4)):
        add(point, 7, {"lr": 0.1 * point}, final_test_loss=loss)
    best = Results.load(storage).best()
    assert (best.trial_id, best.mean, best.n, math.isnan(best.low)) == ("00001-s7", 0.3, 1, True)


def test_the_best_seed_is_a_completed_one_where_there_is_one(storage: Storage, add: Add) -> None:
    write_spec(storage, {"name": "demo", "metric": "test_accuracy", "mode": "max", "seeds": 3})
    for seed, (status, value) in enumerate([("pruned", 0.9), ("completed", 0.5), ("completed", 0.6)]):
        add(0, seed, {}, status, final_test_accuracy=value)
    assert Results.load(storage).best().trial_id == "00000-s2"


def test_a_metric_of_the_task_is_ranked_like_any_other(storage: Storage, add: Add) -> None:
    write_spec(storage, {"name": "demo", "metric": "test_top5", "mode": "max", "seeds": 1})
    with pytest.raises(StudyError, match="got no trials"):
        Results.load(storage).best()
    add(0, 0, {"lr": 0.1}, "running")
    with pytest.raises(StudyError, match=r"got 1 trial \(1 running\)"):
        Results.load(storage).best()
    add(0, 0, {"lr": 0.1}, final_test_top5=0.9)
    assert Results.load(storage).best().mean == 0.9


def test_a_metric_that_no_epoch_reports_lists_the_others(storage: Storage, add: Add) -> None:
    write_spec(storage, {"name": "demo", "metric": "top1", "mode": "max", "seeds": 1})
    add(0, 0, {})
    with pytest.raises(
        StudyError, match="got 'top1'; choose one of train_loss, train_accuracy, test_loss, test_accuracy"
    ):
        Results.load(storage).best()


def test_a_folder_that_is_no_study_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"must hold study\.json"):
        Results.load(tmp_path)


@pytest.mark.parametrize(("format", "read"), [("parquet", pd.read_parquet), ("csv", pd.read_csv)])
def test_an_export_is_three_files_with_the_same_values(
    study: Storage, tmp_path: Path, format: str, read: Callable[[str], pd.DataFrame]
) -> None:
    results = Results.load(study)
    paths = results.export(tmp_path / "out", format)
    assert paths == [str(tmp_path / "out" / f"{name}.{format}") for name in ("trials", "epochs", "points")]
    assert sorted(os.listdir(tmp_path / "out")) == sorted(os.path.basename(path) for path in paths)
    for path, expected in zip(paths, (results.trials, results.epochs, results.points), strict=True):
        pd.testing.assert_frame_equal(read(path), expected.fillna(math.nan), check_dtype=False)


def test_an_export_to_parquet_keeps_the_meaning_of_the_columns(study: Storage, tmp_path: Path) -> None:
    trials, _, points = Results.load(study).export(tmp_path)
    assert pq.read_schema(trials).field("seed").metadata[b"meaning"]
    assert pq.read_schema(points).field("low").metadata[b"unit"] == b"of the metric"
    assert pq.read_schema(points).metadata[b"schema_version"] == b"1"


def test_an_export_replaces_files_only_when_told_to(study: Storage, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("mine")
    with pytest.raises(StorageError, match=r"holds points.csv; choose another folder or set overwrite"):
        Results.load(study).export(tmp_path, "csv")
    assert not (tmp_path / "trials.csv").exists()
    assert (tmp_path / "points.csv").read_text() == "mine"
    Results.load(study).export(tmp_path, "csv", overwrite=True)
    assert (tmp_path / "points.csv").read_text().startswith('"point"')


def test_an_unknown_export_format_is_refused(study: Storage, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="format must be one of parquet, csv; got 'xlsx'"):
        Results.load(study).export(tmp_path, "xlsx")


def test_results_are_read_from_a_remote_store_as_from_a_local_one(study: Storage) -> None:
    remote = Storage("mock:///studies/demo")
    for folder in ("", "trials", "epochs"):
        for name in study.list(folder):
            path = f"{folder}/{name}".lstrip("/")
            remote.write(path, study.read(path))
    pd.testing.assert_frame_equal(
        Results.load(study).points, Results(remote, json.loads(study.read("study.json"))).points
    )


def test_reading_results_needs_neither_torch_nor_ray(study: Storage) -> None:
    code = (
        "import sys; from tune_regimes import Results; r = Results.load(sys.argv[1]); r.best(); r.epochs;"
        "assert not {'torch', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, study.uri], check=True)
