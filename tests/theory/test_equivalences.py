"""Identities between runs, to floating point: exponential learning rates, momentum rescaled, AdamW scaled."""

import math

import numpy as np
import pytest

from tune_regimes.errors import TheoryError
from tune_regimes.theory import effective_lr as dynamics
from tune_regimes.theory import equivalences as eq
from tune_regimes.theory.scale_invariant import random_sphere_loss

LOSS = random_sphere_loss(0, 6, 8)
BATCHES = np.random.default_rng(0).integers(8, size=500)
START = np.random.default_rng(1).standard_normal(6)


def gradient(weights, step):
    return LOSS.gradient(weights, BATCHES[step])


def directions(path):
    return path / np.linalg.norm(path, axis=1, keepdims=True)


def test_exponential_learning_rates_with_the_exponent_2t_plus_1_are_weight_decay_exactly():
    lr, wd, steps = 0.05, 0.02, 300
    decayed = eq.sgd_path(gradient, START, [lr] * steps, wd)
    growing = eq.sgd_path(gradient, START, eq.exponential_lrs(lr, wd, steps))
    np.testing.assert_allclose(directions(growing), directions(decayed), rtol=0, atol=1e-14)
    factors = (1 - lr * wd) ** -np.arange(steps + 1.0)
    np.testing.assert_allclose(growing, factors[:, None] * decayed, rtol=1e-12, atol=1e-13)


def test_the_printed_exponent_2t_gives_other_directions():
    lr, wd, steps = 0.05, 0.02, 300
    decayed = directions(eq.sgd_path(gradient, START, [lr] * steps, wd))
    printed = directions(eq.sgd_path(gradient, START, eq.exponential_lrs(lr, wd, steps, printed=True)))
    assert np.abs(printed - decayed).max() > 1e-5
    shifted = eq.exponential_lrs(lr, wd, steps, printed=True) / (1 - lr * wd)
    np.testing.assert_allclose(shifted, eq.exponential_lrs(lr, wd, steps), rtol=1e-13)


def test_dividing_the_start_by_the_root_of_the_learning_rate_removes_it_from_momentum():
    lr, intrinsic_lr, steps = 0.07, 0.01, 300
    kwargs = {"momentum": 0.9, "form": "two_step"}
    path = eq.momentum_path(gradient, START, [lr] * steps, weight_decay=intrinsic_lr / lr, **kwargs)
    unit = eq.momentum_path(gradient, START / math.sqrt(lr), [1.0] * steps, weight_decay=intrinsic_lr, **kwargs)
    np.testing.assert_allclose(directions(unit), directions(path), rtol=0, atol=1e-14)
    np.testing.assert_allclose(unit * math.sqrt(lr), path, rtol=0, atol=1e-13)


def test_the_two_forms_of_momentum_agree_until_the_learning_rate_changes():
    lrs = [0.1] * 50 + [0.01] * 10
    buffer, two_step = (
        eq.momentum_path(gradient, START, lrs, momentum=0.9, weight_decay=0.02, form=form) for form in eq.MOMENTUM_FORMS
    )
    np.testing.assert_allclose(buffer[:51], two_step[:51], atol=1e-12)
    assert np.abs(buffer[51] - two_step[51]).max() > 1e-3


def test_plain_sgd_at_lr_over_one_minus_momentum_follows_momentum_and_the_printed_rate_does_not():
    def slow(weights, step):
        return LOSS.gradient(weights, 0)

    lr, wd, steps = 1e-3, 0.5, 3000
    momentum = directions(eq.momentum_path(slow, START, [lr] * steps, momentum=0.9, weight_decay=wd))[-1]

    def distance(rate):
        return np.linalg.norm(directions(eq.sgd_path(slow, START, [rate] * steps, wd))[-1] - momentum)

    short = [eq.sgd_path(slow, START, [rate] * 300, wd) for rate in (eq.plain_lr(lr, 0.9), lr)]
    reference = eq.momentum_path(slow, START, [lr] * 300, momentum=0.9, weight_decay=wd)
    assert np.linalg.norm(short[0][-1] - reference[-1]) < 0.1 * np.linalg.norm(short[1][-1] - reference[-1])
    assert eq.plain_lr(lr, 0.9) == pytest.approx(0.01)
    assert eq.plain_lr_printed(lr, wd, 0.9) == pytest.approx(0.005), "the intrinsic learning rate, not a step"
    assert distance(eq.plain_lr(lr, 0.9)) < 1e-2


@pytest.mark.parametrize("scale", [0.01, 7.0])
def test_adamw_with_start_and_alpha_scaled_takes_the_same_directions(scale):
    settings = {"weight_decay": 0.05, "steps": 300, "multiplier": 0.5}
    path = eq.adamw_path(gradient, START, alpha=0.01, **settings)
    scaled = eq.adamw_path(gradient, scale * START, alpha=0.01 * scale, **settings)
    np.testing.assert_allclose(directions(scaled), directions(path), rtol=0, atol=2e-14)
    np.testing.assert_allclose(scaled / scale, path, rtol=0, atol=1e-13)


