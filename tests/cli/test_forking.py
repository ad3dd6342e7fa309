"""``fork`` and ``diff`` on the command line: what is passed on, what is printed, and mistakes."""

import pytest

from tune_regimes.errors import StudyError
from tune_regimes.results import fork_config, read_spec, write_epochs, write_spec
from tune_regimes.schedule import Phase, Ramp, Schedule, forked
from tune_regimes.search import Progress, StudyInterrupted, fork
from tune_regimes.tasks import task

from .conftest import epoch_rows, schedule_of

TAIL = "lr=1e-3,momentum=0.99,epochs=20"
DONE = Progress(trials=1, epochs=20, epochs_inherited=2, elapsed=2.0, notes=("One entry was damaged.",))


@pytest.fixture
def pretence(monkeypatch, complete):
    """Stands in for the fork: stores a trial, reports progress, ends as told, and remembers its calls."""
    write_spec(complete.storage, read_spec(complete.storage) | {"task": task("digits/mlp").to_dict()})
    calls, ending = [], {"error": None, "status": "completed"}

    def pretend(folder, trial_id, at, tail, options, *, task, on_progress):
        calls.append((trial_id, at, tail, dict(options), task.name))
        on_progress(DONE)
        if ending["error"] is not None:
            raise ending["error"]
        config = fork_config({"at": 1}, trial_id, at, "lr=0.001")
        counts = {"epochs": 4, "epochs_trained": 2, "epochs_inherited": 2, "reason": None}
        return complete.add(3, 0, 0.95, ending["status"], **counts, **{"config.fork.trial": config["fork.trial"]})

    monkeypatch.setattr(fork, "fork_trial", pretend)
    pretend.calls, pretend.ending = calls, ending
    return pretend


def test_a_fork_passes_on_what_was_given(pretence, complete, command):
    options = ["--cpus-per-trial", "2", "--quota", "none", "--no-share", "--store", "there"]
    command(
        "fork", complete.folder, "00001-s0", "--at", "2", "--tail", TAIL, "--tail", "lr=cosine:0.1:0,epochs=5", *options
    )
    ((trial, at, tail, given, task_name),) = pretence.calls
    assert (trial, at, task_name) == ("00001-s0", 2, "digits/mlp")
    assert tail == [Phase(lr=1e-3, momentum=0.99, epochs=20), Phase(lr=Ramp("cosine", 0.1, 0.0), epochs=5)]
    assert given == {"cpus_per_trial": 2.0, "quota": None, "share": False, "store": "there"}


def test_a_fork_ends_with_its_trial_beside_the_one_it_came_from(pretence, complete, command, command_json):
    status, out, err = command("fork", complete.folder, "00001-s0", "--at", "2", "--tail", TAIL)
    assert (status, err) == (0, "")
    for part in (
        "Trial 00003-s0, forked from 00001-s0",
        "2 epochs trained, 2 inherited",
        "0.9500; 00001-s0 ended at 0.9000",
        "One entry was damaged.",
        f"tune-regimes diff {complete.folder} 00001-s0 00003-s0",
    ):
        assert part in out
    status, found = command_json("fork", complete.folder, "00001-s0", "--at", "2", "--tail", TAIL)
    assert (status, found["trial"]["trial_id"], found["state"]) == (0, "00003-s0", "complete")
    assert found["notes"] == ["One entry was damaged."]


def test_an_interrupted_fork_prints_the_command_that_goes_on(pretence, complete, command):
    pretence.ending["error"] = StudyInterrupted("stopped")
    status, out, _ = command("fork", complete.folder, "00001-s0", "--at", "2", "--tail", TAIL, "--quota", "5GB")
    assert status == 130
    again = f"tune-regimes fork {complete.folder} 00001-s0 --at 2 --tail lr=0.001,momentum=0.99,epochs=20 --quota 5GB"
    assert out.splitlines()[-1].strip() == again


