"""The search that Optuna steers: what it is told, what its journal holds, and how a later run goes on from it."""

import errno
import json
import tempfile

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from ray import tune

import tune_regimes as tr
from tune_regimes.errors import ScheduleError, StorageError, StudyError
from tune_regimes.results import Storage, write_epochs, write_trial
from tune_regimes.search import journal
from tune_regimes.search.job import trial_id
from tune_regimes.search.optuna_points import OptunaPoints
from tune_regimes.search.points import Outcome
from tune_regimes.search.trial import WORST

SPACE = {"x": tune.uniform(-1.0, 1.0), "n": tune.randint(0, 5), "fixed": "a"}
INSIDE, OUTSIDE = {"x": 0.5, "n": 1, "fixed": "a"}, {"x": 5.0, "n": 1, "fixed": "a"}
METRIC = "test_accuracy"


def schedule(config):
    return tr.two_phase(epochs=4, transition_epoch=2, large=tr.Phase(lr=0.1), small=tr.Phase(lr=0.01, momentum=0.9))


def points(folder=None, known=(), **changes):
    arguments = {"space": SPACE, "samples": 6, "first": [], "known": dict(known)}
    arguments |= {"name": "s", "objectives": {METRIC: "max"}, "seeds": [0, 1], "schedule": schedule, "seed": 1}
    arguments |= {"folder": folder if folder is None or isinstance(folder, Storage) else Storage(folder)}
    return OptunaPoints(**(arguments | changes))


def loaded(folder, name="s"):
    return optuna.load_study(
        study_name=name, storage=JournalStorage(JournalFileBackend(str(folder / "optuna.journal")))
    )


def completed(value, epochs=4):
    return {seed: Outcome(value, "completed", epochs) for seed in (0, 1)}


def ended(found, point, outcomes):
    config = found.config(point)
    found.tell(point, outcomes)
    return config


def store(folder, point, config, values, status="completed"):
    """The rows that the trials of a point leave in the tables: ``values`` by seed, one per epoch."""
    for seed, curve in values.items():
        name = trial_id(point, seed)
        row = {"study": "s", "trial_id": name, "point": point, "seed": seed, "config": json.dumps(config)}
        write_trial(Storage(folder), row | {"status": status, "epochs": len(curve), f"final_{METRIC}": curve[-1]})
        write_epochs(Storage(folder), name, [{"epoch": e + 1, METRIC: v} for e, v in enumerate(curve)])


def trials(folder, **attributes):
    """The trials of the journal whose user attributes are these."""
    return [t for t in loaded(folder).trials if all(t.user_attrs.get(k) == v for k, v in attributes.items())]


# What Optuna is told


def test_a_point_is_one_trial_with_the_mean_of_its_seeds(tmp_path):
    search = points(tmp_path)
    config = search.config(0)
    search.tell(0, {0: Outcome(0.4, "completed", 4), 1: Outcome(0.8, "completed", 4)})
    search.close()
    (trial,) = loaded(tmp_path).trials
    assert trial.state == TrialState.COMPLETE
    assert trial.value == pytest.approx(0.6)
    assert {**trial.params, "fixed": "a"} == config
    assert trial.user_attrs == {
        "point": 0,
        "trials": ["00000-s0", "00000-s1"],
        "schedule": "2 epochs lr 0.1; 2 epochs lr 0.01, momentum 0.9",
        "outcome": "completed",
        "epochs": 4.0,
    }


def test_values_on_the_way_are_means_reported_once_all_seeds_are_through(tmp_path):
    search = points(tmp_path)
    search.config(0)
    for epoch, value in [(1, 0.1), (2, 0.2), (3, 0.3)]:
        search.observe(0, 0, epoch, value)
    assert loaded(tmp_path).trials[0].intermediate_values == {}
    search.observe(0, 1, 1, 0.3)
    search.observe(0, 1, 2, 0.4)
    assert loaded(tmp_path).trials[0].intermediate_values == {1: pytest.approx(0.2), 2: pytest.approx(0.3)}
    search.tell(0, completed(0.5))
    assert loaded(tmp_path).trials[0].intermediate_values[3] == pytest.approx(0.3)


