"""The searcher: order of trials, what a resume leaves out, and when a point is settled."""

import pytest
from ray.tune.search import Searcher

import tune_regimes as tr
from tune_regimes.errors import ScheduleError
from tune_regimes.search.points import ListedPoints, Points
from tune_regimes.search.searcher import StudySearcher


def schedule(config):
    return tr.Schedule((tr.Phase(lr=config["lr"], epochs=2),))


class Told(Points):
    def __init__(self, configs):
        self._listed = ListedPoints(configs)
        self.total = self._listed.total
        self.outcomes = {}

    def config(self, point):
        return self._listed.config(point)

    def tell(self, point, value, *, pruned):
        assert point not in self.outcomes
        self.outcomes[point] = (value, pruned)


def searcher(points, stored=(), replay=False, seeds=(0, 1)):
    return StudySearcher(points, schedule, seeds, dict(stored), replay=replay, metric="test_accuracy", mode="max")


def suggestions(search, limit=20):
    found = []
    for number in range(limit):
        config = search.suggest(f"t{number}")
        if config == Searcher.FINISHED:
            return found
        found.append((config["point"], config["seed"]))
    raise AssertionError("the searcher never finished")


def result(value, status="completed"):
    return {"test_accuracy": value, "status": status}


def stored_row(status, value=None):
    return {"status": status, "final_test_accuracy": value}


def test_points_come_in_order_each_with_all_its_seeds():
    assert suggestions(searcher(Told([{"lr": 0.1}, {"lr": 0.2}]))) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_resume_leaves_out_what_has_ended_and_runs_the_rest_again():
    points = Told([{"lr": 0.1}, {"lr": 0.2}])
    stored = {
        "00000-s0": stored_row("completed", 0.5),
        "00000-s1": stored_row("running"),
        "00001-s0": stored_row("failed"),
        "00001-s1": stored_row("diverged"),
    }
    assert suggestions(searcher(points, stored)) == [(0, 1), (1, 0)]


def test_a_replay_runs_ended_trials_past_the_scheduler_again():
    stored = {"00000-s0": stored_row("completed", 0.5)}
    assert suggestions(searcher(Told([{"lr": 0.1}]), stored, replay=True)) == [(0, 0), (0, 1)]


def test_a_point_is_told_the_mean_once_its_last_seed_has_ended():
    points = Told([{"lr": 0.1}])
    search = searcher(points)
    suggestions(search)
    search.on_trial_complete("t0", result(0.4))
    assert points.outcomes == {}
    search.on_trial_complete("t1", result(0.6))
    assert points.outcomes == {0: (pytest.approx(0.5), False)}


def test_stored_outcomes_count_towards_the_mean():
    points = Told([{"lr": 0.1}])
    search = searcher(points, {"00000-s0": stored_row("completed", 0.2)})
    suggestions(search)
    search.on_trial_complete("t0", result(0.4))
    assert points.outcomes == {0: (pytest.approx(0.3), False)}


def test_a_point_with_a_diverged_or_failed_seed_has_no_value():
    for ending in ({"result": result(-1e30, "diverged")}, {"error": True}):
        points = Told([{"lr": 0.1}])
        search = searcher(points)
        suggestions(search)
        search.on_trial_complete("t0", result(0.4))
        search.on_trial_complete("t1", **ending)
        assert points.outcomes == {0: (None, False)}


def test_a_trial_that_the_scheduler_stopped_makes_its_point_pruned():
    points = Told([{"lr": 0.1}])
    search = searcher(points)
    suggestions(search)
    search.on_trial_complete("t0", result(0.4))
    search.on_trial_complete("t1", result(0.2, "running"))
    assert points.outcomes == {0: (pytest.approx(0.3), True)}


def test_a_config_whose_schedule_is_not_valid_ends_the_search_with_its_message():
    search = searcher(Told([{"lr": 0.1}, {"lr": -1.0}]))
    assert suggestions(search) == [(0, 0), (0, 1)]
    assert isinstance(search.mistake, ScheduleError)
