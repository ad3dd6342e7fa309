"""Theorems 2 and 3 of AutoDrop, printed and corrected, and Lemma 1."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import autodrop_bounds as ab
from tune_regimes.theory import velocity_model as vm
from tune_regimes.theory.unified_momentum import descent_factor, unified_momentum

PROBLEM = ab.ConvexProblem(loss_gap=4.0, distance=5.0, gradient_bound=1.0, noise_variance=0.25, momentum=0.5, s=1.0)


def schedule(drops, gamma=1.0, tau_0=0.5):
    """Rates lr_(-1)..., and the gaps of algorithm 2, simulated."""
    lrs = vm.theorem_3_lrs(drops)
    run = vm.algorithm_2(vm.VelocityModel(0.6, gamma), lrs[1:], tau_0)
    return lrs, np.diff(run.drop_times, prepend=0)


@pytest.mark.parametrize("tau_0", [0.001, 0.01, 0.1, 0.5, 1.0, 1.5])
def test_the_gaps_lie_between_the_constants_of_theorem_3_over_the_rates(tau_0):
    model, lrs = vm.VelocityModel(0.6, 0.05), vm.theorem_3_lrs(200)[1:]
    kappa_1, kappa_2 = ab.theorem_3_constants(0.05, tau_0)
    gaps = np.array([model.gap(lr, tau_0) for lr in lrs])
    assert (kappa_1 / lrs <= gaps).all()
    assert (gaps <= kappa_2 / lrs).all()


@given(st.floats(0.001, vm.TAU_0_LIMIT), st.floats(0.01, 2.0), st.floats(0.01, 0.5))
def test_within_the_range_of_the_proof_the_rounded_gaps_lie_there_too(tau_0, gamma, lr):
    kappa_1, kappa_2 = ab.theorem_3_constants(gamma, tau_0)
    gap = math.ceil(vm.VelocityModel(0.66, gamma).gap(lr, tau_0))
    assert kappa_1 / lr * (1 - 1e-12) <= gap <= kappa_2 / lr * (1 + 1e-12)


def test_the_printed_range_of_tau_0_is_too_wide_and_the_sharp_one_is_not():
    model, lr, gamma = vm.VelocityModel(1.0 / 3.0 - 1e-9, 0.05), 1.0, 0.05
    assert vm.TAU_0_LIMIT < vm.TAU_0_LIMIT_SHARP < vm.TAU_0_LIMIT_PRINTED
    fits = lambda tau_0: model.gap(lr, tau_0) <= ab.theorem_3_constants(gamma, tau_0)[1] / lr  # noqa: E731
    assert fits(vm.TAU_0_LIMIT)
    assert fits(vm.TAU_0_LIMIT_SHARP - 1e-6)
    assert not fits(vm.TAU_0_LIMIT_SHARP + 1e-6)


def test_the_printed_second_constant_is_too_small_below_one():
    lrs, gaps = schedule(30)
    kappa_1, kappa_2 = ab.theorem_3_constants(1.0, 0.5)
    assert all(condition.all() for condition in ab.theorem_2_conditions(lrs, gaps, kappa_1, kappa_2))
    printed = ab.theorem_3_constants_printed(1.0, 0.5)
    assert printed == (kappa_1, pytest.approx(math.sqrt(2 * math.pi / 3 * 0.5)))
    assert not ab.theorem_2_conditions(lrs, gaps, *printed).upper[0]
    lrs, gaps = schedule(30, tau_0=0.2)
    assert not ab.theorem_2_conditions(lrs, gaps, *ab.theorem_3_constants_printed(1.0, 0.2)).upper.any()


def test_the_best_constants_are_those_with_which_a_condition_just_holds():
    lrs, gaps = schedule(25)
    best = ab.theorem_2_constants(lrs, gaps)
    assert all(condition.all() for condition in ab.theorem_2_conditions(lrs, gaps, *best))
    assert not ab.theorem_2_conditions(lrs, gaps, best[0] * 1.001, best[1]).lower.all()
    assert not ab.theorem_2_conditions(lrs, gaps, best[0], best[1] * 0.999).upper.all()
    assert not ab.theorem_2_conditions([1.0, 0.6], [3], 0.1, 9.0).lr[0], "0.6 is above 1/2"


@given(st.integers(1, 400), st.floats(0.1, 20.0), st.floats(1.0, 5.0))
def test_lemma_1_counts_iterations_from_drops_and_back(n, kappa_1, ratio):
    kappa_2 = kappa_1 * ratio
    assert ab.iteration_range(n, 1.0, 1.0) == (sum(i + 2 for i in range(n)),) * 2
    low, high = ab.iteration_range(n, kappa_1, kappa_2)
    for iterations in (low, (low + high) / 2, high):
        least, most = ab.drop_range(iterations, kappa_1, kappa_2)
        assert least <= n <= most * (1 + 1e-12)


def test_simulated_iterations_and_drops_lie_in_the_ranges_of_lemma_1():
    for drops in (1, 10, 40):
        _, gaps = schedule(drops, gamma=0.2)
        constants = ab.theorem_3_constants(0.2, 0.5)
        low, high = ab.iteration_range(drops, *constants)
        assert low <= gaps.sum() <= high
        least, most = ab.drop_range(gaps.sum(), *constants)
        assert least <= drops <= most


def test_the_integrals_of_the_printed_proof_are_below_the_sums_that_they_replace():
    assert ab.harmonic(101) - 1 == pytest.approx(4.197, abs=5e-4)
    assert math.log(101) - math.log(2) == pytest.approx(3.922, abs=5e-4)
    assert ab.harmonic(100) == pytest.approx(5.187, abs=5e-4)
    assert math.log(100) == pytest.approx(4.605, abs=5e-4)
    assert ab.harmonic(10**6 + 1) - 1 - math.log((10**6 + 1) / 2) == pytest.approx(0.27, abs=5e-3)
    assert ab.harmonic(10**6) - math.log(10**6) == pytest.approx(0.58, abs=5e-3)


def test_corrected_and_printed_bounds_are_the_formulas_term_by_term():
    n, k1, k2 = 100, 0.7, 2.0
    for bound, first, second in (
        (ab.theorem_2_bound_printed, math.log(101 / 2), math.log(100)),
        (ab.theorem_2_bound, sum(1 / (i + 2) for i in range(n)), sum(1 / (i + 1) for i in range(n))),
    ):
        expected = 0.5 * 4 * first / (k1 * 0.5 * n) + 0.5 * 25 / (2 * k1 * n)
        expected += (2 * 1 * 0.5 + 1) * 1.25 * k2 * second / (2 * 0.5 * k1 * n)
        assert bound(PROBLEM, n, k1, k2) == pytest.approx(expected, rel=1e-12)
    iterations = 5000.0
    low, high = math.sqrt(2 * iterations / k2) - 3, math.sqrt(2 * iterations / k1)
    expected = 4 * math.log((high + 1) / 2) / (k1 * low) + 6.25 / (k1 * low) + 2.5 * k2 * math.log(high) / (k1 * low)
    assert ab.theorem_3_bound_printed(PROBLEM, iterations, k1, k2) == pytest.approx(expected, rel=1e-12)
    assert ab.theorem_3_bound(PROBLEM, iterations, k1, k2) > expected


def test_the_bounds_decay_like_log_n_over_n_and_log_t_over_the_root_of_t():
    constant = 4 * (np.euler_gamma - 1) + 5 * np.euler_gamma + 6.25
    for n in (10**3, 10**5):
        assert ab.theorem_2_bound(PROBLEM, n, 1.0, 2.0) * n == pytest.approx(9 * math.log(n) + constant, abs=0.01)
    for iterations in (1e8, 1e12):
        scaled = ab.theorem_3_bound(PROBLEM, iterations, 1.0, 2.0) * (math.sqrt(iterations) - 3)
        assert scaled == pytest.approx(4.5 * math.log(2 * iterations) + constant, abs=0.01)


def excess(x):
    return np.sqrt(1.0 + np.sum(x * x, axis=-1)) - 1.0


def noisy_gradient(x, t):
    """The gradient of sqrt(1 + |x|^2), norm below 1, with noise of E|noise|^2 = 1/4."""
    noise = np.random.default_rng(t).standard_normal(x.shape) * math.sqrt(0.25 / x.shape[-1])
    return x / np.sqrt(1.0 + np.sum(x * x, axis=-1, keepdims=True)) + noise


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("face", ["heavy ball", "nesterov", "descent"])
def test_stochastic_convex_training_stays_below_bounds_that_follow_from_each_other(momentum, face):
    lrs, gaps = schedule(40)
    s = {"heavy ball": 0.0, "nesterov": 1.0, "descent": descent_factor(momentum)}[face]
    start = np.full((64, 4), 1.5)
    path = unified_momentum(noisy_gradient, start, np.repeat(lrs[1:], gaps), momentum=momentum, s=s)
    best = excess(path[:-1]).mean(axis=1).min()
    problem = ab.ConvexProblem(excess(start)[0], 3.0, 1.0, 0.25, momentum, s)
    constants = ab.theorem_2_constants(lrs, gaps)
    sums = ab.bound_from_rates(problem, lrs, gaps)
    second = ab.theorem_2_bound(problem, 40, *constants)
    third = ab.theorem_3_bound(problem, float(gaps.sum()), *ab.theorem_3_constants(1.0, 0.5))
    assert 0.0 < best < sums < second < third
    if momentum == 0.0:
        assert sums < problem.loss_gap, "the bound says something"


def test_the_bound_from_rates_takes_the_sums_over_the_iterations():
    lrs, gaps = schedule(12)
    per_iteration = np.concatenate([lrs[:1], np.repeat(lrs[1:], gaps)])
    total, products = per_iteration[1:].sum(), per_iteration[1:] @ per_iteration[:-1]
    expected = PROBLEM.bound(total, lrs[1:].sum(), products)
    assert ab.bound_from_rates(PROBLEM, lrs, gaps) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ab.ConvexProblem(-1.0, 1.0, 1.0, 1.0), "loss_gap must be"),
        (lambda: ab.ConvexProblem(1.0, 1.0, 1.0, 1.0, momentum=1.0), r"momentum must lie in \[0, 1\)"),
        (lambda: ab.theorem_2_bound(PROBLEM, 0, 1.0, 1.0), "n must be an integer of at least 1"),
        (lambda: ab.theorem_2_bound(PROBLEM, 9, 0.0, 1.0), "kappa must be finite and above 0"),
        (lambda: ab.theorem_3_bound(PROBLEM, 9.0, 1.0, 2.0), "more than 9 kappa_2 / 2 = 9 iterations: received 9"),
        (lambda: ab.theorem_3_constants(1.0, 2.0), r"tau_0 must lie in \(0, 2\)"),
        (lambda: ab.bound_from_rates(PROBLEM, [1.0, 0.5], [2, 3]), "received 2 gaps and 2 learning rates"),
        (lambda: ab.bound_from_rates(PROBLEM, [1.0, 0.5], [2.5]), "gaps in whole iterations"),
        (lambda: ab.bound_from_rates(PROBLEM, [0.3, 0.5], [2]), "must decrease within"),
        (lambda: ab.bound_from_rates(PROBLEM, vm.theorem_3_lrs_printed(1), [2]), "finite and above 0: received inf"),
    ],
)
def test_bad_input_is_refused_with_what_to_change(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
