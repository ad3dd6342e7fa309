"""Studies that really run on Ray: the values, the ways to end, and what a mistake leaves behind."""

import os
import signal
import subprocess
import sys
import types

import pytest
from ray import tune

import tune_regimes as tr
from tune_regimes.errors import ResourceError, StorageError, StudyError, TaskError
from tune_regimes.search import StudyInterrupted
from tune_regimes.tasks import spec
from tune_regimes.training import Numerics

pytestmark = pytest.mark.usefixtures("ray_cluster")

TASK = tr.task("digits/mlp", train_size=100, test_size=100, batch_size=25)
EPOCHS = 6


def schedule(config):
    large = tr.Phase(lr=config.get("lr", 0.1))
    return tr.two_phase(
        epochs=EPOCHS, transition_epoch=config["at"], large=large, small=tr.Phase(lr=0.01, momentum=0.9)
    )


def study(**changes):
    space = {"at": tune.randint(0, EPOCHS + 1)}
    arguments = {"name": "s", "task": TASK, "schedule": schedule, "space": space, "samples": 3, "seeds": 2}
    return tr.Study(**(arguments | changes))


ONE_WORKER = {"max_concurrent": 1}
"""Where two would show no more: a worker takes seconds to start."""


def exactly_once(results):
    counts = results.epochs.groupby(["trial_id", "epoch"]).size()
    lengths = results.epochs.groupby("trial_id").epoch.max()
    return (counts == 1).all() and len(counts) == lengths.sum()


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ray_cluster):
    """A finished study: its storage, its results, and the progress that it showed."""
    storage, seen = tmp_path_factory.mktemp("finished"), []
    results = study().run(storage, on_progress=seen.append)
    return storage, results, seen


def test_a_study_has_the_values_of_a_plain_loop_over_its_schedules(finished):
    _, results, _ = finished
    assert (results.trials.status == "completed").all()
    assert len(results.trials) == 6
    assert exactly_once(results)
    assert 0 < results.trials.epochs_trained.sum() < len(results.epochs)
    task = TASK.build()
    for trial in results.trials.itertuples():
        plan = tr.Schedule.from_json(trial.schedule)
        trajectory = tr.Trajectory(task, seed=trial.seed, numerics=Numerics(threads=1))
        records = [trajectory.advance(plan.settings(e, trajectory.steps_per_epoch)) for e in range(plan.epochs)]
        rows = results.epochs[results.epochs.trial_id == trial.trial_id].sort_values("epoch")
        for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "steps", "weight_norm"):
            assert list(rows[name]) == [record[name] for record in records]
        assert list(rows["angular_velocity"])[1:] == [record["angular_velocity"] for record in records[1:]]


def test_progress_counts_trials_and_epochs_to_the_end(finished):
    _, results, seen = finished
    last = seen[-1]
    assert last.states["completed"] == last.trials == 6
    assert (last.epochs + last.epochs_inherited, last.epochs_left) == (6 * EPOCHS, 0)
    assert last.best == results.trials.final_test_accuracy.max()


def test_running_a_finished_study_again_changes_nothing(finished):
    storage, before, _ = finished
    again = study().resume(storage)
    assert before.trials.equals(again.trials)
    assert before.epochs.equals(again.epochs)


def test_a_changed_study_is_not_mixed_into_a_stored_one(finished):
    storage, before, _ = finished
    with pytest.raises(StudyError, match="samples: stored 3, asked 4"):
        study(samples=4).run(storage)
    assert tr.Results.load(str(storage / "s")).trials.equals(before.trials)


def test_asha_prunes_what_is_worse_goes_on_past_what_diverges_and_a_resume_keeps_both(tmp_path):
    def many():
        lrs = tune.grid_search([1e20, 0.2, 0.1, 1e-5, 2e-5, 3e-5, 4e-5, 5e-5])
        return study(samples=1, seeds=1, scheduler="asha", space={"at": EPOCHS, "lr": lrs})

    results = many().run(tmp_path, **ONE_WORKER)
    by_lr = results.trials.set_index("config.lr").status
    assert by_lr[1e20] == "diverged"
    assert "pruned" in set(by_lr)
    assert "completed" in set(by_lr)
    assert exactly_once(results)
    pruned = results.trials[results.trials.status == "pruned"]
    assert (pruned.epochs < EPOCHS).all()
    assert pruned.reason.str.contains("stopped by").all()
    assert dict(many().resume(tmp_path, **ONE_WORKER).trials.status) == dict(results.trials.status)