def test_an_epoch_that_one_seed_passed_without_a_report_has_no_mean(tmp_path):
    search = points(tmp_path)
    search.config(0)
    for seed, epoch, value in [(0, 1, 0.1), (0, 3, 0.3), (1, 2, 0.2), (1, 3, 0.5)]:
        search.observe(0, seed, epoch, value)
    search.tell(0, completed(0.4))
    assert loaded(tmp_path).trials[0].intermediate_values == {3: pytest.approx(0.4)}


def test_a_pruned_point_is_pruned_with_its_last_intermediate_value(tmp_path):
    search = points(tmp_path)
    search.config(0)
    for seed, epoch, value in [(0, 1, 0.1), (1, 1, 0.3), (1, 2, 0.5)]:
        search.observe(0, seed, epoch, value)
    search.tell(0, {0: Outcome(0.1, "pruned", 1), 1: Outcome(0.5, "pruned", 2)})
    (trial,) = loaded(tmp_path).trials
    assert trial.state == TrialState.PRUNED
    assert trial.intermediate_values == {1: pytest.approx(0.2), 2: 0.5}
    assert trial.value == 0.5
    assert (trial.user_attrs["outcome"], trial.user_attrs["epochs"]) == ("pruned", 1.5)


@pytest.mark.parametrize(
    ("worst", "outcome"),
    [
        (Outcome(None, "diverged", 1), "diverged"),
        (Outcome(None, "failed", 0), "failed"),
        (Outcome(-WORST, "completed", 4), "diverged"),
        (Outcome(float("nan"), "completed", 4), "diverged"),
    ],
)
def test_a_point_with_a_seed_without_a_value_has_failed(tmp_path, worst, outcome):
    search = points(tmp_path)
    ended(search, 0, {0: Outcome(0.9, "completed", 4), 1: worst})
    (trial,) = loaded(tmp_path).trials
    assert (trial.state, trial.value) == (TrialState.FAIL, None)
    assert trial.user_attrs["outcome"] == outcome


def test_a_diverged_point_may_count_as_a_stated_value_but_a_crashed_one_never(tmp_path):
    search = points(tmp_path, diverged=0.1)
    ended(search, 0, {0: Outcome(0.9, "completed", 4), 1: Outcome(None, "diverged", 1)})
    ended(search, 1, {0: Outcome(0.9, "completed", 4), 1: Outcome(None, "failed", 0)})
    found = loaded(tmp_path).trials
    assert [(trial.state, trial.value) for trial in found] == [(TrialState.COMPLETE, 0.1), (TrialState.FAIL, None)]


def test_a_value_that_stands_for_divergence_is_no_intermediate_value(tmp_path):
    search = points(tmp_path, seeds=[0])
    search.config(0)
    for epoch, value in [(1, 0.1), (2, -WORST), (3, float("nan"))]:
        search.observe(0, 0, epoch, value)
    search.tell(0, {0: Outcome(None, "diverged", 3)})
    assert loaded(tmp_path).trials[0].intermediate_values == {1: 0.1}


def test_tpe_moves_towards_the_better_half():
    search = points(samples=50)
    found = []
    for point in range(search.total):
        found.append(search.config(point)["x"])
        search.tell(point, completed(found[-1]))
    assert sum(found[-20:]) / 20 > 0.3  # 0 +- 0.13 without learning


# Explicit points


def test_explicit_points_come_first_and_enter_the_journal_wherever_they_lie(tmp_path):
    search = points(tmp_path, first=[OUTSIDE, INSIDE])
    assert search.total == 8
    search.observe(0, 0, 1, 0.7)
    assert [ended(search, point, completed(value)) for point, value in ((0, 0.9), (1, 0.3))] == [OUTSIDE, INSIDE]
    search.close()
    outside, inside = loaded(tmp_path).trials
    assert (outside.params, outside.value, outside.user_attrs["config"]) == ({}, 0.9, OUTSIDE)
    assert (inside.params, inside.value) == ({"x": 0.5, "n": 1}, 0.3)
    assert [trial.user_attrs["point"] for trial in (outside, inside)] == [0, 1]


def test_an_outside_point_does_not_keep_tpe_from_learning_jointly(tmp_path):
    search = points(tmp_path, samples=14, first=[OUTSIDE])
    for point in range(search.total):
        ended(search, point, completed(0.1 * point))
    last = loaded(tmp_path).trials[-1]
    assert any("relative" in name for name in last.system_attrs)


# Later runs


