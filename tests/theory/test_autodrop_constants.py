"""Levels, thresholds and averaging weights that follow from AutoDrop's constants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import autodrop_constants as ac


@pytest.mark.parametrize(("factor", "drops"), [(0.1, 3), (0.2, 5), (0.5, 10)])
def test_the_drops_to_the_recommended_floor_are_those_that_dropping_makes(factor, drops):
    lr, made = 0.1, 0
    while lr > 1e-4 * (1 + 1e-9):
        lr, made = max(1e-4, factor * lr), made + 1
    assert ac.drops_to_floor(0.1, factor, 1e-4) == made == drops


@given(st.floats(1e-3, 10.0), st.floats(0.05, 0.95), st.integers(0, 30))
def test_a_floor_that_rounding_misses_by_little_takes_no_further_drop(lr, factor, drops):
    assert ac.drops_to_floor(lr, factor, lr * factor**drops) == drops


def test_on_the_floor_there_is_nothing_to_drop():
    assert ac.drops_to_floor(0.01, 0.5, 0.01) == 0
    assert ac.drops_to_floor(0.01, 0.5, 0.009999) == 1


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (0.1, [0.01, 0.1, 1, 1]),
        (0.2, [0.01, 0.05, 0.25, 1]),
        (0.5, [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1]),
    ],
)
def test_the_thresholds_grow_by_the_factor_up_to_a_degree(factor, expected):
    theta, grown = 0.01, [0.01]
    for _ in expected[1:]:
        theta = min(1.0, theta / factor)
        grown.append(theta)
    np.testing.assert_allclose(ac.thresholds(0.01, 1.0, factor, len(expected) - 1), expected, rtol=1e-12)
    np.testing.assert_allclose(grown, expected, rtol=1e-12)


@given(st.integers(1, 50))
def test_corrected_weights_average_and_printed_ones_enlarge(delay):
    z = np.arange(1, delay + 2)
    assert ac.averaging_weights(delay).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(ac.averaging_weights_printed(delay), 2 * z / ((delay + 1) * delay), rtol=1e-13)
    assert ac.averaging_weights_printed(delay).sum() == pytest.approx((delay + 2) / delay)


def test_twenty_epochs_of_delay_enlarge_the_printed_average_by_a_tenth():
    assert ac.averaging_weights_printed(20).sum() == pytest.approx(231 / 210)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ac.drops_to_floor(0.1, 1.0, 0.01), r"factor must lie in \(0, 1\)"),
        (lambda: ac.drops_to_floor(0.1, 0.5, 0.2), "floor must not be above the first lr: received 0.2 and 0.1"),
        (lambda: ac.thresholds(2.0, 1.0, 0.5, 3), "must not be below the first"),
        (lambda: ac.averaging_weights(0), "delay must be an integer of at least 1"),
        (lambda: ac.averaging_weights_printed(0), "delay must be an integer of at least 1"),
    ],
)
def test_bad_input_is_refused_with_what_to_change(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
