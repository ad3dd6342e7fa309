import numpy as np
import pytest
from scipy import stats

from analysis.statistics import (
    Effect,
    blocked_effect,
    bootstrap,
    mean_effect,
    percentile_interval,
    quantile_blocks,
    welch_effect,
)

A = np.array([0.91, 0.93, 0.90, 0.95, 0.92])
B = np.array([0.90, 0.91, 0.91, 0.92, 0.89])


def test_welch_effect_agrees_with_scipy() -> None:
    expected = stats.ttest_ind(A, B, equal_var=False, alternative="greater").pvalue
    assert welch_effect(A, B).p_above() == pytest.approx(expected)


def test_one_block_is_the_pooled_t_test() -> None:
    expected = stats.ttest_ind(A, B, alternative="less").pvalue
    assert blocked_effect(A, B, np.zeros(10)).p_below() == pytest.approx(expected)


def test_blocks_of_pairs_are_the_paired_t_test() -> None:
    expected = stats.ttest_rel(A, B, alternative="greater").pvalue
    assert blocked_effect(A, B, [0, 1, 2, 3, 4] * 2).p_above() == pytest.approx(expected)


def test_blocks_that_coincide_with_the_groups_are_ignored() -> None:
    apart = blocked_effect(A, B, [0] * 5 + [1] * 5)
    together = blocked_effect(A, B, np.zeros(10))
    assert (apart.difference, apart.error) == pytest.approx((together.difference, together.error))


def test_mean_effect_agrees_with_the_one_sample_t_test() -> None:
    expected = stats.ttest_1samp(A - B, 0.0, alternative="greater").pvalue
    assert mean_effect(A - B).p_above() == pytest.approx(expected)


def test_equivalence_needs_the_ninety_percent_interval_inside_the_margin() -> None:
    effect = welch_effect(A, B)
    low, high = effect.interval(0.90)
    assert effect.p_within(max(-low, high) + 1e-6) < 0.05 < effect.p_within(max(-low, high) - 1e-6)


def test_an_effect_without_scatter_is_certain_but_for_the_bound_itself() -> None:
    effect = Effect(0.01, 0.0, 4)
    assert effect.p_above(0.0) == 0.0
    assert effect.p_below(0.0) == 1.0
    assert effect.p_above(0.01) == 0.5


def test_quantile_blocks_never_part_equal_values() -> None:
    values = np.array([5, 5, 5, 5, 5, 5, 5, 9])
    blocks = quantile_blocks(values)
    assert len(set(blocks[values == 5])) == 1


def test_bootstrap_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)

    def covered(sample: np.ndarray) -> bool:
        low, high = percentile_interval(bootstrap(lambda g: float(g.choice(sample, len(sample)).mean()), draws=200))
        return low <= 0.0 <= high

    share = np.mean([covered(rng.normal(size=30)) for _ in range(80)])
    assert 0.8 < share < 0.98


def test_an_interval_of_nothing_is_infinite() -> None:
    assert percentile_interval(np.empty(0)) == (-np.inf, np.inf)
