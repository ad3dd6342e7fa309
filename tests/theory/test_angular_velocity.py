"""Angles between displacements, and means over iterations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tune_regimes.errors import TheoryError
from tune_regimes.theory import angular_velocity as av

VECTORS = arrays(np.float64, 4, elements=st.floats(-10, 10, allow_subnormal=False))


def test_parallel_orthogonal_and_opposite_displacements_stand_at_0_90_and_180_degrees():
    path = [[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [3.0, 1.0], [3.0, 0.5]]
    assert av.angular_velocity(path).tolist() == [0.0, 90.0, 180.0]


def test_an_iterate_that_stands_still_gives_90_degrees_with_and_without_epsilon():
    path = [[0.0], [1.0], [1.0], [2.0]]
    assert av.angular_velocity(path).tolist() == av.angular_velocity(path, epsilon=1e-8).tolist() == [90.0, 90.0]


@given(VECTORS, VECTORS, st.floats(0.01, 100))
def test_the_angle_does_not_depend_on_the_length_of_a_displacement(first, second, factor):
    if min(np.linalg.norm(first), np.linalg.norm(second)) < 1e-3:
        return
    zero = np.zeros(4)
    plain = av.angular_velocity([zero, first, first + second])
    longer = av.angular_velocity([zero, first * factor, first * factor + second])
    assert 0.0 <= plain[0] <= 180.0
    assert longer[0] == pytest.approx(plain[0], abs=1e-4)


def test_replicates_are_measured_side_by_side():
    paths = np.random.default_rng(0).standard_normal((6, 3, 5))
    together = av.angular_velocity(paths)
    assert together.shape == (4, 3)
    np.testing.assert_allclose(together[:, 1], av.angular_velocity(paths[:, 1]), rtol=1e-14)


def test_every_twentieth_moving_mean_is_a_disjoint_mean():
    values = np.random.default_rng(0).standard_normal((107, 2))
    moving = av.means(values, 20, "moving")
    assert moving.shape == (88, 2)
    np.testing.assert_allclose(moving[::20][:5], av.means(values, 20), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: av.angular_velocity([[0.0], [1.0]]), "at least three iterates"),
        (lambda: av.angular_velocity([0.0, 1.0, 2.0]), "each a vector"),
        (lambda: av.means([1.0], 20), "needs as many values: received 1"),
        (lambda: av.means([1.0], 0), "window must be an integer of at least 1"),
        (lambda: av.means([1.0], 1, "sliding"), "Choose one of: disjoint, moving"),
        (lambda: av.angle(0.0, 1.0, 1.0, epsilon=-1.0), "epsilon must be"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
