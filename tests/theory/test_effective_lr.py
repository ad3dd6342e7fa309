"""Dynamics of the effective learning rate: closed forms, integration and SGD on scale-invariant losses."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import effective_lr as dynamics
from tune_regimes.theory.equivalences import sgd_path
from tune_regimes.theory.integration import runge_kutta
from tune_regimes.theory.scale_invariant import random_sphere_loss

RATES = st.floats(1e-4, 0.2)
POSITIVE = st.floats(0.1, 10)


@settings(max_examples=30)
@given(POSITIVE, RATES, POSITIVE)
def test_integrating_equation_10_gives_equation_12(start, intrinsic_lr, trace):
    times = np.linspace(0, 2 * dynamics.relaxation_steps(intrinsic_lr), 9)
    integrated = dynamics.integrate_gamma(times, start, intrinsic_lr, lambda t: trace)
    np.testing.assert_allclose(integrated, dynamics.gamma_after(times, start, intrinsic_lr, trace), rtol=1e-8)


@settings(max_examples=20)
@given(st.floats(0.2, 5), RATES, POSITIVE, POSITIVE)
def test_norm_ratio_and_gamma_obey_equations_7_8_and_10_alike(share, intrinsic_lr, trace, lr):
    start = share * np.sqrt(dynamics.equilibrium_gamma(intrinsic_lr, trace, discrete=False))
    times = np.linspace(0, dynamics.relaxation_steps(intrinsic_lr), 5)

    def integrated(rate, first):
        return runge_kutta(lambda t, y: rate(y), np.array(first), times, substeps=50)

    g = integrated(lambda y: dynamics.norm_rate(y, lr, intrinsic_lr, trace), start * lr)
    ratio = integrated(lambda y: dynamics.ratio_rate(y, intrinsic_lr, trace), start)
    gamma = dynamics.gamma_after(times, start**2, intrinsic_lr, trace)
    np.testing.assert_allclose(ratio**2, gamma, rtol=1e-5)
    np.testing.assert_allclose(dynamics.gamma_of(g, lr), gamma, rtol=1e-5)


@settings(max_examples=20)
@given(POSITIVE, RATES)
def test_the_quadrature_of_equation_11_follows_a_trace_that_varies(start, intrinsic_lr):
    span = 2 * dynamics.relaxation_steps(intrinsic_lr)

    def trace(t):
        return 1.0 + 0.5 * np.sin(6 * np.asarray(t) / span)

    by_rule = dynamics.gamma_running_average(span, start, intrinsic_lr, trace)
    by_steps = dynamics.integrate_gamma([0, span], start, intrinsic_lr, trace, substeps=100)[-1]
    assert by_rule == pytest.approx(float(by_steps), rel=1e-8)
    low, high = dynamics.gamma_bounds(span, start, intrinsic_lr, np.sqrt(0.5), 2.0)
    assert low <= by_rule <= high, "Lemma 5.2 with sigma^2 = .5 and epsilon = 2"


def test_without_weight_decay_gamma_grows_linearly():
    assert dynamics.gamma_after([0, 10, 20], 3.0, 0.0, 2.0).tolist() == [3.0, 43.0, 83.0]
    np.testing.assert_allclose(dynamics.gamma_after(10, 3.0, 1e-12, 2.0), 43.0, rtol=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(1e-3, 1), st.floats(0, 0.2))
def test_the_norm_after_a_step_is_exact(seed, lr, intrinsic_lr):
    loss, rng = random_sphere_loss(seed, 6, 8), np.random.default_rng(seed)
    batches = rng.integers(8, size=30)
    path = sgd_path(lambda w, t: loss.gradient(w, batches[t]), rng.standard_normal(6), [lr] * 30, intrinsic_lr / lr)
    for step, (before, after) in enumerate(pairwise(path)):
        unit = before / np.linalg.norm(before)
        moment = (loss.gradient(unit, batches[step]) ** 2).sum()
        exact = dynamics.next_norm_squared(before @ before, lr, intrinsic_lr, moment)
        assert after @ after == pytest.approx(float(exact), rel=4e-15 * 8)


def noisy_sgd(lr, intrinsic_lr, second_moment, steps, dimension=400):
    """norm(w)^2 along SGD with weight decay on f_t(w) = b_t w / norm(w), with b_t fresh Gaussian noise at each step."""
    rng = np.random.default_rng(0)
    spread = np.sqrt(second_moment / (dimension - 1))
    w, squares = rng.standard_normal(dimension), []
    for _ in range(steps):
        norm_squared = w @ w
        b = spread * rng.standard_normal(dimension)
        gradient = (b - (b @ w) / norm_squared * w) / np.sqrt(norm_squared)
        w = (1 - intrinsic_lr) * w - lr * gradient
        squares.append(w @ w)
    return np.array(squares)


def test_simulated_weights_settle_at_the_predicted_gamma_and_effective_learning_rate():
    lr, le = 0.1, 0.01
    moment = 4528 * (2 * le - le**2)
    assert dynamics.equilibrium_gamma(le, moment) == pytest.approx(4528)
    settled = noisy_sgd(lr, le, moment, 6000)[1000:]
    gamma = dynamics.gamma_of(settled, lr).mean()
    assert gamma == pytest.approx(4528, rel=0.005)
    assert lr / settled.mean() == pytest.approx(0.014862, rel=0.0025)


def test_simulated_weights_relax_at_the_predicted_rate():
    lr, le, moment = 0.1, 0.005, 40.0
    squares = noisy_sgd(lr, le, moment, 150)
    start = dynamics.gamma_of(squares[0], lr)
    times = np.arange(150)
    predicted = dynamics.gamma_after(times, float(start), le, moment)
    np.testing.assert_allclose(dynamics.gamma_of(squares, lr), predicted, rtol=0.05)
    assert dynamics.relaxation_steps(le) == 50.0


def test_the_exact_recursion_ends_at_the_discrete_equilibrium_and_not_at_the_continuous_one():
    lr, le, moment, g = 0.5, 0.05, 3.0, 1.0
    for _ in range(2000):
        g = float(dynamics.next_norm_squared(g, lr, le, moment))
    gamma = float(dynamics.gamma_of(g, lr))
    assert gamma == pytest.approx(dynamics.equilibrium_gamma(le, moment), rel=1e-12)
    continuous = dynamics.equilibrium_gamma(le, moment, discrete=False)
    assert gamma == pytest.approx(continuous / (1 - le / 2), rel=1e-12)


@given(RATES, POSITIVE)
def test_the_printed_equilibrium_is_the_inverse_and_falls_with_the_intrinsic_learning_rate(intrinsic_lr, sigma):
    exact = dynamics.equilibrium_effective_lr(intrinsic_lr, sigma)
    assert exact == pytest.approx(np.sqrt(2 * intrinsic_lr) / sigma)
    settled = float(dynamics.gamma_after(1e9, 1.0, intrinsic_lr, sigma**2))
    assert exact == pytest.approx(float(dynamics.effective_lr(settled)))
    printed = dynamics.equilibrium_effective_lr_printed(intrinsic_lr, sigma)
    assert printed == pytest.approx(sigma / np.sqrt(2 * intrinsic_lr))
    assert printed == pytest.approx(np.sqrt(settled)), "what is printed is gamma^(+1/2)"
    assert dynamics.equilibrium_effective_lr(4 * intrinsic_lr, sigma) == pytest.approx(2 * exact)


def test_weights_times_c_with_lr_times_c_squared_take_the_same_directions():
    loss, batches = random_sphere_loss(0, 6, 8), np.random.default_rng(0).integers(8, size=300)
    start, lr, wd, c = np.arange(1.0, 7.0), 0.3, 0.02, 3.7

    def run(first, rate, decay):
        path = sgd_path(lambda w, t: loss.gradient(w, batches[t]), first, [rate] * 300, decay)
        return path, path / np.linalg.norm(path, axis=1, keepdims=True)

    plain, directions = run(start, lr, wd)
    scaled, same = run(c * start, c**2 * lr, wd / c**2)
    np.testing.assert_allclose(same, directions, atol=1e-12)
    np.testing.assert_allclose(
        dynamics.gamma_of((scaled**2).sum(1), c**2 * lr), dynamics.gamma_of((plain**2).sum(1), lr), rtol=1e-11
    )


def test_exponential_learning_rates_in_continuous_time_give_the_same_gamma():
    le, lr, trace, g0 = 0.01, 0.2, 2.0, 1.5
    times = np.linspace(0, 100, 6)

    def rate(t, g):
        return dynamics.norm_rate(g, lr * np.exp(2 * le * t), 0.0, trace)

    g = runge_kutta(rate, np.array(g0), times, substeps=400)
    gamma = g**2 * np.exp(-4 * le * times) / lr**2
    np.testing.assert_allclose(gamma, dynamics.gamma_after(times, (g0 / lr) ** 2, le, trace), rtol=1e-7)


def test_bad_input_is_refused():
    with pytest.raises(TheoryError, match="intrinsic learning rate"):
        dynamics.equilibrium_gamma(0.0, 1.0)
    with pytest.raises(TheoryError, match="intrinsic learning rate"):
        dynamics.relaxation_steps(0.0)
    with pytest.raises(TheoryError, match="gamma_0"):
        dynamics.gamma_after(1.0, -1.0, 0.1, 1.0)
    with pytest.raises(TheoryError, match="time"):
        dynamics.gamma_running_average(0.0, 1.0, 0.1, np.ones_like)
