"""``run`` and ``resume`` with a search that pretends: what is passed on, what is printed, how it ends."""

import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tune_regimes.errors import StorageError
from tune_regimes.results import config_columns, fork_config, read_spec, write_spec
from tune_regimes.search import Progress, Study, StudyInterrupted
from tune_regimes.storage import Storage

NAME = "two_regimes.lr_momentum"
STARTED = Progress(trials=6, states={"running": 2, "waiting": 4}, epochs=3, epochs_left=21, elapsed=2.0)


class Pretence:
    """Stands in for `Study.run`: stores trials, reports progress, ends as told, and remembers its calls."""

    def __init__(self, stored_type):
        self._stored_type = stored_type
        self.calls = []
        self.trials = [(point, seed, "completed") for point in range(3) for seed in (0, 1)]
        self.forks, self.error, self.progress = [], None, STARTED

    def __call__(self, study, storage, *, on_progress=None, **options):
        self.calls.append({"study": study, "storage": storage, **options})
        on_progress(self.progress)
        if self.trials is not None:
            self._store(study, Path(storage) / study.name)
        if self.error is not None:
            raise self.error

    def _store(self, study, folder):
        stored = self._stored_type(folder)
        for point, seed, status in self.trials:
            reason = {"reason": "RuntimeError: no memory"} if status == "failed" else {}
            stored.add(point, seed, 0.8 + point / 100 if status == "completed" else None, status, **reason)
        for point, seed, status in self.forks:
            stored.add(point, seed, 0.9, status, **config_columns(fork_config({"at": 1}, "00000-s0", 2, "lr=0.1")))
        write_spec(stored.storage, study.spec() | {"trials": 6})


@pytest.fixture
def pretence(monkeypatch, tmp_path, stored):
    made = Pretence(type(stored))
    monkeypatch.setattr(Study, "run", lambda study, storage, **options: made(study, storage, **options))
    monkeypatch.setattr(Study, "trials", 6)
    monkeypatch.chdir(tmp_path)
    return made


def test_a_run_passes_on_what_was_given_and_nothing_else(pretence, command):
    command("run", NAME)
    command(
        "run", NAME, "--storage", "elsewhere", "--cpus-per-trial", "2", "--time-budget", "2h", "--max-concurrent", "3"
    )
    command("run", NAME, "--gpus-per-trial", "0.5", "--address", "auto", "--save-every", "2m")
    command("run", NAME, "--no-share", "--store", "there", "--quota", "2GB", "--keep-every", "5")
    command("run", NAME, "--quota", "none")
    for call in pretence.calls:
        assert call.pop("study").name.startswith(NAME)
    assert pretence.calls == [
        {"storage": "studies"},
        {"storage": "elsewhere", "cpus_per_trial": 2.0, "time_budget": 7200.0, "max_concurrent": 3},
        {"storage": "studies", "gpus_per_trial": 0.5, "address": "auto", "save_every": 120.0},
        {"storage": "studies", "share": False, "store": "there", "quota": 2 * 10**9, "keep_every": 5},
        {"storage": "studies", "quota": None},
    ]


def test_the_place_of_the_data_is_made_absolute(pretence, command, tmp_path):
    command("run", NAME, "--scale", "replica", "--data", "images")
    assert pretence.calls[0]["study"].task.options["data"] == os.fspath(tmp_path / "images")


def test_a_run_ends_with_the_best_schedule_the_tables_and_the_next_command(pretence, command):
    status, out, err = command("run", NAME, "--name", "mine")
    assert (status, err) == (0, "")
    for part in (
        "mine, 6 trials into studies/mine: starting",
        "Best schedule of mine",
        "test_accuracy  0.8200, 95 % interval 0.8200 to 0.8200, n = 2",
        "epochs 1-3: sgd, lr 0.9",
        "Complete",
        "6 completed",
        "trials  studies/mine/trials",
        "epochs  studies/mine/epochs",
        "Figures and verdicts\n  tune-regimes report studies/mine",
    ):
        assert part in out


def test_a_run_as_json_prints_one_document_and_its_progress_beside_it(pretence, command):
    status, out, err = command("run", NAME, "--json", "--name", "mine")
    found = json.loads(out)
    assert (status, found["state"], found["path"]) == (0, "complete", "studies/mine")
    assert found["trials"] == {"completed": 6, "waiting": 0}
    assert found["best"]["point"] == 2
    assert found["best"]["schedule"]["phases"]
    assert found["tables"]["epochs"] == "studies/mine/epochs"
    assert found["next"] == ["tune-regimes", "report", "studies/mine"]
    assert "0 of 6 trials ended" in err


def test_a_quiet_run_shows_no_progress(pretence, command):
    _, out, _ = command("run", NAME, "--quiet")
    assert "starting" not in out
    assert out.startswith("Best schedule")


def test_an_interrupted_run_prints_the_command_that_resumes_with_its_options(pretence, command):
    pretence.trials = [(0, 0, "completed"), (0, 1, "running")]
    pretence.error = StudyInterrupted("stopped")
    options = ["--cpus-per-trial", "2", "--storage", "my studies", "--time-budget", "2h"]
    status, out, _ = command("run", NAME, "--name", "mine", *options)
    assert status == 130
    assert "Interrupted; what is stored can be resumed" in out
    assert "1 completed, 1 unfinished, 4 waiting" in out
    assert "Best schedule so far in mine" in out
    assert out.endswith("Go on with\n  tune-regimes resume 'my studies/mine' --cpus-per-trial 2.0\n")


