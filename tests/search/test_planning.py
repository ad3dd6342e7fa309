"""Plans of studies: what is known beforehand, what it takes, and what is said of the rest."""

import pytest
from ray import tune

import tune_regimes as tr
from tune_regimes.errors import UsageError
from tune_regimes.results import config_columns, write_spec, write_trial
from tune_regimes.storage import Storage

TASK = tr.task("digits/mlp", train_size=60, test_size=40, batch_size=20)


def schedule(config):
    small = tr.Phase(lr=config.get("lr", 0.02), momentum=0.9)
    return tr.two_phase(epochs=20, transition_epoch=config["at"], large=tr.Phase(lr=0.2), small=small)


def study(**changes):
    space = {"at": tune.grid_search([4, 8, 12])}
    arguments = {"name": "planned", "task": TASK, "schedule": schedule, "space": space, "seeds": 2}
    return tr.Study(**(arguments | changes))


def searched(**changes):
    space = {"at": tune.randint(1, 20), "lr": tune.loguniform(1e-3, 1.0)}
    return study(
        **({"space": space, "searcher": "optuna", "samples": 6, "points_to_evaluate": [{"at": 5, "lr": 0.1}]} | changes)
    )


def store(folder, made, point, config, status="completed"):
    for seed in made.seeds:
        row = {"study": made.name, "trial_id": f"{point:05d}-s{seed}", "point": point, "seed": seed, "status": status}
        write_trial(folder, {**row, **config_columns(config), "epochs": 20})


def test_a_plan_adds_up():
    found = study().plan(max_concurrent=2)
    assert (found.points, found.known, found.plan.asked) == (3, 3, 120)
    assert found.plan.trained == 2 * (4 + 16 + 4 + 12 + 4 + 8)
    assert found.notes == ()
    assert (found.kept_every, found.states_at_once) == (0, found.plan.states_at_once + 2)
    assert found.bytes_at_once == found.states_at_once * found.state_bytes
    assert found.bytes_in_all == 4 * found.state_bytes


def test_a_plan_takes_as_many_trials_at_once_as_this_machine_holds(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert study().plan(build=False).plan.workers == 8
    assert study().plan(build=False, cpus_per_trial=3).plan.workers == 2
    assert study().plan(build=False, cpus_per_trial=100).plan.workers == 1
    assert study().plan(build=False, cpus_per_trial=0).plan.workers == 8


def test_of_a_tpe_search_the_explicit_and_the_stored_points_are_planned(tmp_path):
    made = searched()
    found = made.plan(build=False, max_concurrent=1)
    assert (found.points, found.known, len(found.plan.assignments), found.kept_every) == (7, 1, 2, 2)
    folder = Storage(tmp_path / "planned")
    write_spec(folder, made.spec())
    store(folder, made, 0, {"at": 5, "lr": 0.1})
    store(folder, made, 1, {"at": 9, "lr": 0.2}, status="running")
    found = made.plan(build=False, max_concurrent=1, storage=str(tmp_path))
    assert (found.known, len(found.plan.assignments)) == (2, 4)
    assert found.notes[0] == "2 of 14 trials have ended already; the plan is of all."
    assert found.notes[1].startswith("Optuna suggests the points one after the other: 2 of 7 are known and planned.")


def test_a_tpe_search_of_which_nothing_is_known_has_an_empty_plan_and_a_size():
    found = searched(points_to_evaluate=[]).plan(max_concurrent=2)
    assert (found.known, found.plan.asked, found.plan.assignments, found.states_at_once) == (0, 0, (), 0)
    assert found.state_bytes is not None


def test_adaptive_policies_are_planned_by_their_forecast():
    made = study(schedule=lambda config: tr.Plateau(tr.Phase(lr=0.1, epochs=config["at"])))
    found = made.plan(build=False, max_concurrent=1)
    assert found.plan.trained == 2 * 12
    assert "planned by their forecast" in found.notes[0]
    assert "kept every epoch and where settings change" in found.notes[0]


def test_another_study_of_the_name_is_said(tmp_path):
    write_spec(Storage(tmp_path / "planned"), study(seeds=5).spec())
    (note,) = study().plan(build=False, storage=str(tmp_path)).notes
    assert note.startswith("A run would be refused: ")
    assert "seeds: stored [0, 1, 2, 3, 4], asked [0, 1]" in note


def test_a_quota_below_one_state_is_refused_and_one_below_what_is_needed_is_said():
    size = study().plan().state_bytes
    with pytest.raises(UsageError, match="quota must hold at least one state"):
        study().plan(quota=size - 1)
    assert "quota is smaller than what is needed at once" in study().plan(quota=size, max_concurrent=1).notes[0]
    assert study().plan(quota=100 * size, max_concurrent=1).notes == ()


def test_planning_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study().plan(storage="studies")
    assert list(tmp_path.iterdir()) == []


def test_a_size_that_is_not_known_is_no_hindrance():
    found = study(task=tr.task("cifar10/simple_cnn", data="/nowhere")).plan()
    assert (found.state_bytes, found.bytes_at_once, found.bytes_in_all) == (None, None, None)
    assert found.notes[0].startswith("The size of a state is not known: ")
