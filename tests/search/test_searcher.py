"""The searcher: order of trials, what a resume leaves out, and when a point is settled."""

import pytest
from ray.tune.search import Searcher

import tune_regimes as tr
from tune_regimes.errors import ScheduleError, StorageError
from tune_regimes.search.points import ListedPoints, Outcome, Points
from tune_regimes.search.searcher import StudySearcher


def schedule(config):
    return tr.Schedule((tr.Phase(lr=config["lr"], epochs=2),))


class Told(Points):
    sequential = False

    def __init__(self, configs):
        self._listed = ListedPoints(configs)
        self.total = self._listed.total
        self.outcomes = {}
        self.observed = []
        self.closed = False

    def config(self, point):
        return self._listed.config(point)

    def observe(self, point, seed, epoch, value):
        self.observed.append((point, seed, epoch, value))

    def tell(self, point, outcomes):
        assert point not in self.outcomes
        self.outcomes[point] = dict(outcomes)

    def close(self):
        self.closed = True


def searcher(points, stored=(), replay=False, seeds=(0, 1), **more):
    goal = {"metric": "test_accuracy", "mode": "max"}
    return StudySearcher(points, schedule, seeds, dict(stored), replay=replay, **goal, **more)


def suggestions(search, limit=20):
    found = []
    for number in range(limit):
        config = search.suggest(f"t{number}")
        if config == Searcher.FINISHED:
            return found
        found.append((config["point"], config["seed"]))
    raise AssertionError("the searcher never finished")


def result(value, status="completed", epoch=2):
    ended = {"done": status != "running", "departed": False, "published": []}
    return {"test_accuracy": value, "status": status, "epoch": epoch, "epochs_now": 1, **ended}


def stored_row(status, value=None):
    return {"status": status, "final_test_accuracy": value, "epochs": 2}


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


def test_a_point_is_told_once_its_last_seed_has_ended():
    points = Told([{"lr": 0.1}])
    search = searcher(points)
    suggestions(search)
    search.on_trial_complete("t0", result(0.4))
    assert points.outcomes == {}
    search.on_trial_complete("t1", result(0.6))
    assert points.outcomes == {0: {0: Outcome(0.4, "completed", 2), 1: Outcome(0.6, "completed", 2)}}


def test_stored_outcomes_are_told_with_the_new_ones():
    points = Told([{"lr": 0.1}])
    search = searcher(points, {"00000-s0": stored_row("completed", 0.2)})
    suggestions(search)
    search.on_trial_complete("t0", result(0.4))
    assert points.outcomes == {0: {0: Outcome(0.2, "completed", 2), 1: Outcome(0.4, "completed", 2)}}


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        ({"result": result(-1e30, "diverged", epoch=1)}, Outcome(None, "diverged", 1)),
        ({"error": True}, Outcome(None, "failed", 0)),
        ({}, Outcome(None, "failed", 0)),
        ({"result": result(0.2, "running", epoch=1)}, Outcome(0.2, "pruned", 1)),
    ],
    ids=["diverged", "crashed", "never reported", "stopped by the scheduler"],
)
def test_a_trial_that_did_not_complete_is_told_as_what_it_is(ending, outcome):
    points = Told([{"lr": 0.1}])
    search = searcher(points, seeds=[5])
    suggestions(search)
    search.on_trial_complete("t0", **ending)
    assert points.outcomes == {0: {5: outcome}}


def test_a_paused_trial_that_the_scheduler_gives_up_is_pruned_with_its_last_value():
    points = Told([{"lr": 0.1}])
    search = searcher(points, seeds=[0])
    suggestions(search)
    search.on_trial_result("t0", result(0.3, "running", epoch=1))
    search.on_trial_complete("t0")
    assert points.outcomes == {0: {0: Outcome(0.3, "pruned", 1)}}