def test_a_resumed_search_goes_on_as_if_it_had_not_been_interrupted(tmp_path):
    whole = points(tmp_path / "whole", samples=16)
    configs = [ended(whole, point, completed(0.1 * point)) for point in range(16)]
    for until in (4, 13, 16):
        parts = points(tmp_path / "parts", samples=16)
        found = [ended(parts, point, completed(0.1 * point)) for point in range(until)]
        if until < 16:
            parts.config(until)
        parts.close()
        assert found == configs[:until]
    assert len({config["x"] for config in configs}) == 16
    assert len(trials(tmp_path / "parts", outcome="completed")) == 16
    assert len(trials(tmp_path / "parts", outcome="interrupted")) == 2


def test_no_trial_is_running_after_an_interrupted_run_and_its_points_are_entered_again(tmp_path):
    first = points(tmp_path)
    ended(first, 0, completed(0.5))
    open_config = first.config(1)
    first.observe(1, 0, 1, 0.2)
    first.close()
    assert [trial.state for trial in loaded(tmp_path).trials] == [TrialState.COMPLETE, TrialState.FAIL]
    again = points(tmp_path)
    again.config(0)
    assert ended(again, 1, completed(0.6)) == open_config
    again.close()
    assert [t.value for t in trials(tmp_path, point=1)] == [None, 0.6]
    assert len(trials(tmp_path, point=0)) == 1


def test_a_trial_that_a_killed_run_left_running_is_ended_by_the_next(tmp_path):
    config = points(tmp_path).config(0)
    assert loaded(tmp_path).trials[0].state == TrialState.RUNNING
    again = points(tmp_path)
    assert loaded(tmp_path).trials[0].state == TrialState.FAIL
    assert again.config(0) == config


def test_a_trial_left_waiting_by_a_killed_run_is_not_taken_for_another_point(tmp_path):
    killed = points(tmp_path)
    killed.config(0)
    killed._study.enqueue_trial({"x": 0.25, "n": 2}, user_attrs={"point": 0})
    search = points(tmp_path)
    assert search.config(0)["x"] != 0.25
    assert search.config(1)["x"] != 0.25
    search.tell(0, completed(0.5))
    search.tell(1, completed(0.5))
    search.close()
    assert {trial.state for trial in loaded(tmp_path).trials} == {TrialState.COMPLETE, TrialState.FAIL}
    assert [trial.value for trial in trials(tmp_path, point=1)] == [0.5]


def test_a_point_that_is_asked_for_again_while_it_is_open_is_the_same_trial(tmp_path):
    search = points(tmp_path)
    assert search.config(0) == search.config(0)
    assert len(loaded(tmp_path).trials) == 1


def test_a_crashed_point_is_tried_again_and_a_diverged_one_is_not(tmp_path):
    first = points(tmp_path)
    ended(first, 0, {0: Outcome(None, "failed", 0), 1: Outcome(0.5, "completed", 4)})
    ended(first, 1, {0: Outcome(None, "diverged", 1), 1: Outcome(0.5, "completed", 4)})
    first.close()
    again = points(tmp_path)
    for point in (0, 1):
        ended(again, point, completed(0.6))
    again.close()
    assert [trial.value for trial in trials(tmp_path, point=0)] == [None, 0.6]
    assert [trial.state for trial in trials(tmp_path, point=1)] == [TrialState.FAIL]


def test_a_point_that_is_tried_again_has_the_curve_of_the_seeds_that_had_ended(tmp_path):
    first = points(tmp_path)
    config = first.config(0)
    first.close()
    store(tmp_path, 0, config, {0: [0.1, 0.3]})
    again = points(tmp_path, {0: config})
    again.config(0)
    again.observe(0, 1, 1, 0.5)
    again.observe(0, 1, 2, 0.5)
    assert loaded(tmp_path).trials[-1].intermediate_values == {1: pytest.approx(0.3), 2: pytest.approx(0.4)}


