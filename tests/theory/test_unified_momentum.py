"""Unified Momentum and its three faces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import unified_momentum as um

START = np.random.default_rng(0).standard_normal((3, 5))
DROP = np.repeat([0.1, 0.02], [20, 20])


def quadratic(x, t):
    return x * np.linspace(0.5, 1.5, x.shape[-1])


def logistic(x, t):
    noise = np.random.default_rng(t).standard_normal(x.shape)
    return np.tanh(x) + 0.1 * noise


GRADIENTS = [quadratic, logistic]


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_zero_is_heavy_ball_one_is_nesterov_and_the_factor_is_descent_over_a_drop(gradient, momentum):
    run = lambda s: um.unified_momentum(gradient, START, DROP, momentum=momentum, s=s)  # noqa: E731
    factor = um.descent_factor(momentum)
    faces = {
        0.0: um.heavy_ball(gradient, START, DROP, momentum=momentum),
        1.0: um.nesterov(gradient, START, DROP, momentum=momentum),
        factor: um.gradient_descent(gradient, START, DROP * factor),
    }
    for s, expected in faces.items():
        np.testing.assert_allclose(run(s), expected, rtol=0, atol=1e-12)


@given(
    st.lists(st.floats(1e-4, 0.3), min_size=1, max_size=12),
    st.floats(0.0, 0.95),
    st.sampled_from(GRADIENTS),
)
def test_the_three_faces_agree_for_any_learning_rates(lrs, momentum, gradient):
    factor = um.descent_factor(momentum)
    descent = um.gradient_descent(gradient, START, np.array(lrs) * factor)
    unified = um.unified_momentum(gradient, START, lrs, momentum=momentum, s=factor)
    scale = max(1.0, np.abs(descent).max())
    np.testing.assert_allclose(unified, descent, rtol=0, atol=1e-12 * scale * factor)
    ball = um.heavy_ball(gradient, START, lrs, momentum=momentum)
    np.testing.assert_allclose(um.unified_momentum(gradient, START, lrs, momentum=momentum, s=0.0), ball, atol=1e-12)


def torch_form(gradient, start, lrs, momentum):
    """SGD whose learning rate multiplies the whole buffer."""
    x, buffer = [start], np.zeros_like(start)
    for t, lr in enumerate(lrs):
        buffer = momentum * buffer + gradient(x[-1], t)
        x.append(x[-1] - lr * buffer)
    return np.array(x)


def test_heavy_ball_is_the_buffered_form_until_the_learning_rate_drops_and_not_after():
    ball = um.heavy_ball(quadratic, START, DROP, momentum=0.9)
    buffered = torch_form(quadratic, START, DROP, 0.9)
    np.testing.assert_allclose(ball[:21], buffered[:21], atol=1e-12)
    assert np.abs(ball[21] - buffered[21]).max() > 1e-2


@pytest.mark.parametrize("s", [0.0, 1.0, 10.0])
def test_the_shifted_iterate_descends_with_the_effective_step(s):
    momentum, factor = 0.9, 10.0
    x = um.unified_momentum(quadratic, START, DROP, momentum=momentum, s=s)
    gradients = np.array([quadratic(point, t) for t, point in enumerate(x[:-1])])
    shift = momentum * factor * (np.diff(x, axis=0) + s * DROP[:, None, None] * gradients)
    shifted = x[1:] + shift
    steps = -factor * DROP[1:, None, None] * gradients[1:]
    np.testing.assert_allclose(np.diff(shifted, axis=0), steps, atol=1e-11)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"momentum": 1.0}, r"momentum must lie in \[0, 1\): received 1.0"),
        ({"s": -1.0}, "s must be finite and at least 0"),
        ({"lrs": []}, "lrs must be a vector of at least one number"),
        ({"lrs": [0.1, 0.0]}, "lrs must be finite and above 0: received 0.0 at index 1"),
        ({"gradient": lambda x, t: x[0]}, r"received \(5,\) at a point of shape \(3, 5\) in iteration 0"),
    ],
)
def test_bad_input_is_refused_with_what_to_change(arguments, message):
    given_values = {"gradient": quadratic, "lrs": [0.1], "momentum": 0.5, "s": 0.0, **arguments}
    with pytest.raises(TheoryError, match=message):
        um.unified_momentum(start=START, **given_values)
