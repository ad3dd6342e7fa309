"""A trial's life without Ray: resume, replay, divergence, and what it writes."""

from dataclasses import replace

import pytest

import tune_regimes as tr
from tune_regimes.errors import StudyError
from tune_regimes.results import read_epoch_rows, read_trial
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.trial import WORST, TrialRun
from tune_regimes.storage import Storage

TASK = tr.task("digits/mlp", train_size=100, test_size=50, batch_size=20)


@pytest.fixture(scope="module")
def built():
    return TASK.build()


@pytest.fixture
def job(tmp_path):
    return Job(study="s", task=TASK, storage=str(tmp_path), metric="test_accuracy", mode="max", save_every=0.0)


def spec(lr=0.05, epochs=4):
    schedule = tr.two_phase(
        epochs=epochs, transition_epoch=2, large=tr.Phase(lr=lr), small=tr.Phase(lr=0.01, momentum=0.9)
    )
    return TrialSpec(point=3, seed=1, config={"lr": lr, "nested": {"a": 1}}, schedule=schedule)


def run_to_end(run):
    reports = []
    while not reports or not reports[-1]["done"]:
        reports.append(run.advance())
    return reports


def without_times(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_trial_reports_each_epoch_and_ends_completed(job, built):
    run = TrialRun(job, spec(), built)
    reports = run_to_end(run)
    assert [report["epoch"] for report in reports] == [1, 2, 3, 4]
    assert [report["status"] for report in reports] == ["running"] * 3 + ["completed"]
    assert [report["epochs_ahead"] for report in reports] == [3, 2, 1, 0]


def test_the_rows_say_phase_and_settings_of_each_epoch(job, built, tmp_path):
    run_to_end(TrialRun(job, spec(), built))
    rows = read_epoch_rows(Storage(tmp_path), "00003-s1")
    assert [(row["phase"], row["epoch_in_phase"]) for row in rows] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [row["lr"] for row in rows] == [0.05, 0.05, 0.01, 0.01]
    assert [row["momentum"] for row in rows] == [0.0, 0.0, 0.9, 0.9]


def test_the_trial_row_sums_up_the_epochs(job, built, tmp_path):
    run_to_end(TrialRun(job, spec(), built))
    row, rows = read_trial(Storage(tmp_path), "00003-s1"), read_epoch_rows(Storage(tmp_path), "00003-s1")
    assert (row["status"], row["epochs"], row["epochs_trained"], row["epochs_inherited"]) == ("completed", 4, 4, 0)
    assert row["final_test_accuracy"] == rows[-1]["test_accuracy"]
    assert row["best_test_loss"] == min(r["test_loss"] for r in rows)
    assert row["config.lr"] == 0.05
    assert row["config.nested.a"] == 1.0
    assert tr.Schedule.from_json(row["schedule"]) == spec().schedule


def test_a_trial_that_was_left_goes_on_from_its_state_to_the_same_rows(job, built, tmp_path):
    run_to_end(TrialRun(job, spec(), built))
    whole = without_times(read_epoch_rows(Storage(tmp_path), "00003-s1"))
    other = replace(job, storage=str(tmp_path / "other"))
    first = TrialRun(other, spec(), built)
    first.advance()
    first.advance()
    first.leave()
    second = TrialRun(other, spec(), built)
    assert second.epochs_done == 2
    assert [report["epoch"] for report in run_to_end(second)] == [3, 4]
    assert without_times(read_epoch_rows(Storage(tmp_path / "other"), "00003-s1")) == whole


def test_rows_beyond_the_stored_state_are_trained_again_to_the_same_values(job, built, tmp_path):
    lazy = replace(job, save_every=1e9)
    first = TrialRun(lazy, spec(), built)
    first.advance()
    first.save()
    first.advance()
    first._write_rows()
    before = without_times(read_epoch_rows(Storage(tmp_path), "00003-s1"))
    second = TrialRun(lazy, spec(), built)
    assert second.epochs_done == 1
    run_to_end(second)
    assert without_times(read_epoch_rows(Storage(tmp_path), "00003-s1"))[:2] == before


def test_a_state_of_another_schedule_is_never_loaded(job, built):
    first = TrialRun(job, spec(lr=0.05), built)
    first.advance()
    first.leave()
    assert TrialRun(job, spec(lr=0.06), built).epochs_done == 0


def test_an_ended_trial_is_replayed_without_training(job, built):
    reports = run_to_end(TrialRun(job, spec(), built))
    again = run_to_end(TrialRun(job, spec(), built))
    assert [r["test_accuracy"] for r in again] == [r["test_accuracy"] for r in reports]
    assert sum(r["epochs_now"] for r in again) == 0
    assert again[-1]["status"] == "completed"


def test_a_diverged_trial_ends_with_its_rows_and_reports_no_nan(job, built, tmp_path):
    reports = run_to_end(TrialRun(job, spec(lr=1e20), built))
    assert reports[-1]["status"] == "diverged"
    assert reports[-1]["test_accuracy"] == -WORST
    row, rows = read_trial(Storage(tmp_path), "00003-s1"), read_epoch_rows(Storage(tmp_path), "00003-s1")
    assert row["status"] == "diverged"
    assert f"epoch {len(rows)}" in row["reason"]
    assert rows[-1]["test_accuracy"] is None
    assert row["final_test_accuracy"] is None


def test_a_minimised_metric_reports_the_largest_value_when_it_diverges(job, built):
    run = TrialRun(replace(job, metric="test_loss", mode="min"), spec(lr=1e20), built)
    assert run_to_end(run)[-1]["test_loss"] == WORST


def test_reports_gather_epochs_where_nothing_acts_on_them(job, built):
    reports = run_to_end(TrialRun(replace(job, report_every=1e9), spec(), built))
    assert [(r["epoch"], r["epochs_now"]) for r in reports] == [(4, 4)]


def test_an_ended_trial_keeps_no_state(job, built, tmp_path):
    run_to_end(TrialRun(job, spec(), built))
    assert Storage(tmp_path).list("states/00003-s1") == []


def test_a_metric_that_no_epoch_reports_is_refused_with_the_choices(job, built):
    with pytest.raises(StudyError, match=r"'test_f1'; choose from .*'test_accuracy'"):
        TrialRun(replace(job, metric="test_f1"), spec(), built)
