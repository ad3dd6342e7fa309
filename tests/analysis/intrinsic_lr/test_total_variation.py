import numpy as np
import pytest

from analysis.intrinsic_lr.total_variation import distances_between, excess
from tune_regimes.theory.total_variation import expected_same_schedule

SHARES = [0.9, 0.05, 0.03, 0.02]


def runs(count: int, shares: list[float] = SHARES, examples: int = 300, seed: int = 0) -> np.ndarray:
    """Predictions of independent runs, each example with those shares."""
    return np.random.default_rng(seed).choice(len(shares), size=(count, examples), p=shares)


def test_runs_of_one_distribution_are_apart_by_the_bias_of_few_runs() -> None:
    found = distances_between(runs(200), runs(200, seed=1), 4, [10, 50, 100])
    assert found == pytest.approx([expected_same_schedule(SHARES, n) for n in (10, 50, 100)], rel=0.05)
    own = runs(200)
    assert distances_between(own, own, 4, [10, 50, 100]) == pytest.approx(found, rel=0.05)


def test_runs_of_one_seed_that_predict_alike_do_not_make_two_ways_nearer() -> None:
    own = runs(24)
    other = np.where(np.random.default_rng(9).uniform(size=own.shape) < 0.7, own, runs(24, seed=1))
    effect = excess(own, other, 4)
    assert abs(effect.difference) < 0.003
    assert distances_between(own, other, 4, [12]) == pytest.approx(distances_between(own, own, 4, [12]), rel=0.05)


def test_the_excess_of_equal_distributions_is_zero_within_its_error() -> None:
    effects = [excess(runs(24, seed=seed), runs(24, seed=seed + 100), 4) for seed in range(6)]
    assert abs(np.mean([each.difference for each in effects])) < 0.003
    assert all(each.p_within(0.02) < 0.05 for each in effects)


def test_the_excess_of_distant_distributions_is_near_their_distance() -> None:
    other = [0.1, 0.85, 0.03, 0.02]
    effect = excess(runs(24), runs(24, other, seed=1), 4)
    assert effect.difference == pytest.approx(0.8, abs=0.1)
    assert effect.p_beyond(0.02) < 0.01


def test_runs_that_all_agree_have_no_excess_and_no_error() -> None:
    same = np.zeros((8, 5), int)
    effect = excess(same, same, 2)
    assert (effect.difference, effect.error, effect.dof) == (0.0, 0.0, 7)


def test_the_error_covers_the_scatter_of_the_excess() -> None:
    """A run shifts all of its examples together, so that runs, and not examples, are what is sampled."""

    def shifted(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        shares = rng.uniform(0.2, 0.8, size=(20, 1))
        return (rng.uniform(size=(20, 200)) < shares).astype(int)

    effects = [excess(shifted(seed), shifted(seed + 500), 2, draws=10) for seed in range(30)]
    scatter = np.std([each.difference for each in effects], ddof=1)
    assert np.median([each.error for each in effects]) > 0.6 * scatter
