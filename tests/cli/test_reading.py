"""Reading a stored study back: status, show, best."""

import pytest

from tune_regimes.cli.reading import thinned
from tune_regimes.results import Results, config_columns, fork_config, write_epochs
from tune_regimes.schedule import Phase, Plateau

from .conftest import epoch_rows


def test_status_counts_trials_by_state_and_epochs(stored, command_json):
    stored.add(0, 0, 0.9)
    stored.add(0, 1, status="diverged", epochs=2)
    stored.add(1, 0, status="running", epochs=3)
    status, found = command_json("status", stored.folder)
    assert status == 0
    assert found["trials"] == {"completed": 1, "diverged": 1, "running": 1, "waiting": 3}
    assert (found["ended"], found["expected"], found["epochs"]) == (2, 6, 9)
    assert 0 <= found["seconds_since_write"] < 600


def test_status_counts_forks_and_inherited_epochs_apart(complete, command, command_json):
    fork = config_columns(fork_config({"at": 1}, "00000-s0", 2, "lr=0.1"))
    complete.add(3, 0, 0.95, epochs_trained=2, epochs_inherited=2, **fork)
    _, found = command_json("status", complete.folder)
    assert (found["ended"], found["expected"], found["trials"]) == (6, 6, {"completed": 6, "waiting": 0})
    assert (found["forks"], found["epochs_trained"], found["epochs_inherited"]) == ({"completed": 1}, 26, 2)
    _, out, _ = command("status", complete.folder)
    assert "forks       1 completed" in out
    assert "epochs      26 epochs trained, 2 inherited" in out


def test_show_tells_inherited_epochs_and_from_whom(stored, command):
    trial = stored.add(0, 0, 0.9, epochs_trained=1, epochs_inherited=3)
    rows = epoch_rows(0.9)
    for row in rows[:3]:
        row |= {"inherited": True, "source_trial_id": "00007-s0"}
    write_epochs(stored.storage, trial, rows)
    _, out, _ = command("show", stored.folder, trial)
    assert "1 epoch in 2 s on here (cpu); 3 inherited" in out
    assert [line.split()[-1] for line in out.splitlines()[-5:]] == ["source_trial_id", *["00007-s0"] * 3, "-"]


def test_show_of_an_adaptive_trial_shows_its_forecast(stored, command):
    trial = stored.add(0, 0, 0.9, schedule=Plateau(Phase(lr=0.3, epochs=4)).to_json())
    _, out, _ = command("show", stored.folder, trial)
    assert "patience 10; observations change these settings" in out


def test_the_best_forks_are_listed_by_themselves(complete, command, command_json):
    assert "fork" not in command("best", complete.folder)[1]
    for seed, final in ((0, 0.1), (1, 0.99), (2, None)):
        fork = config_columns(fork_config({"at": 1}, f"00000-s{seed}", 2, "lr=4.0,epochs=2"))
        complete.add(3, seed, final, "completed" if final else "diverged", **fork)
    _, out, _ = command("best", complete.folder, "-n", "1")
    lines = [line.split() for line in out.splitlines()]
    assert lines[1][:2] == ["1", "0.9050"]
    assert lines[3:5] == [
        ["fork", "test_accuracy", "of", "after", "epoch", "tail"],
        ["00003-s1", "0.9900", "00000-s1", "2", "lr=4.0,epochs=2"],
    ]
    _, points = command_json("best", complete.folder)
    assert [point["point"] for point in points] == [1, 0, 2, 3]


def test_status_of_a_study_that_has_only_begun_shows_no_best(stored, command):
    status, out, _ = command("status", stored.folder)
    assert status == 0
    assert "demo: 0 of 6 trials ended" in out
    assert "6 waiting" in out
    assert "last write  none yet" in out
    assert "est schedule" not in out


def test_status_says_why_trials_failed(stored, command):
    for seed in range(5):
        stored.add(0, seed, status="failed", epochs=0, reason="RuntimeError: no memory")
    _, out, _ = command("status", stored.folder)
    assert out.count("RuntimeError: no memory") == 3
    assert "and 2 more" in out
    assert "No best schedule" in out


def test_status_tells_the_best_so_far_from_the_best(complete, stored, command):
    assert "Best schedule of demo" in command("status", complete.folder)[1]
    stored.add(0, 0, status="running")
    assert "Best schedule so far in demo" in command("status", stored.folder)[1]


