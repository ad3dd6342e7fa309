"""Processes that are really killed: nothing is lost or doubled, and every value is that of a quiet run."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from tune_regimes.results import read_epochs, read_trials
from tune_regimes.search.progress import ProgressCallback
from tune_regimes.storage import Storage

pytestmark = [pytest.mark.kills, pytest.mark.slow]

DRIVER = """
import os, signal, sys
import tune_regimes as tr
from ray import tune
from tune_regimes.search.progress import ProgressCallback

EPOCHS = 20

def schedule(config):
    large, small = tr.Phase(lr=0.1), tr.Phase(lr=tr.Ramp("cosine", 0.05, 0.0), momentum=0.9, momentum_rule="keep")
    return tr.two_phase(epochs=EPOCHS, transition_epoch=config["at"], large=large, small=small, weight_decay=1e-4)

def study():
    options = {"train_size": 200, "test_size": 100, "batch_size": 25, "width": 0.5, "dropout": 0.2, "augment": True}
    task = tr.task("digits/simple_cnn", **options)
    return tr.Study(name="killed", task=task, schedule=schedule, space={"at": tune.grid_search([5, 15])}, seeds=2)

# Reports gather epochs, but the one after which the others part is always reported.
def stop_in_the_middle(self, iteration, trials, trial, result, **info):
    if result["status"] == "running" and result["epoch"] >= 5:
        os.kill(os.getpid(), signal.SIGSTOP)

if __name__ == "__main__":
    ProgressCallback.on_trial_result = stop_in_the_middle
    study().run(sys.argv[1], save_every=0.0)
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """The driver as a script, and as a module that builds the study it runs."""
    import importlib.util

    path = tmp_path_factory.mktemp("driver") / "killed_driver.py"
    path.write_text(textwrap.dedent(DRIVER))
    module_spec = importlib.util.spec_from_file_location("killed_driver", path)
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return path, module


@pytest.fixture(scope="module")
def quiet(driver, tmp_path_factory, ray_cluster):
    """The rows of an uninterrupted run."""
    return exact_rows(driver[1].study().run(tmp_path_factory.mktemp("quiet"), max_concurrent=1).epochs)


def exact_rows(epochs):
    assert not epochs.duplicated(["trial_id", "epoch"]).any()
    columns = ["phase", "lr", "momentum", "train_loss", "train_accuracy", "test_loss", "test_accuracy"]
    return {(row.trial_id, row.epoch): tuple(getattr(row, name) for name in columns) for row in epochs.itertuples()}


def wait_until(condition, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.05)


def workers_of(parent):
    """Process ids of the Ray workers below a process that are training."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and (folder / "cmdline").read_bytes().startswith(b"ray::ScheduleTrainable"):
                found.append(int(folder.name))
        except OSError:
            continue
    return [pid for pid in found if parent in ancestors(pid)]


def ancestors(pid):
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return
        yield pid


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_study_whose_driver_is_killed_resumes_to_the_rows_of_a_quiet_run(driver, quiet, tmp_path, ray_cluster):
    path, module = driver
    storage = Storage(tmp_path).child("killed")
    process = subprocess.Popen([sys.executable, path, tmp_path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), "the driver ended before the trials had parted"
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(alive(pid) for pid in workers), "the orphaned workers to end")
    assert 5 <= len(read_epochs(storage)) < 80
    assert "running" in set(read_trials(storage).status)
    assert exact_rows(read_epochs(storage)).items() <= quiet.items()

    results = module.study().resume(tmp_path, max_concurrent=1)
    assert (results.trials.status == "completed").all()
    assert exact_rows(results.epochs) == quiet
    assert sorted(results.epochs.groupby("trial_id").size()) == [20] * 4


@contextmanager
def one_worker_killed(event, when):
    """Kills the worker of a trial, once, at the first event of this name whose result fulfils a condition."""
    killed, handle = [], getattr(ProgressCallback, event)

    def handle_and_kill(self, iteration, trials, trial, **info):
        handle(self, iteration, trials, trial, **info)
        result = info.get("result", trial.last_result)
        if not killed and when(result):
            killed.append(result["pid"])
            os.kill(killed[0], signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProgressCallback, event, handle_and_kill)
        yield
    assert killed, "the study ended before a worker could be killed"


def training_beyond(epochs):
    return lambda result: result["status"] == "running" and result["epoch"] >= epochs


def test_a_trial_whose_worker_is_killed_goes_on_from_its_last_state(driver, quiet, tmp_path, ray_cluster):
    with one_worker_killed("on_trial_result", training_beyond(5)):
        results = driver[1].study().run(tmp_path, save_every=0.0)
    assert (results.trials.status == "completed").all()
    assert exact_rows(results.epochs) == quiet


def test_a_worker_that_dies_between_two_trials_costs_neither(driver, quiet, tmp_path, ray_cluster):
    seen = []
    with one_worker_killed("on_trial_complete", when=bool):
        results = driver[1].study().run(tmp_path, max_concurrent=1, max_failures=1, on_progress=seen.append)
    assert (results.trials.status == "completed").all()
    assert exact_rows(results.epochs) == quiet
    assert seen[-1].states == {"completed": 4, "running": 0, "waiting": 0}
    assert seen[-1].epochs == results.trials.epochs_trained.sum()


def test_when_the_owner_of_a_shared_prefix_dies_for_good_the_others_end_and_it_can_be_run_again(
    driver, quiet, tmp_path, ray_cluster
):
    with one_worker_killed("on_trial_result", training_beyond(1)):
        results = driver[1].study().run(tmp_path, save_every=0.0, max_failures=0)
    (failed,) = results.trials[results.trials.status == "failed"].itertuples()
    assert "worker process has died" in failed.reason
    assert sorted(results.trials.status) == ["completed"] * 3 + ["failed"]
    rows = exact_rows(results.epochs)
    assert rows.items() <= quiet.items()
    own = [trial for trial, _ in rows if trial == failed.trial_id]
    assert len(rows) == 3 * 20 + len(own)
    assert len(own) == (0 if pd.isna(failed.epochs) else failed.epochs)
    again = driver[1].study().resume(tmp_path, max_concurrent=1)
    assert (again.trials.status == "completed").all()
    assert exact_rows(again.epochs) == quiet