def test_values_on_the_way_are_passed_on_but_for_those_of_a_diverged_trial():
    points = Told([{"lr": 0.1}])
    search = searcher(points)
    suggestions(search)
    search.on_trial_result("t1", result(0.3, "running", epoch=1))
    search.on_trial_complete("t1", result(0.5, "completed", epoch=2))
    search.on_trial_complete("t0", result(-1e30, "diverged", epoch=1))
    assert points.observed == [(0, 1, 1, 0.3), (0, 1, 2, 0.5)]


def test_a_mistake_that_every_trial_would_repeat_settles_no_point():
    points = Told([{"lr": 0.1}])
    search = searcher(points, seeds=[0])
    suggestions(search)
    search.on_trial_complete("t0", result(0.0, "fatal", epoch=0))
    assert (points.outcomes, points.observed) == ({}, [])


def test_what_the_points_cannot_store_ends_the_search_with_its_message():
    class Full(Told):
        def tell(self, point, outcomes):
            raise StorageError("no space")

    search = searcher(Full([{"lr": 0.1}, {"lr": 0.2}]), seeds=[0])
    search.suggest("t0")
    search.on_trial_complete("t0", result(0.4))
    assert isinstance(search.mistake, StorageError)
    assert suggestions(search) == []


def test_closing_the_search_closes_the_points():
    points = Told([{"lr": 0.1}])
    searcher(points).close()
    assert points.closed


def test_a_config_whose_schedule_is_not_valid_ends_the_search_with_its_message():
    search = searcher(Told([{"lr": 0.1}, {"lr": -1.0}]))
    assert suggestions(search) == []
    assert isinstance(search.mistake, ScheduleError)


class Sequential(Told):
    sequential = True


def test_a_sequential_source_is_asked_for_no_more_points_than_may_be_open():
    search = searcher(Sequential([{"lr": lr} for lr in (0.1, 0.2, 0.3)]), seeds=[0], ahead=2)
    assert [search.suggest(f"t{number}")["point"] for number in range(2)] == [0, 1]
    assert search.suggest("t2") is None
    search.on_trial_complete("t0", result(0.4))
    assert search.suggest("t2")["point"] == 2
    assert search.suggest("t3") == Searcher.FINISHED


def test_a_trial_is_held_back_while_another_trains_what_it_shares():
    search = searcher(Told([{"lr": 0.1}, {"lr": 0.1}]), seeds=[0])
    assert search.suggest("t0")["ends"] == [2]
    assert search.suggest("t1") is None
    search.on_trial_complete("t0", result(0.4))
    assert search.suggest("t1")["point"] == 1


def test_where_nothing_is_shared_nothing_is_held_back():
    search = searcher(Told([{"lr": 0.1}, {"lr": 0.1}]), seeds=[0], share=False)
    assert suggestions(search) == [(0, 0), (1, 0)]


class States:
    def __init__(self):
        self.freed, self.gone = [], []

    def free(self, root, key):
        self.freed.append((root, key))

    def ended(self, trial_id):
        self.gone.append(trial_id)


def test_a_stored_state_is_freed_once_the_last_that_waits_for_it_has_begun():
    def two_phase(config):
        return tr.Schedule((tr.Phase(lr=0.1, epochs=2), tr.Phase(lr=config["lr"], epochs=2)))

    states, points = States(), Told([{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}])
    search = StudySearcher(points, two_phase, [0], {}, replay=False, metric="test_accuracy", mode="max", states=states)
    assert search.suggest("t0")["branches"] == [2]
    search.on_trial_result("t0", {**result(0.1, "running"), "published": [(2, "root", "key")]})
    assert {search.suggest("t1")["point"], search.suggest("t2")["point"]} == {1, 2}
    search.on_trial_result("t1", result(0.1, "running", epoch=3))
    assert states.freed == []
    search.on_trial_complete("t2", result(0.1, "running", epoch=3))
    assert (states.freed, states.gone) == ([("root", "key")], ["00002-s0"])
