"""A trial's life without Ray: resume, replay, divergence, and what it writes."""

from dataclasses import replace

import pytest

import tune_regimes as tr
from tune_regimes.errors import StudyError, TaskError
from tune_regimes.results import observations, read_epoch_rows, read_trial
from tune_regimes.schedule.policy import told
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.readings import WORST
from tune_regimes.search.trial import TrialRun
from tune_regimes.search.workplace import Workplace
from tune_regimes.storage import Storage

TASK = tr.task("digits/mlp", train_size=100, test_size=50, batch_size=20)


@pytest.fixture
def job(tmp_path):
    return Job(study="s", task=TASK, storage=str(tmp_path), metric="test_accuracy", mode="max", save_every=0.0)


def spec(lr=0.05, epochs=4):
    schedule = tr.two_phase(
        epochs=epochs, transition_epoch=2, large=tr.Phase(lr=lr), small=tr.Phase(lr=0.01, momentum=0.9)
    )
    return TrialSpec(point=3, seed=1, config={"lr": lr, "nested": {"a": 1}}, schedule=schedule)


def begun(job, spec):
    """A trial in a process of its own."""
    return TrialRun(Workplace(job), spec)


def run_to_end(run):
    reports = []
    while not reports or not reports[-1]["done"]:
        reports.append(run.advance())
    return reports


