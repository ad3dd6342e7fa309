"""Searches that go on: from the journal, from the tables, and after every kind of end."""

import json

import pytest
from optuna.trial import TrialState
from ray import tune

from tune_regimes.errors import ScheduleError, StudyError
from tune_regimes.results import Storage, write_epochs, write_trial
from tune_regimes.search.job import trial_id
from tune_regimes.search.points import Outcome

METRIC = "test_accuracy"
OUTSIDE = {"x": 5.0, "n": 1, "fixed": "a"}
BOTH = {METRIC: "max", "epochs": "min"}
X, N = tune.uniform(-1.0, 1.0), tune.randint(0, 5)


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
        write_trial(Storage(folder), {**row, "status": status, "epochs": len(curve), f"final_{METRIC}": curve[-1]})
        write_epochs(Storage(folder), name, [{"epoch": e + 1, METRIC: v} for e, v in enumerate(curve)])


def trials(study, **attributes):
    """The trials whose user attributes are these."""
    return [t for t in study.trials if all(t.user_attrs.get(k) == v for k, v in attributes.items())]


def test_a_resumed_search_goes_on_as_if_it_had_not_been_interrupted(points, loaded, tmp_path):
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
    assert len(trials(loaded(tmp_path / "parts"), outcome="completed")) == 16
    assert len(trials(loaded(tmp_path / "parts"), outcome="interrupted")) == 2


def test_a_search_that_had_ended_is_opened_again_without_a_change(points, tmp_path):
    def run():
        search = points(tmp_path, samples=3, first=[OUTSIDE])
        ended(search, 0, {seed: Outcome(None, "diverged", 1) for seed in (0, 1)})
        for point in (1, 2, 3):
            ended(search, point, completed(0.5))
        search.close()
        return (tmp_path / "optuna.journal").read_bytes()

    assert run() == run()


def test_no_trial_is_running_after_an_interrupted_run_and_its_points_are_entered_again(points, loaded, tmp_path):
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
    assert [t.value for t in trials(loaded(tmp_path), point=1)] == [None, 0.6]
    assert len(trials(loaded(tmp_path), point=0)) == 1


def test_a_trial_that_a_killed_run_left_running_is_ended_by_the_next(points, loaded, tmp_path):
    config = points(tmp_path).config(0)
    assert loaded(tmp_path).trials[0].state == TrialState.RUNNING
    again = points(tmp_path)
    assert loaded(tmp_path).trials[0].state == TrialState.FAIL
    assert again.config(0) == config


def test_a_trial_left_waiting_by_a_killed_run_is_not_taken_for_another_point(points, loaded, tmp_path):
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
    assert [trial.value for trial in trials(loaded(tmp_path), point=1)] == [0.5]


def test_a_point_that_is_asked_for_again_while_it_is_open_is_the_same_trial(points, loaded, tmp_path):
    search = points(tmp_path)
    assert search.config(0) == search.config(0)
    assert len(loaded(tmp_path).trials) == 1


def test_a_crashed_point_is_tried_again_and_a_diverged_one_is_not(points, loaded, tmp_path):
    first = points(tmp_path)
    ended(first, 0, {0: Outcome(None, "failed", 0), 1: Outcome(0.5, "completed", 4)})
    ended(first, 1, {0: Outcome(None, "diverged", 1), 1: Outcome(0.5, "completed", 4)})
    first.close()
    again = points(tmp_path)
    for point in (0, 1):
        ended(again, point, completed(0.6))
    again.close()
    assert [trial.value for trial in trials(loaded(tmp_path), point=0)] == [None, 0.6]
    assert [trial.state for trial in trials(loaded(tmp_path), point=1)] == [TrialState.FAIL]


def test_a_point_that_is_tried_again_has_the_curve_of_the_seeds_that_had_ended(points, loaded, tmp_path):
    first = points(tmp_path)
    config = first.config(0)
    first.close()
    store(tmp_path, 0, config, {0: [0.1, 0.3]})
    again = points(tmp_path, {0: config})
    again.config(0)
    again.observe(0, 1, 1, 0.5)
    again.observe(0, 1, 2, 0.5)
    assert loaded(tmp_path).trials[-1].intermediate_values == {1: pytest.approx(0.3), 2: pytest.approx(0.4)}


def test_a_missing_journal_is_rebuilt_from_the_tables(points, loaded, tmp_path):
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


def test_configs_that_an_earlier_run_began_keep_their_types(points, tmp_path):
    space = {"shape": tune.choice([(1, 2), (3,)]), "n": tune.randint(0, 5)}
    search = points(tmp_path, {0: {"shape": [3], "n": 4.0}}, space=space)
    config = search.config(0)
    assert config == {"shape": (3,), "n": 4}
    assert isinstance(config["n"], int)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"x": tune.uniform(-1.0, 2.0), "n": N}}, "trial 0 is of another space"),
        ({"space": {"x": X, "n": N, "y": X}}, "trial 0 is of another space"),
        ({"space": {"n": N}}, "trial 0 is of another space"),
        ({"known": {0: {"x": 0.0, "n": 0, "fixed": "a"}}}, "trial 0 has point 0 as .*, the results as .*'x': 0.0"),
    ],
)
def test_a_journal_of_another_study_is_refused(points, tmp_path, changes, message):
    first = points(tmp_path)
    ended(first, 0, completed(0.5))
    first.close()
    with pytest.raises(StudyError, match=f"must be of this study; .*{message}"):
        points(tmp_path, **changes)


def test_a_schedule_that_is_not_valid_leaves_no_trial_running(points, loaded, tmp_path):
    def refusing(config):
        raise ScheduleError("no")

    search = points(tmp_path, schedule=refusing)
    with pytest.raises(ScheduleError):
        search.config(0)
    search.close()
    assert [trial.state for trial in loaded(tmp_path).trials] == [TrialState.FAIL]


def test_with_two_objectives_the_search_goes_on_from_the_journal_and_from_the_tables(points, loaded, tmp_path):
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