def test_regime_asha_prunes_in_the_last_phase_alone_and_a_resume_runs_nothing_again(tmp_path):
    def tail(config):
        small = tr.Phase(lr=config["lr"], momentum=0.9)
        return tr.two_phase(epochs=EPOCHS, transition_epoch=2, large=tr.Phase(lr=0.1), small=small)

    def many():
        lrs = tune.grid_search([0.05, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
        scheduler = tr.RegimeASHA(variant="promote", reduction_factor=2)
        goal = {"metric": "train_loss", "mode": "min"}
        return study(samples=1, seeds=1, schedule=tail, scheduler=scheduler, space={"lr": lrs}, **goal)

    results = many().run(tmp_path, **ONE_WORKER)
    assert set(results.trials.status) == {"completed", "pruned"}
    assert exactly_once(results)
    pruned = results.trials[results.trials.status == "pruned"]
    assert (pruned.epochs > 2).all()
    assert results.trials.epochs_trained.sum() == len(results.epochs) - 2 * 5
    assert results.best().config["lr"] in (0.05, 1e-2)
    again = many().resume(tmp_path)
    assert again.trials.equals(results.trials)
    assert again.epochs.equals(results.epochs)


def test_hyperband_pauses_trials_and_takes_them_up_from_their_states(tmp_path):
    results = study(samples=6, seeds=1, scheduler="hyperband").run(tmp_path.as_uri(), **ONE_WORKER)
    assert len(results.trials) == 6
    assert set(results.trials.status) <= {"completed", "pruned"}
    assert (results.trials.status == "completed").any()
    assert exactly_once(results)


def test_tpe_evaluates_all_its_points_with_all_seeds_and_takes_up_a_stopped_search(tmp_path):
    def search():
        return study(samples=3, searcher="optuna", space={"at": tune.randint(0, 7), "lr": tune.loguniform(1e-4, 1.0)})

    results = search().run(tmp_path, **ONE_WORKER)
    assert list(results.trials.groupby("point").size()) == [2] * 3
    lost = results.trials.trial_id.iloc[-1]
    for table in ("trials", "epochs"):
        (tmp_path / "s" / table / f"{lost}.parquet").unlink()
    times = ["wall_seconds", "train_seconds"]
    assert search().resume(tmp_path, **ONE_WORKER).trials.drop(columns=times).equals(results.trials.drop(columns=times))


def test_an_interrupted_study_keeps_its_rows_and_goes_on_from_them(tmp_path):
    def long():
        return study(
            samples=2,
            seeds=1,
            space={"at": tune.randint(1, 9)},
            schedule=lambda c: tr.cosine(epochs=300 + c["at"], lr=0.1),
        )

    sent = []

    def interrupt(progress):
        if progress.epochs >= 20 and not sent:
            sent.append(os.kill(os.getpid(), signal.SIGINT))

    with pytest.raises(StudyInterrupted, match="can be resumed"):
        long().run(tmp_path, on_progress=interrupt, **ONE_WORKER)
    before = tr.Results.load(str(tmp_path / "s"))
    assert "running" in set(before.trials.status)
    assert before.epochs.shape[0] >= 20
    after = long().resume(tmp_path, **ONE_WORKER)
    assert (after.trials.status == "completed").all()
    assert exactly_once(after)
    kept = before.epochs.merge(after.epochs, on=["trial_id", "epoch", "train_loss", "test_loss", "lr"])
    assert len(kept) == len(before.epochs)


def test_asking_for_more_gpus_than_there_are_is_refused_at_once_and_nothing_is_written(tmp_path):
    with pytest.raises(ResourceError, match="it asks for 3 GPUs, the cluster has 0"):
        study().run(tmp_path, gpus_per_trial=3)
    assert list(tmp_path.iterdir()) == []


def test_a_metric_that_no_epoch_reports_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(StudyError, match="'test_f1'; choose from"):
        study(metric="test_f1").run(tmp_path, **ONE_WORKER)
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_the_workers_cannot_import_is_refused_and_nothing_is_written(tmp_path, monkeypatch):
    module = types.ModuleType("only_on_the_driver")
    exec("def factory():\n    raise NotImplementedError", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(spec, "_registered", {})
    tr.register_task("driver/only")(module.factory)
    with pytest.raises(TaskError, match="importing 'only_on_the_driver' of task 'driver/only' failed there"):
        study(task=tr.task("driver/only")).run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_resuming_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"study\.json"):
        study().resume(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_stops_the_study_and_what_was_stored_stays_readable_and_resumable(tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", mount], check=False).returncode:
        pytest.skip("this kernel lets us mount no tmpfs")
    try:
        wide = study(samples=20, seeds=2)
        with pytest.raises(StorageError, match="No space left on device"):
            wide.run(mount, **ONE_WORKER)
        stored = tr.Results.load(str(mount / "s"))
        assert 0 < len(stored.trials) < 40
        assert exactly_once(stored)
        subprocess.run(["mount", "-o", "remount,size=64m", mount], check=True)
        whole = study(samples=20, seeds=2).resume(mount, **ONE_WORKER)
        assert (whole.trials.status == "completed").all()
        assert len(whole.trials) == 40
    finally:
        subprocess.run(["umount", mount], check=True)
