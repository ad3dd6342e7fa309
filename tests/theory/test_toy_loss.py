"""Figure 5a: gradient descent with weight decay on x^2 / (x^2 + y^2) against gradient flow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import toy_loss as toy
from tune_regimes.theory.scale_invariant import SphereLoss

CLOSE_STARTS = [(0.1, 1.0), (0.1 + 1e-6, 1.0)]


@pytest.fixture(scope="module")
def descent():
    return toy.descend(CLOSE_STARTS, lr=0.1, weight_decay=0.5, steps=300)


def test_the_loss_falls_to_2e_minus_21_and_rises_again_above_one_half(descent):
    losses = toy.loss(descent[:, 0])
    assert losses.min() == pytest.approx(2e-21, rel=0.01)
    assert losses[losses.argmin() :].max() > 0.5


def test_two_starts_a_millionth_apart_differ_visibly_from_step_91(descent):
    apart = np.abs(np.diff(toy.loss(descent), axis=1))[:, 0]
    assert int((apart > 0.1).argmax()) == 91
    assert apart[:40].max() < 1e-4


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_gradient_flow_brings_x_over_y_down_at_all_times_with_and_without_weight_decay(weight_decay):
    times = np.linspace(0, 4, 81)
    ratios = np.abs(np.divide(*np.moveaxis(toy.flow(CLOSE_STARTS, times=times, weight_decay=weight_decay), -1, 0)))
    assert (np.diff(ratios, axis=0) < 0).all()


@settings(max_examples=15)
@given(st.floats(0.05, 3), st.floats(0.5, 3), st.sampled_from([0.0, 0.3]))
def test_gradient_flow_follows_its_closed_form(x, y, weight_decay):
    times = np.linspace(0, 1, 11)
    path = toy.flow([(x, y)], times=times, weight_decay=weight_decay, substeps=15)[:, 0]
    squared = (x**2 + y**2) * np.exp(-2 * weight_decay * times)
    np.testing.assert_allclose((path**2).sum(axis=1), squared, rtol=1e-6)
    elapsed = np.expm1(2 * weight_decay * times) / (2 * weight_decay) if weight_decay else times
    np.testing.assert_allclose(path[:, 0] / path[:, 1], toy.flow_ratio((x, y), elapsed / (x**2 + y**2)), rtol=1e-5)


@given(st.floats(-3, 3), st.floats(0.1, 3))
def test_the_toy_loss_is_a_quadratic_of_the_direction(x, y):
    general, point = SphereLoss(np.diag([2.0, 0.0])[None], np.zeros((1, 2))), np.array([x, y])
    assert float(toy.loss(point)) == pytest.approx(general.value(point), abs=1e-12)
    np.testing.assert_allclose(toy.gradient(point), general.gradient(point), atol=1e-11)


def test_bad_input_is_refused():
    with pytest.raises(TheoryError, match="learning rate"):
        toy.descend(CLOSE_STARTS, lr=0.0, weight_decay=0.5, steps=1)
    with pytest.raises(TheoryError, match="intrinsic learning rate"):
        toy.descend(CLOSE_STARTS, lr=1.0, weight_decay=1.0, steps=1)
    with pytest.raises(TheoryError, match="origin"):
        toy.flow([(0.0, 0.0)], times=[0.0, 1.0])
    with pytest.raises(TheoryError, match="times must rise"):
        toy.flow(CLOSE_STARTS, times=[0.0, 0.0])
    with pytest.raises(TheoryError, match=r"starts must have shape \(any, 2\)"):
        toy.descend([1.0, 2.0], lr=0.1, weight_decay=0.0, steps=1)
