"""Changes of learning rate and weight decay at equilibrium, the two processes of appendix E, the slopes of figure 8."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import effective_lr as dynamics
from tune_regimes.theory.equivalences import momentum_path
from tune_regimes.theory.lr_changes import Change, Settling, figure_8_slopes, log_norm_slope, settling_steps

CHANGES = {
    "LR / 10": (Change(lr=0.1), 0.1, 1 / math.sqrt(10)),
    "WD / 10": (Change(weight_decay=0.1), 1.0, 1 / math.sqrt(10)),
    "LR / 10 with WD x 10": (Change(lr=0.1, weight_decay=10.0), 0.1, 1.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_at_equilibrium_jumps_and_settles_as_predicted_in_the_exact_recursion(name):
    change, jump, end = CHANGES[name]
    lr, wd, moment = 0.2, 0.05, 3.0
    le = lr * wd
    g = lr * math.sqrt(dynamics.equilibrium_gamma(le, moment))
    before = lr / g
    new_lr, new_le = lr * change.lr, le * change.lr * change.weight_decay
    assert new_lr / g == pytest.approx(jump * before)
    assert change.immediate == jump
    for _ in range(20_000):
        g = float(dynamics.next_norm_squared(g, new_lr, new_le, moment))
    assert change.settled == pytest.approx(end)
    assert new_lr / g == pytest.approx(end * before, rel=0.01)


@pytest.mark.parametrize("name", CHANGES)
def test_the_path_after_a_change_is_that_of_integration(name):
    change, jump, end = CHANGES[name]
    le, sigma = 0.01, 1.7
    base = dynamics.equilibrium_effective_lr(le, sigma)
    new_le = le * change.lr * change.weight_decay
    times = np.linspace(0, 3 * dynamics.relaxation_steps(new_le), 13)
    start = change.gamma_jump * dynamics.equilibrium_gamma(le, sigma**2, discrete=False)
    integrated = dynamics.effective_lr(dynamics.integrate_gamma(times, start, new_le, lambda t: sigma**2))
    closed = change.effective_lr_after(times, le, sigma)
    np.testing.assert_allclose(closed, integrated, rtol=1e-6)
    assert closed[0] == pytest.approx(jump * base)
    assert float(change.effective_lr_after(1e9, le, sigma)) == pytest.approx(end * base)


def crossing(start, target, le, tolerance, trace):
    """When integration of eq. 10 comes within the tolerance of its target, in steps."""
    times = np.linspace(0, 2 + 2 * settling_steps(start, target, le, tolerance), 1001)
    gamma = dynamics.integrate_gamma(times, start, le, lambda t: trace, substeps=1)
    outside = np.log(np.abs(gamma / target - 1) / tolerance)
    return float(np.interp(0.0, -outside, times)), gamma


@pytest.mark.parametrize("norm_squared", [1e-3, 10.0, 1e6])
def test_integration_takes_as_long_as_the_closed_form_in_both_processes(norm_squared):
    process, k = Settling(norm_squared, lr=0.01, weight_decay=0.1), 10.0
    le = process.intrinsic_lr
    assert crossing(process.start, 1.0, le, 0.1, 2 * le)[0] == pytest.approx(process.direct(), rel=1e-3)
    first, second = process.two_stage(k)
    begin = process.start / k**2
    stage, _ = crossing(begin, 1 / k, k * le, 0.1, 2 * le)
    assert stage == pytest.approx(first, rel=1e-3)
    gamma = dynamics.integrate_gamma([0, max(first, 1e-9)], begin, k * le, lambda t: 2 * le, substeps=2000)[-1]
    assert crossing(k**2 * float(gamma), 1.0, le, 0.1, 2 * le)[0] == pytest.approx(second, rel=1e-3)


@given(st.floats(20, 1e12), st.floats(1.5, 50))
def test_a_large_first_learning_rate_cuts_the_dependence_on_the_norm_by_its_factor(norm_squared, factor):
    process, larger = (Settling(g, lr=0.01, weight_decay=0.1) for g in (norm_squared, norm_squared * math.e))
    assert larger.direct() - process.direct() == pytest.approx(2 / (4 * process.intrinsic_lr), rel=1e-3)
    extra = larger.two_stage(factor)[0] - process.two_stage(factor)[0]
    assert extra == pytest.approx(2 / (4 * factor * process.intrinsic_lr), rel=1e-3)
    assert larger.two_stage(factor)[1] == pytest.approx(process.two_stage(factor)[1], rel=1e-6)


@given(st.floats(1, 1e12), st.floats(1.5, 50))
def test_equation_15_bounds_the_exact_times_up_to_a_constant(norm_squared, factor):
    process = Settling(norm_squared, lr=0.01, weight_decay=0.1)
    assert 0.1 < process.direct() / process.direct_order() < 1
    assert 0.1 < sum(process.two_stage(factor)) / process.two_stage_order(factor) < 3


def test_the_printed_start_has_the_norm_where_its_square_is_meant():
    process = Settling(1e6, lr=0.01, weight_decay=0.1)
    assert process.start == pytest.approx(1e12 / 1e-4)
    assert process.start_printed == pytest.approx(1e6 / 1e-4)
    assert process.direct_order() == pytest.approx(math.log(1e16) / 1e-3)
    assert process.direct_order(printed=True) == pytest.approx(math.log(1e10) / 1e-3)
    assert process.two_stage_order(10, printed=True) == pytest.approx((math.log(1e9) / 10 + math.log(10)) / 1e-3)
    assert process.two_stage_order(10) == pytest.approx((math.log(1e15) / 10 + math.log(10)) / 1e-3)


def test_other_noise_is_the_same_process_in_units_of_its_equilibrium():
    sigma = 3.0
    units = math.sqrt(sigma**2 / (2 * 1e-3))
    assert Settling(50.0, 0.01, 0.1).direct() == pytest.approx(Settling(50.0 * units, 0.01, 0.1, sigma).direct())


def test_the_first_stage_ends_at_one_over_k_and_the_drop_makes_it_k():
    process, k = Settling(1e6, lr=0.01, weight_decay=0.1, tolerance=1e-6), 10.0
    reached = float(dynamics.gamma_after(process.two_stage(k)[0], process.start / k**2, k * 1e-3, 2e-3))
    assert reached == pytest.approx(1 / k, rel=1e-5)
    assert reached * Change(lr=1 / k).gamma_jump == pytest.approx(k, rel=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_slopes_of_figure_8_are_as_1_to_10_to_5_to_50(momentum):
    slopes = figure_8_slopes(0.01, 5e-4, momentum)
    np.testing.assert_allclose(slopes / slopes[0], [1, 10, 5, 50], rtol=0.03)
    np.testing.assert_allclose(slopes, -2 * 5e-6 / (1 - momentum) * np.array([1, 10, 5, 50]), rtol=0.03)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_huge_norm_shrinks_at_the_predicted_slope(momentum):
    lr, wd, slope = 0.1, 0.02, log_norm_slope(0.002, momentum)
    tangent = np.array([0.0, 1.0])

    def gradient(w, step):
        return (tangent - (tangent @ w) / (w @ w) * w) / np.linalg.norm(w) ** 2

    path = momentum_path(gradient, [1e8, 0.0], [lr] * 400, momentum=momentum, weight_decay=wd)
    logs = np.log((path**2).sum(axis=1))
    assert (logs[-1] - logs[200]) / 200 == pytest.approx(slope, rel=1e-5)


def test_bad_input_is_refused():
    with pytest.raises(TheoryError, match="factor of lr"):
        Change(lr=0.0)
    with pytest.raises(TheoryError, match="lr must be finite and above 0"):
        Settling(1.0, lr=0.0, weight_decay=0.1)
    with pytest.raises(TheoryError, match="intrinsic learning rate K lr wd"):
        Settling(1.0, lr=0.1, weight_decay=0.5).two_stage(100.0)
    with pytest.raises(TheoryError, match="factor K"):
        Settling(1.0, lr=0.1, weight_decay=0.5).two_stage(0.5)
    with pytest.raises(TheoryError, match="Lower lr or wd"):
        log_norm_slope(0.1, 0.9)
    with pytest.raises(TheoryError, match="sigma"):
        Settling(1.0, lr=0.1, weight_decay=0.5, sigma=0.0)
