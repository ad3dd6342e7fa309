"""Eq. 1 against all batches, its interval, and the break-even curvature as corrected and as printed."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import break_even as be

CURVATURES = st.lists(st.floats(-5.0, 20.0), min_size=2, max_size=8)


@given(CURVATURES, st.data(), st.floats(0.0, 2.0))
def test_eq_1_is_the_mean_over_all_batches_without_replacement(curvatures, data, lr):
    size = data.draw(st.integers(1, len(curvatures)))
    left = be.stability(lr, np.mean(curvatures), np.var(curvatures), size, len(curvatures))
    assert be.stability_by_enumeration(lr, curvatures, size) == pytest.approx(left, rel=1e-9, abs=1e-9)


def test_iterates_grow_in_mean_square_by_the_left_side_of_eq_1():
    curvatures = np.array([0.5, 1.0, 4.0, 6.5])
    lr, size, steps = 0.4, 2, 6
    factors = [1.0 - lr * curvatures[list(batch)].mean() for batch in combinations(range(4), size)]
    squares = np.ones(1)
    for _ in range(steps):
        squares = np.outer(squares, np.square(factors)).ravel()
    left = be.stability(lr, curvatures.mean(), curvatures.var(), size, 4)
    assert squares.mean() == pytest.approx(left**steps, rel=1e-12)


def test_an_interval_of_curvatures_is_stable_and_its_ends_are_where_the_sides_are_equal():
    low, high = be.stable_curvatures(0.1, variance=900.0, batch_size=20, count=100)
    for curvature in (low, high):
        assert be.stability(0.1, curvature, 900.0, 20, 100) == pytest.approx(1.0, rel=1e-14)
    assert be.stability(0.1, 0.5 * (low + high), 900.0, 20, 100) < 1.0
    assert be.stability(0.1, low - 0.1, 900.0, 20, 100) > 1.0
    assert be.stability(0.1, high + 0.1, 900.0, 20, 100) > 1.0


@given(st.floats(0.01, 1.0), st.floats(0.0, 500.0), st.integers(1, 50), st.floats(0.0, 300.0))
def test_a_curvature_is_stable_where_the_interval_says(lr, variance, size, curvature):
    left = be.stability(lr, curvature, variance, size, 50)
    assume(abs(left - 1.0) > 1e-9)
    interval = be.stable_curvatures(lr, variance, size, 50)
    assert (left < 1.0) == (interval is not None and interval[0] < curvature < interval[1])


def test_with_the_whole_set_in_a_batch_the_limit_is_two_over_the_learning_rate():
    assert be.stable_curvatures(0.01, variance=1e9, batch_size=7, count=7) == pytest.approx((0.0, 200.0))
    assert be.break_even_curvature(0.01, alpha=3.0, distance=0.1, batch_size=7, count=7) == pytest.approx(200.0)


def test_no_curvature_is_stable_where_the_noise_is_too_large():
    assert be.stable_curvatures(1.0, variance=1.01, batch_size=1, count=10) is None


@given(st.floats(0.01, 1.0), st.floats(0.0, 5.0), st.floats(0.2, 5.0), st.integers(1, 100))
def test_the_corrected_break_even_curvature_makes_eq_3_an_equality(lr, alpha, distance, size):
    curvature = be.break_even_curvature(lr, alpha, distance, size, 100)
    assume(curvature > 1e-6)
    assert be.stability(lr, curvature, alpha * curvature / distance**2, size, 100) == pytest.approx(1.0, rel=1e-9)


def test_the_printed_break_even_curvature_does_so_only_at_distance_one():
    for distance, agrees in ((1.0, True), (0.5, False), (2.0, False)):
        curvature = be.break_even_curvature_printed(0.1, 2.0, distance, 4, 100)
        left = be.stability(0.1, curvature, 2.0 * curvature / distance**2, 4, 100)
        assert (abs(left - 1.0) < 1e-12) == agrees


@given(st.floats(0.01, 1.0), st.floats(1.001, 3.0), st.integers(1, 99), st.floats(0.01, 5.0))
def test_at_one_distance_the_break_even_curvature_falls_with_the_learning_rate_and_rises_with_the_batch(
    lr, factor, size, alpha
):
    here = be.break_even_curvature(lr, alpha, 1.3, size, 100)
    assert be.break_even_curvature(lr * factor, alpha, 1.3, size, 100) < here
    assert be.break_even_curvature(lr, alpha, 1.3, size + 1, 100) > here


def test_a_run_that_stays_stable_has_no_break_even_point():
    assert be.first_unstable([0.2, float("nan"), 0.99]) is None
    assert be.first_unstable([]) is None
    assert be.first_unstable([float("nan"), 0.5, 1.0, 0.5, 2.0]) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: be.batch_factor(11, 10), "received batch_size 11 and count 10.*at most 10"),
        (lambda: be.batch_factor(0, 10), "batch_size must be an integer of at least 1"),
        (lambda: be.stability(-0.1, 1.0, 1.0, 1, 10), "lr must be"),
        (lambda: be.stability(0.1, 1.0, -1.0, 1, 10), "variance must be"),
        (lambda: be.stability_by_enumeration(0.1, np.ones(60), 30), "more than 500,000 batches"),
        (lambda: be.stability_by_enumeration(0.1, [1.0, 2.0], 3), "received batch_size 3 and count 2"),
        (lambda: be.stable_curvatures(0.0, 1.0, 1, 10), "lr must be finite and above 0"),
        (lambda: be.break_even_curvature(0.1, 1.0, 0.0, 1, 10), "distance must be finite and above 0"),
        (lambda: be.break_even_curvature_printed(0.1, 1.0, -1.0, 1, 10), "distance must be finite and above 0"),
    ],
)
def test_bad_input_is_refused_with_what_to_change(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