def test_how_states_are_shared_is_part_of_the_command_that_resumes(pretence, command):
    pretence.trials, pretence.error = [(0, 0, "running")], StudyInterrupted("stopped")
    options = ["--no-share", "--store", "s3://b/store", "--quota", "1.5GB", "--keep-every", "5"]
    _, out, _ = command("run", NAME, "--name", "mine", *options)
    given = "--no-share --store s3://b/store --quota 1500MB --keep-every 5"
    assert out.endswith(f"  tune-regimes resume studies/mine {given}\n")
    _, out, _ = command("run", NAME, "--name", "mine", "--quota", "none")
    assert out.endswith("  tune-regimes resume studies/mine --quota none\n")


def test_what_went_wrong_with_the_store_and_what_was_inherited_is_told_once_at_the_end(pretence, command):
    pretence.progress = replace(STARTED, epochs=1234, epochs_inherited=800, notes=("Two entries were damaged.",))
    _, out, _ = command("run", NAME, "--name", "mine")
    assert out.count("Two entries were damaged.") == 1
    assert "took    2 s; 1,234 epochs trained, 800 inherited" in out
    _, out, _ = command("run", NAME, "--name", "mine", "--json")
    found = json.loads(out)
    assert found["notes"] == ["Two entries were damaged."]
    assert (found["epochs_trained"], found["epochs_inherited"]) == (1234, 800)


def test_forks_are_no_trials_of_a_run(pretence, command_json, stored):
    pretence.forks = [(3, 0, "running")]
    _, found = command_json("run", NAME, "--name", "mine")
    assert (found["state"], found["trials"]) == ("complete", {"completed": 6, "waiting": 0})


@pytest.mark.parametrize("error", [StudyInterrupted("stopped"), KeyboardInterrupt()])
def test_a_run_interrupted_before_anything_was_stored_says_so(error, pretence, command, command_json):
    pretence.trials, pretence.error = None, error
    status, out, _ = command("run", NAME)
    assert (status, out.splitlines()[-1]) == (130, "Interrupted before anything was stored")
    status, found = command_json("run", NAME)
    assert (status, found["state"], found["next"], found["best"]) == (130, "interrupted", [], None)


def test_a_spent_time_budget_is_no_failure_and_prints_how_to_go_on(pretence, command):
    pretence.trials = [(0, 0, "completed"), (0, 1, "running")]
    status, out, _ = command("run", NAME, "--name", "mine", "--time-budget", "90")
    assert status == 0
    assert "The time budget is used up; what is stored can be resumed" in out
    assert out.endswith("  tune-regimes resume studies/mine\n")


def test_a_trial_that_failed_makes_status_1_and_its_reason_is_printed(pretence, command):
    pretence.trials[0] = (0, 0, "failed")
    status, out, _ = command("run", NAME, "--name", "mine")
    assert status == 1
    assert "5 completed, 1 failed" in out
    assert "failed  00000-s0: RuntimeError: no memory" in out
    assert out.endswith("  tune-regimes resume studies/mine\n")


def test_a_study_whose_trials_all_diverged_is_complete_without_a_best(pretence, command):
    pretence.trials = [(point, seed, "diverged") for point, seed, _ in pretence.trials]
    status, out, _ = command("run", NAME)
    assert status == 0
    assert "No best schedule" in out
    assert "6 diverged" in out


def test_a_mistake_during_the_run_gets_its_message_alone(pretence, command):
    pretence.error = StorageError("could not write to /full: no space; free some")
    status, _, err = command("run", NAME)
    assert (status, err) == (2, "tune-regimes: error: could not write to /full: no space; free some\n")


def test_resume_builds_the_study_again_and_goes_on_in_its_storage(pretence, command):
    command("run", NAME, "--samples", "2", "--name", "mine", "--storage", "there")
    status, out, _ = command("resume", "there/mine", "--max-concurrent", "1")
    first, second = pretence.calls
    assert status == 0
    assert "Complete" in out
    assert (second["storage"], second["max_concurrent"]) == ("there", 1)
    assert second["study"].spec() == first["study"].spec()


def test_resume_of_a_study_from_a_script_names_the_remedy_and_writes_nothing(complete, command):
    before = sorted(path for path in complete.folder.rglob("*"))
    status, _, err = command("resume", complete.folder)
    assert status == 2
    assert "run the script again" in err
    assert sorted(path for path in complete.folder.rglob("*")) == before


def test_resume_of_a_renamed_folder_is_refused(pretence, command, tmp_path):
    command("run", NAME, "--name", "mine")
    (tmp_path / "studies" / "mine").rename(tmp_path / "studies" / "yours")
    status, _, err = command("resume", "studies/yours")
    assert status == 2
    assert "keep the study's name, 'mine'" in err
    assert read_spec(Storage(tmp_path / "studies" / "yours"))["name"] == "mine"


def test_a_run_in_a_terminal_draws_and_then_sums_up(pretence, monkeypatch):
    from tune_regimes.cli.main import main

    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert main(["run", NAME, "--name", "mine"]) == 0
    assert "2 running" in terminal.getvalue()
    assert "\x1b[1mBest schedule of mine" in terminal.getvalue()
