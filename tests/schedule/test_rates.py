"""Intrinsic learning rate and step size: round trips, and what cannot be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import equilibrium_epochs, intrinsic_lr, lr_for, weight_decay_for

RATES, MOMENTA = st.floats(1e-6, 10), st.floats(0, 0.999)


@given(st.floats(0, 0.999), RATES, MOMENTA)
def test_the_weight_decay_gives_back_the_intrinsic_lr(wanted, lr, momentum):
    decay = weight_decay_for(wanted, lr, momentum)
    assert intrinsic_lr(lr, decay, momentum) == pytest.approx(wanted, rel=1e-12)


@given(RATES, MOMENTA)
def test_the_learning_rate_of_a_step_size_moves_a_constant_gradient_as_far(step_size, momentum):
    assert lr_for(step_size, momentum) / (1 - momentum) == pytest.approx(step_size, rel=1e-12)


def test_the_printed_rates_of_table_1_and_figure_3_have_the_printed_intrinsic_lrs():
    assert [intrinsic_lr(lr, 5e-4) for lr in (0.4, 0.1, 1.6, 12.8)] == pytest.approx([2e-4, 5e-5, 8e-4, 6.4e-3])
    assert [intrinsic_lr(lr, 0.1) for lr in (0.4, 0.2, 0.1)] == pytest.approx([0.04, 0.02, 0.01])


@pytest.mark.parametrize("wanted", [0.0, 1e-3])
def test_an_intrinsic_lr_with_lr_0_is_refused(wanted):
    with pytest.raises(ScheduleError, match=r"lr must be finite and above 0: received 0\.0\. Give a positive lr"):
        weight_decay_for(wanted, lr=0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weight_decay_for(1.0, 0.1), r"intrinsic_lr must lie in \[0, 1\): received 1\.0"),
        (lambda: weight_decay_for(-1e-3, 0.1), r"intrinsic_lr must lie in \[0, 1\): received -0\.001"),
        (lambda: weight_decay_for(1e-3, -0.1), "lr must be finite and at least 0: received -0.1"),
        (lambda: lr_for(1.0, 1.0), r"momentum must lie in \[0, 1\): received 1\.0"),
        (lambda: equilibrium_epochs(0.0, 10), r"intrinsic_lr must lie in \(0, 1\): received 0\.0"),
        (lambda: equilibrium_epochs(1e-3, 0), "steps_per_epoch must be an integer of at least 1"),
    ],
)
def test_values_outside_their_range_are_refused(call, message):
    with pytest.raises(ScheduleError, match=message):
        call()


@given(st.floats(1e-6, 0.5), st.integers(1, 500), st.floats(0.5, 5))
def test_the_equilibrium_budget_is_the_fewest_epochs_with_as_many_steps(rate, steps, times):
    epochs = equilibrium_epochs(rate, steps, times)
    assert epochs * steps * rate >= times * (1 - 1e-9)
    assert (epochs - 1) * steps * rate < times * (1 + 1e-9)
