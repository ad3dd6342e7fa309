"""Points: what is sampled, in which order, and how a space is described."""

import pytest
from ray import tune

from tune_regimes.errors import StudyError
from tune_regimes.search.points import check_space, describe_space, list_points

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
    with pytest.raises(StudyError, match=r"grid_search for 'mu': use tune.choice"):
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
        {"lr": {"inner": tune.loguniform(1e-4, 1.0)}},
        {"lr": [tune.loguniform(1e-4, 1.0)]},
    ],
    ids=["bound", "sampler", "choice", "integer", "constant", "nested", "list"],
)
def test_spaces_that_differ_are_described_differently(other):
    assert describe_space(other) != describe_space({"lr": tune.loguniform(1e-4, 1.0)})


def test_the_description_of_a_space_holds_what_decides_what_is_drawn():
    pairs = [
        (tune.quniform(0, 1, 0.1), tune.quniform(0, 1, 0.5)),
        (tune.quniform(0, 1, 0.1), tune.uniform(0, 1)),
        (tune.randn(0, 1), tune.randn(0, 2)),
        ({"a": tune.randint(0, 2)}, {"a": tune.randint(0, 3)}),
    ]
    for one, other in pairs:
        assert describe_space({"x": one}) != describe_space({"x": other})


def test_a_nested_space_is_described_the_same_in_every_run():
    def made():
        return describe_space({"tail": {"lr": tune.uniform(0, 1), "steps": [tune.randint(1, 3), 4]}})

    assert made() == made() == {"tail": "{lr: Float Uniform((0, 1)), steps: [Integer Uniform((1, 3)), 4]}"}