def test_a_missing_journal_is_rebuilt_from_the_tables(tmp_path):
    first = points(tmp_path, first=[OUTSIDE])
    configs = {point: first.config(point) for point in range(5)}
    first.close()
    curves = {0: [0.1, 0.3], 1: [0.3, 0.5]}
    for point, status in ((0, "completed"), (1, "completed"), (2, "pruned"), (3, "diverged"), (4, "running")):
        store(tmp_path, point, configs[point], curves, status)
    (tmp_path / "optuna.journal").unlink()
    again = points(tmp_path, configs, first=[OUTSIDE])
    states = [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    found = loaded(tmp_path).trials
    assert [trial.state for trial in found] == states
    assert [trial.value for trial in found] == [pytest.approx(0.4)] * 3 + [None]
    assert all(trial.intermediate_values == {1: pytest.approx(0.2), 2: pytest.approx(0.4)} for trial in found)
    assert [found[point].params["x"] for point in (1, 2, 3)] == [configs[point]["x"] for point in (1, 2, 3)]
    assert [again.config(point) for point in range(5)] == list(configs.values())
    assert len(loaded(tmp_path).trials) == 5


def test_configs_that_an_earlier_run_began_keep_their_types(tmp_path):
    space = {"shape": tune.choice([(1, 2), (3,)]), "n": tune.randint(0, 5)}
    search = points(tmp_path, {0: {"shape": [3], "n": 4.0}}, space=space)
    config = search.config(0)
    assert config == {"shape": (3,), "n": 4}
    assert isinstance(config["n"], int)


# Journals that cannot be used


def test_half_a_line_that_a_killed_writer_left_is_no_damage(tmp_path):
    first = points(tmp_path)
    ended(first, 0, completed(0.5))
    first.close()
    with (tmp_path / "optuna.journal").open("ab") as file:
        file.write(b'{"op_code":4,"wor')
    again = points(tmp_path)
    ended(again, 1, completed(0.6))
    again.close()
    assert [trial.value for trial in loaded(tmp_path).trials] == [0.5, 0.6]


def test_a_damaged_journal_is_refused_with_the_remedy(tmp_path):
    first = points(tmp_path)
    ended(first, 0, completed(0.5))
    first.close()
    path = tmp_path / "optuna.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    for damage in ([lines[0], b"\x00\x00rubbish\n", *lines[1:]], [b"{}\n"], lines[3:]):
        path.write_bytes(b"".join(damage))
        with pytest.raises(StudyError, match=r"optuna\.journal must be .* delete it and resume the study"):
            points(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "other"}, "it holds s, to maximize"),
        ({"objectives": {METRIC: "min"}}, "it holds s, to maximize"),
        ({"space": {**SPACE, "x": tune.uniform(-1.0, 2.0)}}, "trial 0 is of another space"),
        ({"space": {**SPACE, "y": tune.uniform(-1.0, 2.0)}}, "trial 0 is of another space"),
        ({"space": {"n": SPACE["n"]}}, "trial 0 is of another space"),
        ({"known": {0: {"x": 0.0, "n": 0, "fixed": "a"}}}, "trial 0 has point 0 as .*, the results as .*'x': 0.0"),
    ],
)
def test_a_journal_of_another_study_is_refused(tmp_path, changes, message):
    first = points(tmp_path)
    ended(first, 0, completed(0.5))
    first.close()
    with pytest.raises(StudyError, match=f"must be of this study; .*{message}"):
        points(tmp_path, **changes)


def test_a_full_disk_is_a_mistake_with_a_remedy_and_nothing_is_appended_after_it(tmp_path, monkeypatch):
    search = points(tmp_path)
    search.config(0)
    kept = (tmp_path / "optuna.journal").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(JournalFileBackend, "append_logs", full)
        with pytest.raises(StorageError, match="No space left on device; mend this"):
            search.tell(0, completed(0.5))
    for call in (lambda: search.config(1), search.close):
        with pytest.raises(StorageError, match="No space left"):
            call()
    assert (tmp_path / "optuna.journal").read_bytes() == kept


def test_a_schedule_that_is_not_valid_leaves_no_trial_running(tmp_path):
    def refusing(config):
        raise ScheduleError("no")

    search = points(tmp_path, schedule=refusing)
    with pytest.raises(ScheduleError):
        search.config(0)
    search.close()
    assert [trial.state for trial in loaded(tmp_path).trials] == [TrialState.FAIL]


# Folders that are not local


def test_a_remote_folder_gets_copies_of_the_journal_from_which_a_resume_goes_on(tmp_path, monkeypatch):
    folder = Storage("mock:///studies/s")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = points(folder)
    config = ended(first, 0, completed(0.5))
    assert not folder.exists("optuna.journal")
    monkeypatch.setattr(journal, "PUBLISH_EVERY", 0.0)
    open_config = first.config(1)
    assert folder.read("optuna.journal").count(b"point") == 2
    first.close()
    assert list(tmp_path.iterdir()) == []
    again = points(folder)
    assert [again.config(0), ended(again, 1, completed(0.6))] == [config, open_config]
    again.close()
    (tmp_path / "optuna.journal").write_bytes(folder.read("optuna.journal"))
    assert [trial.value for trial in loaded(tmp_path).trials] == [0.5, None, 0.6]


