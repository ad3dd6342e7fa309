"""Studies that really run on Ray: the values, the ways to end, and what a mistake leaves behind."""

import os
import subprocess
import sys
import types

import pytest
from ray import tune

import tune_regimes as tr
from tune_regimes.errors import ResourceError, StorageError, StudyError, TaskError

pytestmark = pytest.mark.usefixtures("ray_cluster")

TASK = tr.task("digits/mlp", train_size=100, test_size=100, batch_size=25)
EPOCHS = 6


def schedule(config):
    large = tr.Phase(lr=config.get("lr", 0.1))
    return tr.two_phase(epochs=EPOCHS, transition_epoch=config["at"], large=large, small=tr.Phase(lr=0.01, momentum=0.9))


def study(**changes):
    arguments = {
        "name": "s", "task": TASK, "schedule": schedule, "space": {"at": tune.randint(0, EPOCHS + 1)}, "samples": 3, "seeds": 2,
    }  # fmt: skip
    return tr.Study(**(arguments | changes))


def exactly_once(results):
    counts = results.epochs.groupby(["trial_id", "epoch"]).size()
    lengths = results.epochs.groupby("trial_id").epoch.max()
    return (counts == 1).all() and len(counts) == lengths.sum()


def test_a_study_has_the_values_of_a_plain_loop_over_its_schedules(tmp_path):
    results = study().run(tmp_path)
    assert (results.trials.status == "completed").all()
    assert len(results.trials) == 6
    assert exactly_once(results)
    task = TASK.build()
    for trial in results.trials.itertuples():
        import torch

        torch.set_num_threads(1)
        plan = tr.Schedule.from_json(trial.schedule)
        trajectory = tr.Trajectory(task, seed=trial.seed)
        records = [trajectory.advance(plan.settings(e, trajectory.steps_per_epoch)) for e in range(plan.epochs)]
        rows = results.epochs[results.epochs.trial_id == trial.trial_id].sort_values("epoch")
        for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
            assert list(rows[name]) == [record[name] for record in records]


def test_running_a_finished_study_again_changes_nothing(tmp_path):
    first = study().run(tmp_path)
    again = study().resume(tmp_path)
    assert first.trials.equals(again.trials)
    assert first.epochs.equals(again.epochs)


def test_asha_prunes_and_a_resume_leaves_the_pruned_pruned(tmp_path):
    def many():
        return study(samples=10, scheduler="asha", space={"at": tune.randint(0, 7), "lr": tune.loguniform(1e-5, 0.3)})

    results = many().run(tmp_path)
    counts = results.trials.status.value_counts()
    assert counts["pruned"] >= 1
    assert counts["completed"] >= 1
    assert set(counts.index) == {"pruned", "completed"}
    assert exactly_once(results)
    pruned = results.trials[results.trials.status == "pruned"]
    assert (pruned.epochs < EPOCHS).all()
    assert pruned.reason.str.contains("stopped by").all()
    again = many().resume(tmp_path)
    assert dict(again.trials.status) == dict(results.trials.status)


def test_hyperband_pauses_trials_and_takes_them_up_from_their_states(tmp_path):
    results = study(samples=6, scheduler="hyperband").run(tmp_path)
    assert len(results.trials) == 12
    assert set(results.trials.status) <= {"completed", "pruned"}
    assert (results.trials.status == "completed").any()
    assert exactly_once(results)


def test_tpe_evaluates_all_its_points_with_all_seeds_and_takes_up_a_stopped_search(tmp_path):
    def search():
        return study(samples=5, searcher="optuna", space={"at": tune.randint(0, 7), "lr": tune.loguniform(1e-4, 1.0)})

    results = search().run(tmp_path)
    assert sorted(results.trials.groupby("point").size()) == [2] * 5
    lost = results.trials.trial_id.iloc[-1]
    for table in ("trials", "epochs"):
        (tmp_path / "s" / table / f"{lost}.parquet").unlink()
    again = search().resume(tmp_path)
    assert again.trials.drop(columns=["wall_seconds", "train_seconds"]).equals(
        results.trials.drop(columns=["wall_seconds", "train_seconds"])
    )


def test_a_diverging_trial_is_a_result_and_the_search_goes_on(tmp_path):
    for scheduler in ("fifo", "asha"):
        results = study(
            name=scheduler, scheduler=scheduler, seeds=1, samples=1, space={"at": EPOCHS, "lr": tune.grid_search([1e20, 0.1])}
        ).run(tmp_path)
        by_lr = results.trials.set_index("config.lr").status
        assert by_lr[1e20] == "diverged"
        assert by_lr[0.1] == "completed"


def test_a_spent_time_budget_leaves_a_study_that_goes_on_to_the_same_values(tmp_path, rows_of):
    def long(name):
        return study(name=name, samples=4, schedule=lambda c: tr.cosine(epochs=60 + c["at"], lr=0.1))

    stopped = long("stopped").run(tmp_path, time_budget=3.0)
    assert (stopped.trials.status == "running").any() or len(stopped.trials) < 8
    whole = long("stopped").resume(tmp_path)
    assert (whole.trials.status == "completed").all()
    assert exactly_once(whole)
    assert rows_of(whole) == rows_of(long("whole").run(tmp_path))


def test_progress_counts_trials_and_epochs_to_the_end(tmp_path):
    seen = []
    study().run(tmp_path, on_progress=seen.append)
    last = seen[-1]
    assert last.states["completed"] == last.trials == 6
    assert (last.epochs, last.epochs_left) == (6 * EPOCHS, 0)
    assert last.best is not None


def test_asking_for_more_gpus_than_there_are_is_refused_at_once_and_nothing_is_written(tmp_path):
    with pytest.raises(ResourceError, match="it asks for 3 GPUs, the cluster has 0"):
        study().run(tmp_path, gpus_per_trial=3)
    assert list(tmp_path.iterdir()) == []


def test_a_metric_that_no_epoch_reports_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(StudyError, match="'test_f1'; choose from"):
        study(metric="test_f1").run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_the_workers_cannot_import_is_refused_and_nothing_is_written(tmp_path, monkeypatch):
    module = types.ModuleType("only_on_the_driver")
    exec("def factory():\n    raise NotImplementedError", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    tr.register_task("driver/only")(module.factory)
    with pytest.raises(TaskError, match="importing 'only_on_the_driver' of task 'driver/only' failed there"):
        study(task=tr.task("driver/only")).run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_study_is_not_mixed_into_a_stored_one(tmp_path):
    before = study().run(tmp_path)
    with pytest.raises(StudyError, match="samples: stored 3, asked 4"):
        study(samples=4).run(tmp_path)
    assert tr.Results.load(str(tmp_path / "s")).trials.equals(before.trials)


def test_resuming_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"study\.json"):
        study().resume(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_stops_the_study_and_what_was_stored_stays_readable_and_resumable(tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=420k", "tmpfs", mount], check=False).returncode:
        pytest.skip("this kernel lets us mount no tmpfs")
    try:
        wide = study(samples=20, seeds=2)
        with pytest.raises(StorageError, match="No space left on device"):
            wide.run(mount)
        stored = tr.Results.load(str(mount / "s"))
        assert 0 < len(stored.trials) < 40
        assert exactly_once(stored)
        subprocess.run(["mount", "-o", "remount,size=64m", mount], check=True)
        whole = study(samples=20, seeds=2).resume(mount)
        assert (whole.trials.status == "completed").all()
        assert len(whole.trials) == 40
    finally:
        subprocess.run(["umount", mount], check=True)