def without_times(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_trial_reports_each_epoch_and_ends_completed(job):
    run = begun(job, spec())
    reports = run_to_end(run)
    assert [report["epoch"] for report in reports] == [1, 2, 3, 4]
    assert [report["status"] for report in reports] == ["running"] * 3 + ["completed"]
    assert [report["epochs_ahead"] for report in reports] == [3, 2, 1, 0]


def test_the_rows_say_phase_and_settings_of_each_epoch(job, tmp_path):
    run_to_end(begun(job, spec()))
    rows = read_epoch_rows(Storage(tmp_path), "00003-s1")
    assert [(row["phase"], row["epoch_in_phase"]) for row in rows] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [row["lr"] for row in rows] == [0.05, 0.05, 0.01, 0.01]
    assert [row["momentum"] for row in rows] == [0.0, 0.0, 0.9, 0.9]


def test_the_trial_row_sums_up_the_epochs(job, tmp_path):
    run_to_end(begun(job, spec()))
    row, rows = read_trial(Storage(tmp_path), "00003-s1"), read_epoch_rows(Storage(tmp_path), "00003-s1")
    assert (row["status"], row["epochs"], row["epochs_trained"], row["epochs_inherited"]) == ("completed", 4, 4, 0)
    assert row["final_test_accuracy"] == rows[-1]["test_accuracy"]
    assert row["best_test_loss"] == min(r["test_loss"] for r in rows)
    assert row["config.lr"] == 0.05
    assert row["config.nested.a"] == 1.0
    assert tr.Schedule.from_json(row["schedule"]) == spec().schedule


def test_the_rows_say_what_was_observed_of_the_weights_and_the_trial_row_sums_none_of_it_up(job, tmp_path):
    run_to_end(begun(job, spec()))
    row, rows = read_trial(Storage(tmp_path), "00003-s1"), read_epoch_rows(Storage(tmp_path), "00003-s1")
    assert [type(epoch["steps"]) for epoch in rows] == [int] * 4
    assert [epoch["steps"] for epoch in rows] == [5, 5, 5, 5]
    assert rows[0]["angular_velocity"] is None
    assert all(0.0 < epoch["angular_velocity"] < 180.0 for epoch in rows[1:])
    assert all(epoch["weight_norm"] > 0.0 for epoch in rows)
    summed = {name.partition("_")[2] for name in row if name.startswith(("final_", "best_"))}
    assert summed == {"train_loss", "train_accuracy", "test_loss", "test_accuracy"}


def test_a_policy_is_told_again_from_the_rows_what_it_was_told_by_the_records(job, tmp_path):
    policy = tr.Plateau(tr.Phase(lr=0.05, epochs=5), metric="angular_velocity", mode="max", patience=0, factor=0.5)
    run_to_end(begun(job, replace(spec(), schedule=policy)))
    rows = read_epoch_rows(Storage(tmp_path), "00003-s1")
    told_again = [settings.lr for settings, _ in told(policy, observations(rows), 5)]
    assert told_again == [row["lr"] for row in rows]
    assert rows[1]["lr"] == 0.025


def test_a_trial_that_was_left_goes_on_from_its_state_to_the_same_rows(job, tmp_path):
    run_to_end(begun(job, spec()))
    whole = without_times(read_epoch_rows(Storage(tmp_path), "00003-s1"))
    other = replace(job, storage=str(tmp_path / "other"))
    first = begun(other, spec())
    first.advance()
    first.advance()
    first.leave()
    second = begun(other, spec())
    assert second.epochs_done == 2
    reports = run_to_end(second)
    assert [report["epoch"] for report in reports] == [1, 2, 3, 4]
    assert [report["epochs_now"] for report in reports] == [0, 0, 1, 1]
    assert without_times(read_epoch_rows(Storage(tmp_path / "other"), "00003-s1")) == whole


def test_rows_beyond_the_stored_state_are_trained_again_to_the_same_values(job, tmp_path):
    lazy = replace(job, save_every=1e9)
    first = begun(lazy, spec())
    first.advance()
    first.save()
    first.advance()
    first._write_rows()
    before = without_times(read_epoch_rows(Storage(tmp_path), "00003-s1"))
    second = begun(lazy, spec())
    assert second.epochs_done == 1
    run_to_end(second)
    assert without_times(read_epoch_rows(Storage(tmp_path), "00003-s1"))[:2] == before


def test_a_state_of_another_schedule_is_never_loaded(job):
    first = begun(job, spec(lr=0.05))
    first.advance()
    first.leave()
    assert begun(job, spec(lr=0.06)).epochs_done == 0


def test_an_ended_trial_is_replayed_without_training(job):
    reports = run_to_end(begun(job, spec()))
    again = run_to_end(begun(job, spec()))
    assert [r["test_accuracy"] for r in again] == [r["test_accuracy"] for r in reports]
    assert sum(r["epochs_now"] for r in again) == 0
    assert again[-1]["status"] == "completed"


def test_a_diverged_trial_ends_with_its_rows_and_reports_no_nan(job, tmp_path):
    reports = run_to_end(begun(job, spec(lr=1e20)))
    assert reports[-1]["status"] == "diverged"
    assert reports[-1]["test_accuracy"] == -WORST
    row, rows = read_trial(Storage(tmp_path), "00003-s1"), read_epoch_rows(Storage(tmp_path), "00003-s1")
    assert row["status"] == "diverged"
    assert f"epoch {len(rows)}" in row["reason"]
    assert rows[-1]["test_accuracy"] is None
    assert rows[-1]["angular_velocity"] is None
    assert row["final_test_accuracy"] is None


def test_a_minimised_metric_reports_the_largest_value_when_it_diverges(job):
    run = begun(replace(job, metric="test_loss", mode="min"), spec(lr=1e20))
    assert run_to_end(run)[-1]["test_loss"] == WORST


def test_reports_gather_epochs_where_nothing_acts_on_them(job):
    reports = run_to_end(begun(replace(job, report_every=1e9), spec()))
    assert [(r["epoch"], r["epochs_now"]) for r in reports] == [(4, 4)]


def stored(tmp_path, kind):
    """Epochs after which something is stored, by the length of its history."""
    return sorted(path.name for path in tmp_path.glob(f"states/*/*.{kind}"))


def test_an_ended_trial_keeps_no_state_of_its_own(job, tmp_path):
    run_to_end(begun(job, spec()))
    assert stored(tmp_path, "state") == stored(tmp_path, "pin") == []
    assert len(stored(tmp_path, "history")) >= 1


def test_an_optimizer_that_cannot_train_the_model_is_refused_before_the_epochs_that_lead_to_it(job, tmp_path):
    task = tr.task("digits/simple_cnn_bn", train_size=40, test_size=20, batch_size=20)
    schedule = tr.two_phase(
        epochs=3, transition_epoch=2, large=tr.Phase(lr=0.1), small=tr.Phase(lr=0.01, optimizer="kfac")
    )
    run = begun(replace(job, task=task), replace(spec(), schedule=schedule))
    with pytest.raises(TaskError, match=r"\(BatchNorm2d\)"):
        run.advance()
    assert run.rows == []


def test_a_metric_that_no_epoch_reports_is_refused_with_the_choices(job):
    with pytest.raises(StudyError, match=r"'test_f1'; choose from .*'test_accuracy'"):
        begun(replace(job, metric="test_f1"), spec())
