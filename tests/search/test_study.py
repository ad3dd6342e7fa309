"""Defining a study: everything that can be refused is refused before anything runs."""

import pytest
from ray import tune
from ray.tune.schedulers import ASHAScheduler

import tune_regimes as tr
from tune_regimes.errors import ScheduleError, StudyError
from tune_regimes.search.options import RunOptions
from tune_regimes.search.schedulers import make_scheduler, must_replay


def schedule(config):
    return tr.two_phase(
        epochs=4, transition_epoch=config["at"], large=tr.Phase(lr=0.1), small=tr.Phase(lr=0.01, momentum=0.9)
    )


def study(**changes):
    space, task = {"at": tune.randint(0, 5)}, tr.task("digits/mlp")
    arguments = {"name": "s", "task": task, "schedule": schedule, "space": space, "samples": 3, "seeds": 2}
    return tr.Study(**(arguments | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "names a folder; got 'a/b'"),
        ({"samples": 0}, "samples must be a whole number of at least 1; got 0"),
        ({"seeds": 0}, "seeds must be a whole number of at least 1; got 0"),
        ({"seeds": [1, 1]}, r"distinct and at least one; got \[1, 1\]"),
        ({"mode": "best"}, "'max' or 'min'; got 'best'"),
        ({"scheduler": "pbt"}, "fifo, asha, regime_asha, hyperband or a Ray TrialScheduler; got 'pbt'"),
        ({"searcher": "bayes"}, "random, grid, optuna; got 'bayes'"),
        ({"searcher": "grid"}, "random domains for"),
        (
            {"searcher": "optuna", "space": {"at": tune.sample_from(lambda: 1)}},
            "got Function with CallSampler for 'at'",
        ),
        ({"searcher": "optuna", "cost": "seconds"}, "cost must be None or 'epochs'; got 'seconds'"),
        ({"searcher": "optuna", "diverged": "worst"}, "'fail' or a finite number; got 'worst'"),
        ({"searcher": "optuna", "diverged": float("nan")}, "'fail' or a finite number; got nan"),
        ({"searcher": "optuna", "diverged": 0.1, "cost": "epochs"}, "count as a cheap one"),
        ({"cost": "epochs"}, "steer a TPE search only; got searcher 'random'"),
        ({"diverged": 0.1}, "steer a TPE search only; got searcher 'random'"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_with_a_remedy(changes, message):
    with pytest.raises(StudyError, match=message):
        study(**changes)


def test_a_schedule_that_is_not_valid_for_a_config_is_refused_at_once():
    with pytest.raises(ScheduleError, match="transition_epoch"):
        study(space={"at": tune.grid_search([2, 9])})


def test_trials_are_configs_times_seeds():
    assert (study().points, study().trials) == (3, 6)
    assert study(searcher="optuna", points_to_evaluate=[{"at": 1}]).trials == 8
    assert study(space={"at": tune.grid_search([1, 2])}, searcher="grid", samples=1, seeds=[4, 7]).trials == 4


def test_what_a_search_is_told_of_cost_and_divergence_is_part_of_the_specification():
    plain = study(searcher="optuna").spec()
    assert (plain["cost"], plain["diverged"]) == (None, None)
    for change in ({"cost": "epochs"}, {"diverged": 0.1}):
        assert study(searcher="optuna", **change).spec() != plain


def test_two_schedule_functions_that_differ_give_different_specifications():
    def other(config):
        return tr.Schedule((tr.Phase(lr=0.1, epochs=4),))

    assert study().spec() == study().spec()
    assert study().spec() != study(schedule=other).spec()


@pytest.mark.parametrize(
    "wrong",
    [
        {"cpus_per_trial": -1.0},
        {"max_concurrent": 0},
        {"time_budget": 0},
        {"max_failures": -1},
        {"save_every": float("nan")},
    ],
)
def test_run_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(StudyError, match=next(iter(wrong))):
        RunOptions(**wrong)


@pytest.mark.parametrize(
    ("name", "replays"), [("fifo", False), ("regime_asha", False), ("asha", True), ("hyperband", True)]
)
def test_only_a_scheduler_that_decides_and_does_not_remember_needs_ended_trials_again(name, replays):
    assert must_replay(make_scheduler(name, epochs=10)) is replays


def test_of_a_scheduler_of_ray_a_copy_is_used_as_it_is():
    own = ASHAScheduler(time_attr="epoch", max_t=7)
    copied = make_scheduler(own, epochs=10)
    assert type(copied) is ASHAScheduler
    assert copied._max_t == 7
    assert copied is not own, "what one run has taught it must not meet the next"
