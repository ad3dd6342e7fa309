"""``plan``: what it prints of a study, and that it writes nothing."""

import pytest

import tune_regimes as tr
from tune_regimes.cli.stages import BRANCHES, LINES, SEGMENTS, stage_rows
from tune_regimes.schedule import Phase, Ramp, Schedule
from tune_regimes.sharing.tree import StageTree

NAME = "two_regimes.transition_epoch"
SEARCHED = """
import tune_regimes as tr
from ray import tune

study = tr.Study(
    name="searched", task=tr.task("digits/mlp"), schedule=lambda config: tr.cosine(epochs=20, lr=config["lr"]),
    space={"lr": tune.loguniform(1e-3, 1.0)}, searcher="optuna", samples=7, seeds=2, points_to_evaluate=[{"lr": 0.1}],
)
"""
LARGE, SMALL = Phase(lr=0.1), Phase(lr=0.01, momentum=0.9)


def at(transition, epochs=20, small=SMALL):
    return tr.two_phase(epochs=epochs, transition_epoch=transition, large=LARGE, small=small)


def rows_of(*schedules):
    tree = StageTree()
    for number, schedule in enumerate(schedules):
        tree.insert(number, 0, schedule)
    return stage_rows(tree.roots[0])


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_plan_says_what_is_trained_how_long_it_takes_and_what_it_stores(command, tmp_path):
    status, out, err = command("plan", NAME, "--max-concurrent", "3")
    assert (status, err) == (0, "")
    for part in (
        "27 points, 3 seeds each, 81 trials planned",
        "asked for  972 epochs",
        "168 epochs on 3 workers, 324 without sharing",
        "48 stored for other trials",
        "KB a state: ",
        "quota 20 GB",
        "Stage tree, alike for each of 3 seeds",
        "10 of 81 trials; --all lists every one",
    ):
        assert part in out
    assert list(tmp_path.iterdir()) == []


def test_a_plan_as_json_adds_up(command_json):
    status, found = command_json("plan", NAME, "--seeds", "2", "--no-build", "--quota", "none", "--all")
    assert status == 0
    assert (found["points"], found["known"], found["seeds"], found["trials"]) == (27, 27, 2, 54)
    assert found["trained"] == found["distinct"] < found["asked"] == 54 * 12
    assert sum(each["epochs"] - each["inherited"] for each in found["assignments"]) == found["trained"]
    assert (found["state_bytes"], found["bytes_at_once"], found["quota"]) == (None, None, None)


def test_a_plan_lists_every_trial_where_all_are_asked_for(command):
    _, out, _ = command("plan", NAME, "--no-build", "--all")
    assert "00026-s2  epochs " in out
    assert "--all" not in out
    assert "storage    unknown" in out


def test_a_state_of_data_that_are_missing_has_an_unknown_size(command):
    status, out, _ = command("plan", NAME, "--scale", "replica", "--data", "nowhere")
    assert status == 0
    assert "storage    unknown" in out
    assert "The size of a state is not known: " in out


def test_a_search_that_suggests_as_it_goes_is_planned_as_far_as_it_is_known(command, tmp_path, monkeypatch):
    (tmp_path / "searched.py").write_text(SEARCHED)
    monkeypatch.syspath_prepend(tmp_path)
    status, out, _ = command("plan", "searched:study", "--no-build")
    assert status == 0
    assert "8 points, 1 of them known, 2 seeds each, 2 trials planned" in out
    assert "1 of 8 are known and planned. The others inherit from states that are kept every 2 epochs." in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["plan", "unknown"], "got 'unknown': choose one of them"),
        (["plan", NAME, "--quota", "1KB"], "quota must hold at least one state"),
        (["plan", NAME, "--quota", "much"], "argument --quota: must be a positive size"),
        (["plan", NAME, "--keep-every", "0"], "argument --keep-every: must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_planned_is_a_mistake(argv, message, command):
    status, out, err = command(*argv)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_quota_below_what_is_needed_at_once_is_said(command):
    status, out, _ = command("plan", NAME, "--quota", "2MB")
    assert status == 0
    assert "The quota is smaller than what is needed at once" in out


def test_the_tree_shows_stages_that_go_on_and_what_parts_from_them():
    rows = rows_of(at(4), at(8), at(20))
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("1-4", "4", "3"),
        ("  └ 5-20", "16", "1"),
        ("5-8", "4", "2"),
        ("  └ 9-20", "12", "1"),
        ("9-20", "12", "1"),
    ]
    assert rows[0][3] == "sgd, lr 0.1"
    assert rows[2][3] == "goes on"
    assert rows[1][3] == "sgd, lr 0.01, momentum 0.9, buffers reset"


def test_a_stage_that_runs_through_a_transition_says_so():
    (row,) = rows_of(at(4))
    assert row[:3] == ("1-20", "20", "1")
    assert row[3] == "sgd, lr 0.1; from 5 on sgd, lr 0.01, momentum 0.9, buffers reset"


def test_many_branches_are_counted():
    rows = rows_of(*(Schedule((Phase(lr=0.1 + i, epochs=10),)) for i in range(50)))
    assert len(rows) == BRANCHES + 1
    assert rows[-1][:3] == ("...", f"{(50 - BRANCHES) * 10}", f"{50 - BRANCHES}")
    assert rows[-1][3] == f"{50 - BRANCHES} more branches"


def test_a_long_row_of_branching_points_is_shown_from_both_ends():
    rows = rows_of(*(at(n, epochs=100) for n in range(1, 100)))
    assert sum(not row[0].startswith((" ", "...")) for row in rows) == SEGMENTS - 1
    assert rows[-1][0].startswith("99")
    elided = next(row for row in rows if row[0] == "...")
    assert "more stages that go on" in elided[3]


def test_a_tree_of_any_study_fits_a_screen_and_leaves_nothing_uncounted():
    smalls = [Phase(lr=Ramp("cosine", 0.01 * (i + 1), 0.0), momentum=m) for i in range(5) for m in (0.5, 0.9)]
    schedules = [at(n, epochs=30, small=small) for n in range(1, 30) for small in smalls]
    tree = StageTree()
    for number, schedule in enumerate(schedules):
        tree.insert(number, 0, schedule)
    rows = stage_rows(tree.roots[0])
    assert len(rows) <= LINES + 1
    assert sum(int(row[1].replace(",", "")) for row in rows) == tree.distinct
