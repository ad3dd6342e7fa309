"""Processes that are really killed: nothing is lost or doubled, and every value is that of a quiet run."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

from tune_regimes.results import read_epochs, read_trials
from tune_regimes.storage import Storage

pytestmark = [pytest.mark.kills, pytest.mark.slow]

DRIVER = """
import sys
import tune_regimes as tr
from ray import tune

EPOCHS = 40

def schedule(config):
    large, small = tr.Phase(lr=0.1), tr.Phase(lr=tr.Ramp("cosine", 0.05, 0.0), momentum=0.9, momentum_rule="keep")
    return tr.two_phase(epochs=EPOCHS, transition_epoch=config["at"], large=large, small=small, weight_decay=1e-4)

def study():
    options = {"train_size": 200, "test_size": 100, "batch_size": 25, "width": 0.5, "dropout": 0.2, "augment": True}
    task = tr.task("digits/simple_cnn", **options)
    return tr.Study(name="killed", task=task, schedule=schedule, space={"at": tune.grid_search([10, 30])}, seeds=2)

if __name__ == "__main__":
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


def epochs_stored(storage):
    """How many rows there are, from the ends of the files alone: whoever waits leaves the processor to the study."""
    return sum(parquet.read_metadata(path).num_rows for path in Path(storage.path("epochs")).glob("*.parquet"))


def test_a_study_whose_driver_is_killed_resumes_to_the_rows_of_a_quiet_run(driver, quiet, tmp_path, ray_cluster):
    path, module = driver
    storage = Storage(tmp_path).child("killed")
    process = subprocess.Popen([sys.executable, path, tmp_path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: epochs_stored(storage) >= 60, "half of the epochs to be stored")
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(alive(pid) for pid in workers), "the orphaned workers to end")
    stored = epochs_stored(storage)
    assert 60 <= stored < 160
    assert "running" in set(read_trials(storage).status)
    assert exact_rows(read_epochs(storage)).items() <= quiet.items()

    results = module.study().resume(tmp_path, max_concurrent=1)
    assert (results.trials.status == "completed").all()
    assert exact_rows(results.epochs) == quiet
    assert sorted(results.epochs.groupby("trial_id").size()) == [40] * 4


@contextmanager
def meanwhile(act):
    """Calls a function every few milliseconds beside the block, until it returns True or the block ends."""
    over = threading.Event()

    def loop():
        while not act() and not over.wait(0.02):
            pass

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def one_worker_killed(folder, epochs):
    """Kills one worker of this process once a study has stored so many epochs; gives the killed process ids."""
    killed, storage = [], Storage(folder).child("killed")

    def kill_one():
        if epochs_stored(storage) >= epochs:
            for pid in workers_of(os.getpid())[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        return bool(killed)

    with meanwhile(kill_one):
        yield killed


def test_a_trial_whose_worker_is_killed_goes_on_from_its_last_state(driver, quiet, tmp_path, ray_cluster):
    with one_worker_killed(tmp_path, epochs=40) as killed:
        results = driver[1].study().run(tmp_path, save_every=0.0)
    assert killed, "the study ended before a worker could be killed"
    assert (results.trials.status == "completed").all()
    assert exact_rows(results.epochs) == quiet


def test_when_the_owner_of_a_shared_prefix_dies_for_good_the_others_end_and_it_can_be_run_again(
    driver, quiet, tmp_path, ray_cluster
):
    with one_worker_killed(tmp_path, epochs=2):
        results = driver[1].study().run(tmp_path, save_every=0.0, max_failures=0)
    (failed,) = results.trials[results.trials.status == "failed"].itertuples()
    assert failed.reason
    assert sorted(results.trials.status) == ["completed"] * 3 + ["failed"]
    rows = exact_rows(results.epochs)
    assert rows.items() <= quiet.items()
    own = [trial for trial, _ in rows if trial == failed.trial_id]
    assert len(rows) == 3 * 40 + len(own)
    assert len(own) == (0 if pd.isna(failed.epochs) else failed.epochs)
    again = driver[1].study().resume(tmp_path, max_concurrent=1)
    assert (again.trials.status == "completed").all()
    assert exact_rows(again.epochs) == quiet