def test_adamw_scaled_by_a_power_of_two_is_the_same_bit_for_bit():
    settings = {"weight_decay": 0.05, "steps": 300, "multiplier": 0.5}
    path = eq.adamw_path(gradient, START, alpha=0.01, **settings)
    np.testing.assert_array_equal(eq.adamw_path(gradient, 8 * START, alpha=0.08, **settings) / 8, path)


def test_the_arguments_of_torch_for_adamw_need_weight_decay_divided_by_the_scale():
    alpha, wd, multiplier, scale = 0.01, 0.05, 0.5, 4.0
    path = eq.adamw_path(gradient, START, alpha=alpha, weight_decay=wd, multiplier=multiplier, steps=200)

    def torch_form(start, lr, weight_decay):
        """torch.optim.AdamW with eps 0: theta' = theta - lr (mh / sqrt(vh) + weight_decay theta)."""
        return eq.adamw_path(gradient, start, alpha=lr, weight_decay=lr * weight_decay, steps=200)

    np.testing.assert_allclose(torch_form(START, multiplier * alpha, wd / alpha), path, rtol=0, atol=1e-12)
    scaled = torch_form(scale * START, scale * multiplier * alpha, wd / alpha / scale)
    np.testing.assert_allclose(scaled / scale, path, rtol=0, atol=1e-12)


def test_adamw_with_the_usual_eps_is_only_nearly_scale_free():
    settings = {"weight_decay": 0.05, "steps": 300, "eps": 1e-8}
    path = eq.adamw_path(gradient, START, alpha=0.01, **settings)
    scaled = eq.adamw_path(gradient, 7 * START, alpha=0.07, **settings)
    gap = np.abs(directions(scaled) - directions(path)).max()
    assert 1e-11 < gap < 1e-5


def test_scaling_only_alpha_changes_the_run():
    path = eq.adamw_path(gradient, START, alpha=0.01, weight_decay=0.05, steps=50)
    other = eq.adamw_path(gradient, START, alpha=0.07, weight_decay=0.05, steps=50)
    assert np.abs(directions(path) - directions(other)).max() > 0.01


def test_under_the_linear_scaling_rule_the_batch_size_only_rescales_time():
    lr, wd, batch, trace, start = 0.8, 0.01, 16, 5.0, 2.0
    single_lr, le = eq.single_example_lr(lr, batch), eq.single_example_intrinsic_lr(lr, wd, batch)
    times = np.array([0.0, 10, 50, 200])
    batched = dynamics.integrate_gamma(times, (start / lr) ** 2, lr * wd, lambda t: trace / batch)
    single = dynamics.integrate_gamma(times * batch, (start / single_lr) ** 2, le, lambda t: trace)
    np.testing.assert_allclose(np.sqrt(batched) * lr, np.sqrt(single) * single_lr, rtol=1e-8)
    assert le == pytest.approx(lr * wd / batch)
    settled = dynamics.equilibrium_gamma(le, trace, discrete=False)
    other = eq.single_example_intrinsic_lr(2 * lr, wd / 2, batch)
    assert dynamics.equilibrium_gamma(other, trace, discrete=False) == pytest.approx(settled), "le / B alone decides"
    assert eq.single_example_intrinsic_lr_printed(wd, batch) == wd / batch
    same_wd = eq.single_example_intrinsic_lr(2 * lr, wd, batch)
    assert dynamics.equilibrium_gamma(same_wd, trace, discrete=False) == pytest.approx(settled / 2), "wd / B does not"


def test_bad_input_is_refused():
    with pytest.raises(TheoryError, match="learning rates must be above 0"):
        eq.sgd_path(gradient, START, [0.1, 0.0])
    with pytest.raises(TheoryError, match="intrinsic learning rate"):
        eq.sgd_path(gradient, START, [1.0], weight_decay=1.0)
    with pytest.raises(TheoryError, match="learning rate must be finite and above 0"):
        eq.exponential_lrs(0.0, 0.1, 3)
    with pytest.raises(TheoryError, match="range of float64"):
        eq.exponential_lrs(0.1, 1.0, 10_000)
    with pytest.raises(TheoryError, match="form of momentum"):
        eq.momentum_path(gradient, START, [0.1], momentum=0.9, weight_decay=0.0, form="nesterov")
    with pytest.raises(TheoryError, match="Set eps"):
        eq.adamw_path(lambda w, t: np.zeros_like(w), START, alpha=0.1, weight_decay=0.0, steps=1)
    with pytest.raises(TheoryError, match="alpha"):
        eq.adamw_path(gradient, START, alpha=0.0, weight_decay=0.0, steps=1)
