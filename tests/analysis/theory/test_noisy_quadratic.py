"""Verdicts on the noisy quadratic: on simulations that follow the model, and on angles made to break each claim."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.theory.noisy_quadratic import (
    LRS,
    Runs,
    large_lr_level,
    levels_fall,
    saturates,
    saturates_later,
    simulate,
    small_lr_level,
    theorem_1,
    theorem_1_bound,
    theorem_1_range,
)
from analysis.theory.saturation_rule import judge_rule
from tune_regimes.theory.noisy_quadratic import paper_quadratic
from tune_regimes.theory.noisy_quadratic_runs import Descent
from tune_regimes.theory.saturation_rule import NEVER, SaturationRule, follow

MODEL = paper_quadratic()


@pytest.fixture(scope="module")
def simulated() -> Runs:
    return simulate(iterations=6000, replicates=6)


def made(level, *, time=lambda lr: 100.0, replicates: int = 6, iterations: int = 4000, noise: float = 0.3) -> Runs:
    """Runs whose angles rise by 60 degrees to a level, with steps of length 1."""
    rng = np.random.default_rng(0)
    age = np.arange(iterations - 1)[:, None]
    runs = {}
    for lr in LRS:
        angles = level(lr) - 60 * np.exp(-age / time(lr)) + noise * rng.normal(size=(iterations - 1, replicates))
        squares = np.ones((iterations, replicates))
        runs[lr] = Descent(np.ones((iterations + 1, replicates)), squares, np.cos(np.radians(angles)), np.ones((1, 1)))
    return Runs(MODEL, runs)


def falls(lr: float) -> float:
    return 90 + 400 * lr


def test_the_model_itself_is_as_the_paper_says(simulated: Runs) -> None:
    judged = (saturates, large_lr_level, levels_fall, small_lr_level)
    assert [judge(simulated).verdict for judge in judged] == ["holds"] * 4
    assert simulated.n == {"replicates": 6, "iterations": 6000}


def test_simulation_meets_the_limits_of_the_theorem(simulated: Runs) -> None:
    verdict = theorem_1(simulated)
    assert verdict.verdict != "does not hold"
    assert all(abs(value[0]) < 0.005 for name, value in verdict.statistics.items() if name.startswith("cosine"))
    assert verdict.note == "arccos(C*): 118.23, 103.28, 94.33, 90.43 degrees"


def test_every_claim_holds_on_angles_made_so() -> None:
    runs = made(falls, time=lambda lr: 12 / lr**0.5)
    judged = (saturates, large_lr_level, levels_fall, saturates_later, small_lr_level)
    assert [judge(runs).verdict for judge in judged] == ["holds"] * 5


def test_the_contrary_is_found_on_angles_made_so() -> None:
    rising = made(lambda lr: 130 - 500 * lr, time=lambda lr: 2000 * lr)
    assert [judge(rising).verdict for judge in (levels_fall, saturates_later, small_lr_level)] == ["does not hold"] * 3
    assert large_lr_level(made(lambda lr: 85.0)).verdict == "does not hold"
    assert saturates(made(falls, time=lambda lr: 4000.0)).verdict == "does not hold"
    assert theorem_1(made(falls)).verdict == "does not hold"


def test_too_much_noise_is_undecided() -> None:
    rng = np.random.default_rng(3)
    runs = made(lambda lr: 90 + 3 * rng.normal(), noise=400.0, replicates=2, iterations=400)
    assert "undecided" in {judge(runs).verdict for judge in (levels_fall, small_lr_level, large_lr_level)}


def test_the_bound_of_the_theorem_holds_and_its_printed_range_does_not() -> None:
    assert theorem_1_bound(grid=20).verdict == "holds"
    verdict = theorem_1_range()
    assert verdict.verdict == "does not hold"
    assert verdict.statistics["C*"] == pytest.approx(-0.6)
    assert verdict.statistics["angle (degrees)"] == pytest.approx(126.87, abs=0.01)


def test_the_rule_reaches_the_loss_of_the_smallest_lr() -> None:
    rule = SaturationRule("moving", min_lr=0.01)
    run = follow(MODEL, rule, iterations=4000, replicates=6)
    verdict = judge_rule("P1-08", MODEL, rule, run)
    assert verdict.verdict == "holds"
    assert verdict.n["drops each"] == 3
    never = replace(run, drops=np.full_like(run.drops, NEVER))
    assert judge_rule("P1-08", MODEL, rule, never).verdict == "does not hold"
    assert judge_rule("P1-08", MODEL, rule, replace(run, losses=2 * run.losses)).verdict == "does not hold"
    spread = np.linspace(0.2, 1.8, 6)
    assert judge_rule("P1-08", MODEL, rule, replace(run, losses=spread * run.losses)).verdict == "undecided"
