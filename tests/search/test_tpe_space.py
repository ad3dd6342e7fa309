"""Ray's domains for Optuna: the values that Ray itself would draw, and configs to parameters and back."""

import json

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from ray import tune

from tune_regimes.errors import StudyError
from tune_regimes.search.points import list_points
from tune_regimes.search.tpe_space import TPESpace


@pytest.mark.parametrize(
    ("domain", "distribution"),
    [
        (tune.uniform(-1, 2), FloatDistribution(-1, 2)),
        (tune.quniform(0.2, 0.8, 0.2), FloatDistribution(0.2, 0.8, step=0.2)),
        (tune.loguniform(1e-4, 1), FloatDistribution(1e-4, 1, log=True)),
        (tune.randint(0, 5), IntDistribution(0, 4)),
        (tune.lograndint(1, 9), IntDistribution(1, 8, log=True)),
        (tune.qrandint(3, 10, 4), IntDistribution(4, 8, step=4)),
        (tune.qrandint(0, 5, 1), IntDistribution(0, 4)),
        (tune.choice(["sgd", None, 2, 0.5]), CategoricalDistribution(["sgd", None, 2, 0.5])),
        (tune.choice([(1, 2), "a"]), CategoricalDistribution(["[1, 2]", '"a"'])),
        (tune.choice([True, 1]), CategoricalDistribution(["true", "1"])),
    ],
)
def test_a_domain_becomes_the_distribution_over_its_values(domain, distribution):
    assert TPESpace({"x": domain}).distributions == {"x": distribution}


@pytest.mark.parametrize("domain", [tune.qrandint(3, 13, 4), tune.qrandint(0, 4, 1), tune.randint(2, 6)])
def test_whole_numbers_are_those_that_ray_draws(domain):
    (distribution,) = TPESpace({"x": domain}).distributions.values()
    drawn = list_points({"x": domain}, 300, [], seed=0)
    values = {drawn.config(point)["x"] for point in range(drawn.total)}
    assert values == set(range(distribution.low, distribution.high + 1, distribution.step))


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (tune.qloguniform(0.1, 1, 0.1), "a logarithmic domain with a step for 'a.x': leave the step out and round"),
        (tune.qlograndint(1, 8, 2), "leave the step out and round in the schedule function, or search 'random'"),
        (tune.randn(), "got Float with Normal for 'a.x': use tune.uniform"),
        (tune.sample_from(lambda: 1), "got Function with CallSampler for 'a.x'.*compute the rest in the schedule"),
        (tune.grid_search([1]), "got grid_search for 'a.x': use tune.choice"),
        (tune.randint(3, 3), "the bounds 3 and 3 for 'a.x': give finite ones with values in between"),
        (tune.choice([]), "got Categorical with Uniform for 'a.x'"),
    ],
)
def test_a_domain_that_tpe_cannot_search_is_refused_with_a_remedy(domain, message):
    with pytest.raises(StudyError, match=message):
        TPESpace({"a": {"x": domain}})


SPACE = {
    "tail": {"lr": tune.loguniform(1e-4, 1.0), "epochs": tune.randint(1, 9), "steps": [tune.qrandint(2, 8, 2), 5]},
    "shape": tune.choice([(1, 2), (3,)]),
    "momentum": tune.choice([0.0, 0.9]),
    "fixed": (1, "a"),
}
CONFIG = {"tail": {"lr": 0.25, "epochs": 3, "steps": [4, 5]}, "shape": (3,), "momentum": 0.9, "fixed": (1, "a")}


def test_a_config_that_went_through_json_is_restored_from_its_parameters():
    space = TPESpace(SPACE)
    params = space.params(json.loads(json.dumps(CONFIG)))
    assert params == {"tail.lr": 0.25, "tail.epochs": 3, "tail.steps.0": 4, "shape": "[3]", "momentum": 0.9}
    assert space.config(params) == CONFIG


@pytest.mark.parametrize(
    "change",
    [
        {"momentum": 0.5},
        {"shape": (4,)},
        {"fixed": (1, "b")},
        {"tail": {"lr": 2.0, "epochs": 3, "steps": [4, 5]}},
        {"tail": {"lr": 0.1, "epochs": 2.5, "steps": [4, 5]}},
        {"tail": {"lr": 0.1, "epochs": 9, "steps": [4, 5]}},
        {"tail": {"lr": 0.1, "epochs": 3, "steps": [3, 5]}},
        {"tail": {"lr": 0.1, "epochs": 3, "steps": [4]}},
        {"tail": {"lr": "high", "epochs": 3, "steps": [4, 5]}},
        {"tail": 3},
        {"more": 1},
    ],
    ids=str,
)
def test_a_config_outside_the_space_has_no_parameters(change):
    assert TPESpace(SPACE).params({**CONFIG, **change}) is None
