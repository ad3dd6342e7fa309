"""The scale-invariance lemmas, to floating point, on losses whose derivatives are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory.scale_invariant import SphereLoss, random_sphere_loss, tangent_curvature

SEEDS = st.integers(0, 10_000)
SCALES = st.floats(1e-3, 1e3)


def a_case(seed, batches=4):
    return random_sphere_loss(seed, 5, batches), np.random.default_rng(seed + 1).standard_normal(5) * 2


@given(SEEDS, SCALES)
def test_scaling_the_weights_divides_gradients_by_it_and_hessians_by_its_square(seed, scale):
    loss, w = a_case(seed)
    assert loss.value(scale * w) == pytest.approx(loss.value(w), rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(scale * loss.gradient(scale * w), loss.gradient(w), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scale**2 * loss.hessian(scale * w), loss.hessian(w), rtol=1e-9, atol=1e-12)


@given(SEEDS)
def test_the_gradient_is_orthogonal_to_the_weights(seed):
    loss, w = a_case(seed)
    assert abs(loss.gradient(w) @ w) < 1e-13 * (1 + np.linalg.norm(loss.outer_gradient(w / np.linalg.norm(w))))


@given(SEEDS, SCALES)
def test_gradient_noise_scales_with_the_inverse_square_and_has_none_along_the_weights(seed, scale):
    loss, w = a_case(seed)
    noise = loss.noise_covariance(w)
    np.testing.assert_allclose(scale**2 * loss.noise_covariance(scale * w), noise, rtol=1e-9, atol=1e-12)
    assert abs(w @ noise @ w) < 1e-13 * (w @ w) * np.trace(noise)


def differences(function, w, step=1e-5):
    """Central differences of a function of w, the derivative along each coordinate first."""
    return np.stack([(function(w + step * e) - function(w - step * e)) / (2 * step) for e in np.eye(w.size)])


@given(st.integers(0, 200))
def test_derivatives_agree_with_finite_differences(seed):
    loss, w = a_case(seed)
    w *= 2 / np.linalg.norm(w)
    np.testing.assert_allclose(loss.gradient(w, 2), differences(lambda x: loss.value(x, 2), w), atol=1e-7)
    np.testing.assert_allclose(loss.hessian(w, 2), differences(lambda x: loss.gradient(x, 2), w), atol=1e-7)


@given(SEEDS)
def test_curvature_along_a_tangent_follows_equation_14(seed):
    loss, w = a_case(seed)
    v = np.random.default_rng(seed + 2).standard_normal(5)
    v -= (v @ w) / (w @ w) * w
    exact = tangent_curvature(loss, w, v, 1)
    assert exact == pytest.approx(v @ loss.hessian(w, 1) @ v, rel=1e-9, abs=1e-9)
    step = 1e-4 * np.linalg.norm(w) / np.linalg.norm(v)
    second = (loss.value(w + step * v, 1) - 2 * loss.value(w, 1) + loss.value(w - step * v, 1)) / step**2
    assert exact == pytest.approx(second, rel=1e-4, abs=1e-5 * (v @ v) / (w @ w))


def test_bad_input_is_refused():
    loss, w = a_case(0)
    with pytest.raises(TheoryError, match="orthogonal"):
        tangent_curvature(loss, w, w)
    with pytest.raises(TheoryError, match="must not be zero"):
        loss.gradient(np.zeros(5))
    with pytest.raises(TheoryError, match="each curvature must be symmetric"):
        SphereLoss(np.array([[[0.0, 1.0], [0.0, 0.0]]]), np.zeros((1, 2)))
    with pytest.raises(TheoryError, match="slopes must have shape"):
        SphereLoss(np.eye(2)[None], np.zeros((1, 3)))
