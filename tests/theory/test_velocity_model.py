"""The model of the angular velocity, and algorithm 2 in closed form and iteration by iteration."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import velocity_model as vm

MODEL = vm.VelocityModel(epsilon=0.6, gamma=0.05)
RATES = vm.theorem_3_lrs(15)[1:]


@given(st.floats(0.01, 0.5), st.floats(0.0, 1e4), st.floats(0.01, 2.0))
def test_the_velocity_is_the_printed_formula_with_both_factors_below_the_line(lr, t, gamma):
    model = vm.VelocityModel(0.6, gamma)
    rate = gamma * lr
    printed = 0.5 * math.pi * (1 + 0.6 * lr) * (1.0 - 1.0 / (rate * (t + 1.0 / rate)))
    assert model.velocity(lr, t) == pytest.approx(printed, rel=1e-9, abs=1e-12)


def test_the_velocity_starts_at_zero_and_saturates_below_120_degrees():
    for lr in (0.5, 0.1, 1e-4):
        assert MODEL.velocity(lr, 0.0) == 0.0
        assert MODEL.velocity(lr, 1e13) == pytest.approx(MODEL.asymptote(lr), rel=1e-7)
        assert math.pi / 2 < MODEL.asymptote(lr) < 2 * math.pi / 3
    assert MODEL.asymptote(1e-9) == pytest.approx(math.pi / 2)
    assert MODEL.velocity(0.1, 100.0) < MODEL.velocity(0.5, 100.0), "a smaller learning rate saturates later"


def test_the_derivative_is_that_of_the_velocity():
    times = np.linspace(1.0, 500.0, 60)
    for lr in (0.5, 0.05):
        slopes = (MODEL.velocity(lr, times + 1e-3) - MODEL.velocity(lr, times - 1e-3)) / 2e-3
        np.testing.assert_allclose(MODEL.derivative(lr, times), slopes, rtol=1e-7)
        rate = MODEL.gamma * lr
        assert MODEL.derivative(lr, 0.0) == pytest.approx(0.5 * math.pi * (1 + 0.6 * lr) * rate, rel=1e-12)


@given(st.floats(0.01, 0.5), st.floats(0.001, 1.5), st.floats(0.01, 5.0))
def test_at_the_closed_form_gap_the_derivative_stands_on_the_threshold(lr, tau_0, gamma):
    model = vm.VelocityModel(0.6, gamma)
    gap = model.gap(lr, tau_0)
    assert gap > 0.0
    assert model.derivative(lr, gap) == pytest.approx(model.threshold(lr, tau_0), rel=1e-9)
    root = math.sqrt(gamma * lr)
    printed = (math.sqrt(math.pi * (1 + 0.6 * lr) / (2 * model.threshold(lr, tau_0))) - 1 / root) / root
    assert gap == pytest.approx(printed, rel=1e-9, abs=1e-9)


def test_the_threshold_is_tau_0_for_large_rates_and_half_of_gamma_times_the_rate_for_small_ones():
    model = vm.VelocityModel(0.6, 1.0)
    assert [model.threshold(lr, 0.1) for lr in (0.5, 0.2, 0.1)] == [0.1, 0.1, 0.05]


@pytest.mark.parametrize("printed", [False, True])
@pytest.mark.parametrize("tau_0", [0.001, 0.02, 0.5])
@pytest.mark.parametrize("gamma", [0.1, 1.0])
def test_simulated_drops_come_after_the_closed_form_gaps_rounded_up(printed, tau_0, gamma):
    model = vm.VelocityModel(0.6, gamma)
    run = vm.algorithm_2(model, RATES, tau_0, printed=printed)
    gaps = [math.ceil(model.gap(lr, tau_0)) for lr in RATES]
    assert np.diff(run.drop_times, prepend=0).tolist() == gaps
    np.testing.assert_array_equal(run.drop_times, model.drop_times(RATES, tau_0))


def test_the_corrected_algorithm_applies_each_rate_in_its_gap_and_the_printed_one_an_iteration_late():
    times = MODEL.drop_times(RATES, 0.5)
    corrected, printed = (vm.algorithm_2(MODEL, RATES, 0.5, printed=flag) for flag in (False, True))
    np.testing.assert_array_equal(corrected.lrs, np.repeat(RATES, np.diff(times, prepend=0)))
    assert len(printed.lrs) == times[-1] + 1 == len(corrected.lrs) + 1
    np.testing.assert_array_equal(printed.lrs[1:], corrected.lrs)
    assert printed.lrs[0] == RATES[0]


def test_the_velocity_starts_anew_at_every_drop():
    run = vm.algorithm_2(MODEL, RATES[:5], 0.5)
    assert np.flatnonzero(run.velocities == 0.0).tolist() == [0, *run.drop_times[:-1].tolist()]
    np.testing.assert_allclose(
        run.velocities[: run.drop_times[0]], MODEL.velocity(RATES[0], np.arange(run.drop_times[0]))
    )


def test_the_rates_of_the_proof_keep_theorem_2_and_the_printed_ones_do_not():
    proof, printed = vm.theorem_3_lrs(50), vm.theorem_3_lrs_printed(50)
    ceiling = 1.0 / np.arange(1, 52)
    np.testing.assert_array_equal(proof, ceiling)
    assert math.isinf(printed[0])
    assert (printed > ceiling).all()
    assert printed[8] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vm.VelocityModel(0.0, 1.0), "epsilon must be finite and above 0"),
        (lambda: vm.VelocityModel(0.1, -1.0), "gamma must be finite and"),
        (lambda: MODEL.velocity(0.6, 1.0), r"epsilon must be below 1 / \(3 lr\).*received 0.6 with lr 0.6"),
        (lambda: MODEL.velocity(0.5, [1.0, -1.0]), "at least 0: received -1.0"),
        (lambda: MODEL.gap(0.5, 2.0), r"tau_0 must lie in \(0, 2\): received 2.0"),
        (lambda: MODEL.gap(0.5, 0.0), r"tau_0 must lie in \(0, 2\)"),
        (lambda: MODEL.gap(0.0, 0.1), "lr must be finite and above 0"),
        (lambda: vm.algorithm_2(MODEL, [], 0.5), "lrs must be a vector of at least one number"),
        (lambda: MODEL.drop_times([0.5, 0.7], 0.5), r"epsilon must be below 1 / \(3 lr\)"),
        (lambda: vm.theorem_3_lrs(0), "n must be an integer of at least 1"),
    ],
)
def test_bad_input_is_refused_with_what_to_change(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