def test_show_tells_one_trial_with_its_schedule_and_history(complete, command):
    status, out, _ = command("show", complete.folder, "00001-s1")
    assert status == 0
    assert "Trial 00001-s1 of demo" in out
    assert "config       at 2" in out
    assert "epochs 3-4: sgd, lr 0.01, momentum 0.95, buffers reset" in out
    assert "4 epochs in 2 s on here (cpu)" in out
    headings, *_, last = [line.split() for line in out.splitlines()[-5:]]
    assert headings == [
        "epoch",
        "phase",
        "lr",
        "momentum",
        "train_loss",
        "train_accuracy",
        "test_loss",
        "test_accuracy",
    ]
    assert last == ["4", "1", "0.9", "0", "0.5000", "0.9000", "0.6000", "0.9100"]


def test_show_as_json_holds_the_whole_history(complete, command_json):
    _, trial = command_json("show", complete.folder, "00001-s1")
    assert trial["config"] == {"at": 2}
    assert trial["final_test_accuracy"] == pytest.approx(0.91)
    assert [row["epoch"] for row in trial["history"]] == [1, 2, 3, 4]
    assert len(trial["schedule"]["phases"]) == 2


def test_show_of_a_diverged_trial_shows_what_is_missing_as_such(stored, command, command_json):
    trial = stored.add(0, 0, status="diverged", epochs=1, reason="the loss became non-finite in epoch 1")
    row = {"epoch": 1, "phase": 1, "lr": 9.0, "momentum": 0.0, "train_loss": float("inf"), "test_loss": None}
    write_epochs(stored.storage, trial, [row])
    _, out, _ = command("show", stored.folder, trial)
    assert "diverged: the loss became non-finite in epoch 1" in out
    assert {"inf", "-"} <= set(out.splitlines()[-1].split())
    assert command_json("show", stored.folder, trial)[1]["history"][0]["train_loss"] is None


def test_show_thins_a_long_history_unless_all_is_asked_for(stored, command):
    stored.add(0, 0, 0.9, epochs=200)
    _, out, _ = command("show", stored.folder, "00000-s0")
    assert "30 of 200 epochs; --all shows every one" in out
    _, whole, _ = command("show", stored.folder, "00000-s0", "--all")
    assert len(whole.splitlines()) - len(out.splitlines()) == 200 - 30 - 1


def test_a_thinned_history_keeps_the_ends_of_every_phase():
    history = [{"epoch": i + 1, "phase": 1 + (i >= 77) + (i >= 150)} for i in range(300)]
    kept = [row["epoch"] for row in thinned(history)]
    assert {1, 77, 78, 150, 151, 300} <= set(kept)
    assert kept == sorted(set(kept))
    assert len(kept) < 40


def test_show_names_the_trials_where_there_is_none_such(complete, command):
    status, _, err = command("show", complete.folder, "7")
    assert status == 2
    assert "got '7'; known: 00000-s0" in err


def test_best_lists_points_with_interval_and_n_in_the_order_of_the_results(complete, command, command_json):
    status, out, _ = command("best", complete.folder, "-n", "2")
    assert status == 0
    assert out.splitlines()[0].split() == ["point", "test_accuracy", "95", "%", "interval", "n", "trials", "at"]
    assert out.splitlines()[1].split()[:2] == ["1", "0.9050"]
    assert "Best schedule of demo" in out
    _, points = command_json("best", complete.folder)
    assert [point["point"] for point in points] == [1, 0, 2]
    assert points[0]["point"] == Results.load(complete.folder).best().point
    assert points[0]["config"] == {"at": 2}
    assert points[0]["schedule"]["phases"][0]["lr"] == 0.9


def test_best_of_a_study_whose_trials_all_diverged_is_a_mistake_with_the_reason(stored, command):
    stored.add(0, 0, status="diverged", epochs=1)
    status, out, err = command("best", stored.folder)
    assert (status, out) == (2, "")
    assert "needs a trial that completed or was pruned" in err


def test_one_seed_has_no_interval(stored, command, command_json):
    stored.add(0, 0, 0.9)
    assert "n = 1: no interval" in command("best", stored.folder)[1]
    assert command_json("best", stored.folder)[1][0]["low"] is None


@pytest.mark.parametrize("name", ["status", "best", "report"])
def test_a_folder_that_holds_no_study_is_a_mistake_and_is_left_alone(name, tmp_path, command):
    status, out, err = command(name, tmp_path / "nothing")
    assert (status, out) == (2, "")
    assert err.startswith("tune-regimes: error: a study's folder must hold study.json")
    assert not (tmp_path / "nothing").exists()