def test_a_remote_folder_that_fails_for_a_while_does_not_end_the_search(tmp_path, monkeypatch):
    folder = Storage("mock:///studies/s")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(journal, "PUBLISH_EVERY", 0.0)

    def failing(self, relative, data):
        raise StorageError("the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "write", failing)
        search = points(folder)
        ended(search, 0, completed(0.5))
    search.config(1)
    assert b"point" in folder.read("optuna.journal")
    monkeypatch.setattr(Storage, "write", failing)
    with pytest.raises(StorageError, match="connection was lost"):
        search.close()
    assert list(tmp_path.iterdir()) == []


# The metric against the epochs

BOTH = {METRIC: "max", "epochs": "min"}


def test_with_two_objectives_the_epochs_gone_through_are_the_second(tmp_path):
    search = points(tmp_path, objectives=BOTH)
    for seed in (0, 1):
        search.config(0) if seed == 0 else None
        search.observe(0, seed, 1, 0.2)
    search.tell(0, {0: Outcome(0.4, "completed", 4), 1: Outcome(0.8, "completed", 6)})
    for point, (value, epochs) in enumerate([(0.7, 9), (0.5, 9), (0.1, 2)], start=1):
        ended(search, point, completed(value, epochs))
    ended(search, 4, {0: Outcome(0.9, "pruned", 1), 1: Outcome(0.9, "completed", 4)})
    ended(search, 5, {0: Outcome(None, "diverged", 1), 1: Outcome(0.9, "completed", 4)})
    search.close()
    study = loaded(tmp_path)
    assert study.metric_names == [METRIC, "epochs"]
    assert study.trials[0].values == [pytest.approx(0.6), 5.0]
    assert study.trials[0].user_attrs["curve"] == {"1": pytest.approx(0.2)}
    assert [trial.state for trial in study.trials[4:]] == [TrialState.PRUNED, TrialState.FAIL]
    assert [trial.user_attrs["point"] for trial in study.best_trials] == [0, 1, 3]


def test_with_two_objectives_the_search_goes_on_from_the_journal_and_from_the_tables(tmp_path):
    first = points(tmp_path, objectives=BOTH, samples=14)
    configs = {point: ended(first, point, completed(0.1 * point, point + 1)) for point in range(12)}
    first.config(12)
    first.close()
    again = points(tmp_path, objectives=BOTH, samples=14)
    assert [again.config(point) for point in range(12)] == list(configs.values())
    again.close()
    (tmp_path / "optuna.journal").unlink()
    store(tmp_path, 0, configs[0], {0: [0.1, 0.3], 1: [0.3, 0.5]})
    store(tmp_path, 1, configs[1], {0: [0.1], 1: [0.3]}, "pruned")
    points(tmp_path, configs, objectives=BOTH).close()
    rebuilt = loaded(tmp_path).trials
    assert [trial.values for trial in rebuilt] == [[pytest.approx(0.4), 2.0], None]
    assert rebuilt[0].user_attrs["curve"] == {"1": pytest.approx(0.2), "2": pytest.approx(0.4)}


# What others read


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning", "ignore:Some regimes")
def test_plots_and_importances_of_optuna_read_the_journal(tmp_path):
    from optuna.visualization import matplotlib as plots

    search = points(tmp_path, samples=12, first=[OUTSIDE])
    for point in range(search.total):
        value = search.config(point)["x"]
        for seed in (0, 1):
            search.observe(point, seed, 1, value / 2)
            search.observe(point, seed, 2, value)
        outcome = Outcome(value, "pruned" if point % 4 == 3 else "completed", 2)
        search.tell(point, {0: outcome, 1: outcome})
    search.close()
    study = loaded(tmp_path)
    importances = optuna.importance.get_param_importances(study)
    assert max(importances, key=importances.get) == "x"
    curves = plots.plot_intermediate_values(study)
    assert len(curves.get_lines()) == len(study.trials)
    history = plots.plot_optimization_history(study)
    assert len(history.collections[0].get_offsets()) == len(study.get_trials(states=[TrialState.COMPLETE]))
