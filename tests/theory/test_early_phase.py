"""The two theorems of the break-even point on the model of the early phase, in continuous time and step by step."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import break_even as be
from tune_regimes.theory.early_phase import EarlyPhase

STABLE = EarlyPhase(curvature=0.5, distance=3.0, alpha=0.2, count=1000)
UNSTABLE = EarlyPhase(curvature=500.0, distance=0.05, alpha=0.2, count=1000)


@pytest.mark.parametrize("model", [STABLE, UNSTABLE])
def test_theorems_1_and_2_hold_on_the_model(model):
    assert (model.left_side(0.02, 8, 0.0) < 1.0) == (model is STABLE)
    by_lr = [model.break_even(lr, 8) for lr in (0.01, 0.02, 0.05, 0.1)]
    by_size = [model.break_even(0.02, size) for size in (256, 64, 8, 1)]
    for points in (by_lr, by_size):
        for gentle, rough in pairwise(points):
            assert rough.curvature < gentle.curvature
            assert rough.covariance < gentle.covariance
            assert rough.distance > gentle.distance
            assert rough.time < gentle.time
    assert all((point.time > 0) == (model is STABLE) for point in (*by_lr, *by_size))


@given(st.floats(0.001, 0.5), st.integers(1, 1000))
def test_the_break_even_point_of_the_model_satisfies_eqs_3_and_4(lr, size):
    point = STABLE.break_even(lr, size)
    assert STABLE.left_side(lr, size, point.time) == pytest.approx(1.0, rel=1e-7)
    expected = be.break_even_curvature(lr, STABLE.alpha, point.distance, size, STABLE.count)
    assert point.curvature == pytest.approx(expected, rel=1e-7)


def test_a_stable_start_reaches_the_break_even_point_and_then_no_larger_curvature():
    course, point = STABLE.run(0.02, 8, 200), STABLE.break_even(0.02, 8)
    reached = be.first_unstable(course.left_sides)
    assert reached == int(np.ceil(point.time))
    assert np.all(np.diff(course.curvatures[: reached + 1]) > 0.0)
    assert np.all(course.left_sides[:reached] < 1.0)
    assert course.curvatures[reached:].max() == course.curvatures[reached]
    assert course.curvatures[reached] < point.curvature * np.exp(STABLE.growth)


def test_an_unstable_start_goes_back_to_the_first_stable_point():
    course, point = UNSTABLE.run(0.02, 8, 400), UNSTABLE.break_even(0.02, 8)
    stable = int(np.argmax(course.left_sides < 1.0))
    assert stable == int(np.ceil(-point.time))
    assert np.all(np.diff(course.curvatures[: stable + 1]) < 0.0)
    assert np.all(np.diff(course.distances[: stable + 1]) > 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EarlyPhase(1.0, 1.0, -1.0, 10), "alpha must be"),
        (lambda: EarlyPhase(1.0, 1.0, 1.0, 10, growth=0.0), "growth must be"),
        (lambda: STABLE.run(0.1, 1, 0), "steps must be"),
        (lambda: STABLE.break_even(0.1, 1001), "received batch_size 1001 and count 1000"),
    ],
)
def test_bad_input_is_refused_with_what_to_change(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
