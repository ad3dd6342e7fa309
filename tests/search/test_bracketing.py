"""Step sizes are chosen so that both regimes end up between neighbours, whatever their place."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import StudyError
from tune_regimes.search.bracketing import FACTOR, Bracketing, Tried

LOWEST, HIGHEST = 1e-3, 100.0
exponents = st.floats(math.log(2 * LOWEST), math.log(HIGHEST / 4))


def search(plan, unstable, rough):
    """All that is tried where step sizes above ``unstable`` diverge and the loss falls up to ``rough``."""
    tried = []
    while (step := plan.next(tried)) is not None:
        tried.append(Tried(step, diverges=step > unstable, falls=step <= rough))
        assert len(tried) < 100
    return sorted(tried, key=lambda each: each.step_size)


@given(exponents, exponents, st.floats(1.1, FACTOR))
def test_both_edges_lie_between_neighbours_that_are_near(one, other, resolution):
    unstable, rough = math.exp(max(one, other)), math.exp(min(one, other))
    tried = search(Bracketing(LOWEST, HIGHEST, resolution), unstable, rough)
    steps = [each.step_size for each in tried]
    for edge in (unstable, rough):
        below = max(step for step in steps if step <= edge)
        above = min(step for step in steps if step > edge)
        # Three digits of a step size are half a percent at most.
        assert above / below <= resolution * 1.01


@given(exponents, exponents)
def test_no_step_size_is_tried_twice_and_one_beyond_the_first_that_diverges_never(one, other):
    unstable, rough = math.exp(max(one, other)), math.exp(min(one, other))
    steps = [each.step_size for each in search(Bracketing(LOWEST, HIGHEST), unstable, rough)]
    assert len(set(steps)) == len(steps)
    assert max(steps) <= unstable * FACTOR * 1.01


def test_the_coarse_grid_stays_on_round_numbers():
    steps = [each.step_size for each in search(Bracketing(1e-3, 100.0, FACTOR), 1e9, 1e9)]
    assert steps == [0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0, 31.6, 100.0]


def test_where_nothing_diverges_the_search_ends_at_the_highest():
    tried = search(Bracketing(0.1, 10.0), 1e9, 1.2)
    assert tried[-1].step_size == 10.0
    assert max(each.step_size for each in tried if each.falls) > 1.2 / 1.4


def test_where_the_first_diverges_nothing_else_is_tried():
    assert [each.step_size for each in search(Bracketing(), 0.0, 0.0)] == [1e-3]


def test_where_the_loss_never_falls_only_the_large_regime_is_searched():
    tried = search(Bracketing(0.01, 100.0, 2.0), 1.0, 0.0)
    assert [each.step_size for each in tried] == [0.01, 0.0316, 0.1, 0.316, 1.0, 1.78, 3.16]


@pytest.mark.parametrize("values", [(0.0, 1.0), (-1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_a_range_that_is_none_is_refused(values):
    with pytest.raises(StudyError, match="two positive numbers, the lowest first; got"):
        Bracketing(*values)


@pytest.mark.parametrize("resolution", [1.0, 1.04, 4.0, math.nan])
def test_a_resolution_that_cannot_be_reached_or_is_coarser_than_the_grid_is_refused(resolution):
    with pytest.raises(StudyError, match=r"resolution must lie in 1\.05 to 3\.16; got"):
        Bracketing(resolution=resolution)
