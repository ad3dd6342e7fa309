"""Points: what is sampled, in which order, and what Optuna is told."""

import optuna
import pytest
from ray import tune

from tune_regimes.errors import StudyError
from tune_regimes.search.points import OptunaPoints, Outcome, check_space, describe_space, list_points

SPACE = {"lr": tune.loguniform(1e-4, 1.0), "mu": tune.grid_search([0.0, 0.9]), "fixed": 3}


def configs(points):
    return [points.config(number) for number in range(points.total)]


def test_each_draw_visits_every_cell_of_the_grid_after_the_explicit_points():
    found = configs(list_points(SPACE, 3, [{"mu": 0.5}], seed=0))
    assert [config["mu"] for config in found] == [0.5, 0.0, 0.9, 0.0, 0.9, 0.0, 0.9]
    assert all(config["fixed"] == 3 for config in found[1:])
    assert len({config["lr"] for config in found[1:]}) == 6


def test_the_same_search_seed_gives_the_same_points_and_another_gives_others():
    first, again, other = (configs(list_points(SPACE, 4, [], seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_grid_search_refuses_random_domains():
    with pytest.raises(StudyError, match=r"random domains for \['lr'\]"):
        check_space(SPACE, "grid")


def test_a_tpe_search_refuses_grids():
    with pytest.raises(StudyError, match=r"grid_search for \['mu'\]: use tune.choice"):
        check_space(SPACE, "optuna")


def test_an_unknown_searcher_is_named_with_the_choices():
    with pytest.raises(StudyError, match="one of random, grid, optuna; got 'bayes'"):
        check_space({}, "bayes")


@pytest.mark.parametrize(
    "other",
    [
        {"lr": tune.loguniform(1e-4, 2.0)},
        {"lr": tune.uniform(1e-4, 1.0)},
        {"lr": tune.choice([1e-4, 1.0])},
        {"lr": tune.randint(0, 1)},
        {"lr": 0.1},
    ],
    ids=["bound", "sampler", "choice", "integer", "constant"],
)
def test_spaces_that_differ_are_described_differently(other):
    assert describe_space(other) != describe_space({"lr": tune.loguniform(1e-4, 1.0)})


def optuna_points(known=(), samples=6):
    space = {"x": tune.uniform(-1.0, 1.0), "n": tune.randint(0, 5), "fixed": "a"}
    return OptunaPoints(space, samples, [{"x": 0.0, "n": 0, "fixed": "b"}], dict(known), mode="max", seed=1)


def test_tpe_evaluates_explicit_points_first_and_keeps_constants():
    points = optuna_points()
    assert points.config(0) == {"x": 0.0, "n": 0, "fixed": "b"}
    config = points.config(1)
    assert -1 <= config["x"] <= 1
    assert config["n"] in range(5)
    assert config["fixed"] == "a"


def test_tpe_is_told_means_pruned_and_failed_points_as_what_they_are():
    points = optuna_points()
    endings = [(0.1, "completed"), (0.2, "completed"), (0.3, "pruned"), (None, "diverged")]
    for number, (value, status) in enumerate(endings):
        points.config(number)
        points.tell(number, {0: Outcome(value, status, 5)})
    states = [trial.state for trial in points._study.trials]
    assert states == [optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.FAIL]
    assert points._study.trials[0].value == 0.2
    assert points._study.trials[1].intermediate_values == {0: 0.3}


def test_tpe_repeats_the_configs_that_an_earlier_run_evaluated():
    first = optuna_points()
    before = [first.config(number) for number in range(4)]
    known = {1: before[1], 2: {**before[2], "n": float(before[2]["n"])}}
    again = optuna_points(known)
    assert [again.config(number) for number in range(3)] == before[:3]
    assert isinstance(again.config(3)["n"], int)


def test_tpe_moves_towards_the_better_half():
    points = optuna_points(samples=60)
    for number in range(points.total):
        config = points.config(number)
        points.tell(number, {0: Outcome(config["x"], "completed", 5)})
    late = [trial.params["x"] for trial in points._study.trials[-20:]]
    assert sum(late) / len(late) > 0.5