def test_a_fork_that_failed_makes_status_1(pretence, complete, command):
    pretence.ending["status"] = "failed"
    assert command("fork", complete.folder, "00001-s0", "--at", "2", "--tail", TAIL)[0] == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["00001-s0", "--at", "2"], "the following arguments are required: --tail"),
        (["00001-s0", "--tail", TAIL], "the following arguments are required: --at"),
        (["00001-s0", "--at", "soon", "--tail", TAIL], "argument --at: invalid int value: 'soon'"),
        (["00001-s0", "--at", "2", "--tail", "mu=0.9"], "argument --tail: a phase has only the fields lr, momentum"),
        (["00001-s0", "--at", "2", "--tail", "lr=fast"], "argument --tail: lr must be a number: received 'fast'"),
        (["00001-s0", "--at", "2", "--tail", "lr=0.1"], "a phase of a schedule must have a length"),
        (["00001-s0", "--at", "2", "--tail", "lr=0.1,epochs=0"], "epochs of a phase must be an integer of at least 1"),
        (["00001-s0", "--at", "5", "--tail", TAIL], "epochs 1..4 of its trial (00001-s0 completed); got 5"),
        (["00001-s0", "--at", "0", "--tail", TAIL], "a new start is a study of its own"),
        (["00009-s0", "--at", "2", "--tail", TAIL], "got '00009-s0'; known: 00000-s0"),
    ],
)
def test_what_cannot_be_forked_is_one_message_and_nothing_is_written(argv, message, complete, command):
    write_spec(complete.storage, read_spec(complete.storage) | {"task": task("digits/mlp").to_dict()})
    before = sorted(complete.folder.rglob("*"))
    status, out, err = command("fork", complete.folder, *argv)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(complete.folder.rglob("*")) == before


def test_a_fork_of_no_study_is_a_mistake(command, tmp_path):
    status, _, err = command("fork", tmp_path / "nothing", "00000-s0", "--at", "1", "--tail", TAIL)
    assert (status, "a study's folder must hold study.json" in err) == (2, True)


def test_a_mistake_of_the_fork_gets_its_message_alone(pretence, complete, command):
    pretence.ending["error"] = StudyError("no room")
    status, _, err = command("fork", complete.folder, "00001-s0", "--at", "2", "--tail", TAIL)
    assert (status, err) == (2, "tune-regimes: error: no room\n")


def test_diff_tells_where_two_trials_part_and_how_they_ended(complete, command, command_json):
    status, out, _ = command("diff", complete.folder, "00000-s0", "00002-s0")
    assert status == 0
    for part in (
        "Trials 00000-s0 and 00002-s0 of demo",
        "part   in epoch 2, told alike for 1 epoch before",
        "share  1 epoch by their schedules, but their values differ from epoch 1 on",
        "How they ended",
    ):
        assert part in out
    lines = {line.split("  ")[0]: line.split() for line in out.splitlines()}
    assert lines["lr"] == ["lr", "0.01", "0.9"]
    assert lines["final_test_accuracy"][-2:] == ["0.8000", "0.7000"]
    _, found = command_json("diff", complete.folder, "00000-s0", "00002-s0")
    assert (found["epochs_told_alike"], found["epochs_shared"], found["epochs_equal"]) == (1, 1, 0)
    assert found["parting"]["settings"]["lr"] == [0.01, 0.9]
    assert found["trials"][0]["config"] == {"at": 1}


def test_diff_of_two_seeds_says_that_they_share_nothing(complete, command):
    _, out, _ = command("diff", complete.folder, "00000-s0", "00000-s1")
    assert "part   nowhere: their schedules agree in the 4 epochs that are known of both" in out
    assert "share  nothing: their seeds differ (0 and 1), though their schedules agree so far" in out


def test_diff_of_a_fork_and_its_trial_names_the_epoch_of_the_fork(complete, command):
    tail = [Phase(lr=0.5, epochs=4)]
    schedule = forked(schedule_of({"at": 2}), 3, tail)
    fork_id = complete.add(3, 0, 0.9, schedule=schedule.to_json(), epochs_inherited=3, epochs_trained=1)
    write_epochs(complete.storage, fork_id, epoch_rows(0.9))
    _, out, _ = command("diff", complete.folder, "00001-s0", fork_id)
    assert "part   in epoch 4, told alike for 3 epochs before" in out
    assert "share  3 epochs\n" in out


def test_diff_says_where_a_schedule_ends_before_the_other(complete, command):
    longer = Schedule(
        (*schedule_of({"at": 1}).phases[:1], Phase(lr=0.01, momentum=0.95, epochs=9, momentum_rule="reset"))
    )
    other = complete.add(3, 0, 0.9, schedule=longer.to_json())
    _, out, _ = command("diff", complete.folder, "00000-s0", other)
    assert "part   after 4 epochs: the schedule of 00000-s0 ends there" in out


def test_diff_needs_two_trials_of_the_study(complete, command):
    status, out, err = command("diff", complete.folder, "00000-s0", "7")
    assert (status, out) == (2, "")
    assert "got '7'; known: 00000-s0" in err
