"""Theorem 1 of AutoDrop: its limits in closed form, by the recursion of the moments and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import noisy_quadratic as nq
from tune_regimes.theory.angular_velocity import means
from tune_regimes.theory.noisy_quadratic_runs import descend

RATES = (0.06, 0.03, 0.01, 0.001)
ANGLES = {"identity": (118.2282, 103.2795, 94.3350, 90.4310), "inverse": (115.6012, 101.9191, 93.8660, 90.3833)}
COSINES = {
    "identity": (-0.472984, -0.229702, -0.075588, -0.007522),
    "inverse": (-0.432105, -0.206531, -0.067424, -0.006689),
}
SPECTRA = st.lists(st.floats(0.01, 20.0), min_size=1, max_size=8)


@pytest.mark.parametrize("noise", ANGLES)
def test_the_saturation_levels_are_those_of_the_published_spectrum(noise):
    model = nq.paper_quadratic(noise)
    assert [model.angle_limit(lr) for lr in RATES] == pytest.approx(ANGLES[noise], abs=6e-5)
    assert [model.cosine_limit(lr) for lr in RATES] == pytest.approx(COSINES[noise], abs=6e-7)


def test_inner_products_squared_steps_and_losses_have_the_limits_of_the_published_spectrum():
    model = nq.paper_quadratic()
    products = (-86.80503, -7.210547, -0.2196866, -2.036387e-4)
    assert [model.inner_product_limit(lr) for lr in RATES] == pytest.approx(products, rel=3e-7)
    squares = (183.5262, 31.39085, 2.906387, 0.02707064)
    assert [model.squared_step_limit(lr) for lr in RATES] == pytest.approx(squares, rel=3e-7)
    assert [model.stationary_loss(lr) for lr in RATES] == pytest.approx((764.69, 261.59, 72.66, 6.768), rel=1e-4)


@pytest.mark.parametrize("noise", ANGLES)
@pytest.mark.parametrize("lr", RATES[:3])
def test_simulated_descent_reaches_the_limits_within_two_percent(noise, lr):
    model = nq.paper_quadratic(noise)
    run = descend(model, lr, iterations=500, replicates=32, spread=0.0, seed=1)
    settled = slice(300, None)
    assert run.inner_products[settled].mean() == pytest.approx(model.inner_product_limit(lr), rel=0.02)
    assert run.squared_steps[settled].mean() == pytest.approx(model.squared_step_limit(lr), rel=0.02)
    assert run.losses[settled].mean() == pytest.approx(model.stationary_loss(lr), rel=0.03)
    assert run.angular_velocity[settled].mean() == pytest.approx(model.angle_limit(lr), abs=0.3)


@pytest.mark.parametrize("noise", ANGLES)
def test_at_the_smallest_learning_rate_the_simulated_angle_stands_above_90_degrees_by_what_the_limit_says(noise):
    model = nq.paper_quadratic(noise)
    run = descend(model, 0.001, iterations=1500, replicates=24, spread=0.0, seed=5)
    assert run.angular_velocity[700:].mean() == pytest.approx(model.angle_limit(0.001), abs=0.12)
    assert model.angle_limit(0.001) - 90.0 > 0.3


def test_at_a_small_learning_rate_the_recursion_of_the_moments_settles_at_the_limits():
    model, lr = nq.paper_quadratic(), 0.001
    keep, noise = (1.0 - lr * model.curvatures) ** 2, (lr * model.curvatures) ** 2 * model.variances
    moments = np.zeros(200)
    for _ in range(50_000):
        moments = keep * moments + noise
    np.testing.assert_allclose(moments, model.stationary_variance(lr), rtol=1e-4)
    products = (lr * model.curvatures) ** 2 * ((1.0 - lr * model.curvatures) * moments - lr * model.curvatures)
    assert products.sum() == pytest.approx(model.inner_product_limit(lr), rel=1e-4)


def test_the_moments_are_those_of_replicates_on_their_way():
    model, lr = nq.paper_quadratic(), 0.001
    run = descend(model, lr, iterations=1500, replicates=16, spread=10.0, seed=2)
    expected = model.second_moments(lr, 1500, np.full(200, 100.0))
    assert run.losses[-200:].mean() == pytest.approx(0.5 * (expected[-200:] @ model.curvatures).mean(), rel=0.03)


def test_the_stationary_variance_solves_the_recursion_with_squared_noise_and_the_printed_one_without():
    model, lr = nq.paper_quadratic("inverse"), 0.03
    keep, noise = (1.0 - lr * model.curvatures) ** 2, model.curvatures**2 * model.variances
    variance, printed = model.stationary_variance(lr), model.stationary_variance_printed(lr)
    np.testing.assert_allclose(keep * variance + lr**2 * noise, variance, rtol=1e-13)
    np.testing.assert_allclose(keep * printed + lr * noise, printed, rtol=1e-13)
    np.testing.assert_allclose(variance, lr**2 * noise / (1.0 - keep), rtol=1e-12)
    last = descend(model, lr, iterations=100, replicates=400, spread=0.0).last[:, 100:]
    np.testing.assert_allclose((last**2).mean(0), variance[100:], rtol=0.3)
    assert (last**2).mean() == pytest.approx(variance[100:].mean(), rel=0.02)


def test_the_angle_rises_from_near_zero_and_flattens_as_the_moments_say():
    model = nq.paper_quadratic()
    run = means(descend(model, 0.001, iterations=1021, replicates=16, spread=10.0, seed=3).angular_velocity)
    expected = means(model.expected_angles(0.001, 1021, np.full(200, 100.0)))
    np.testing.assert_allclose(run.mean(axis=1), expected, atol=1.0)
    recomputed = {0: 9.6, 5: 32.0, 20: 85.0, 50: 89.0}
    for block, degrees in recomputed.items():
        assert run[block].min() - 0.5 < degrees < run[block].max() + 0.5
        assert expected[block] == pytest.approx(degrees, abs=1.5)


def test_lower_learning_rates_saturate_later_and_lower():
    model, start = nq.paper_quadratic(), np.full(200, 100.0)
    curves = [model.expected_angles(lr, 5_000, start) for lr in RATES]
    assert np.all(np.diff([curve[-1] for curve in curves]) < 0.0)
    reached = [int(np.argmax(curve > 0.99 * curve[-1])) for curve in curves]
    assert reached == sorted(reached)
    assert reached[0] < reached[-1] / 10


def test_the_printed_range_of_the_cosine_needs_a_product_of_one_and_the_floor_does_not():
    model = nq.paper_quadratic()
    assert model.cosine_floor(0.06) == pytest.approx(-0.6)
    assert np.degrees(np.arccos(model.cosine_floor(0.06))) == pytest.approx(126.87, abs=0.005)
    stiff = nq.NoisyQuadratic([19.0], [1.0])
    assert stiff.cosine_limit(0.1) == pytest.approx(-0.95)
    assert stiff.cosine_limit(0.1) < nq.COSINE_RANGE_PRINTED[0]
    run = descend(stiff, 0.1, iterations=2000, replicates=64, spread=0.0)
    ratio = run.inner_products[500:].mean() / run.squared_steps[500:].mean()
    assert ratio == pytest.approx(-0.95, abs=0.02)


@given(SPECTRA, st.floats(0.001, 0.0999))
def test_the_cosine_stays_between_its_floor_and_zero(curvatures, lr):
    model = nq.NoisyQuadratic(curvatures, np.ones(len(curvatures)))
    cosine = model.cosine_limit(lr)
    assert model.cosine_floor(lr) * (1 + 1e-12) <= cosine <= 0.0
    if lr * max(curvatures) <= 1.0:
        assert nq.COSINE_RANGE_PRINTED[0] * (1 + 1e-12) <= cosine <= nq.COSINE_RANGE_PRINTED[1]
    assert cosine == pytest.approx(model.inner_product_limit(lr) / model.squared_step_limit(lr), rel=1e-12)


def test_the_main_text_by_the_letter_squares_the_variances_once_more_and_misses_the_simulation():
    model, lr = nq.paper_quadratic("inverse"), 0.03
    printed = nq.printed_variances(model)
    run = descend(model, lr, iterations=300, replicates=32, spread=0.0)
    simulated = run.inner_products[100:].mean()
    assert simulated == pytest.approx(model.inner_product_limit(lr), rel=0.02)
    assert abs(printed.inner_product_limit(lr) / simulated - 1.0) > 0.2
    identity = nq.paper_quadratic()
    assert nq.printed_variances(identity).angle_limit(lr) == identity.angle_limit(lr)


def test_a_learning_rate_for_each_iteration_equals_runs_one_after_the_other():
    model = nq.paper_quadratic()
    changing = descend(model, [0.05] * 3 + [0.01] * 2, iterations=5, seed=4)
    constant = descend(model, 0.05, iterations=3, seed=4)
    np.testing.assert_array_equal(changing.losses[:4], constant.losses)
    assert not np.array_equal(changing.losses, descend(model, 0.05, iterations=5, seed=4).losses)


def test_a_seed_repeats_a_run_and_another_does_not():
    model = nq.paper_quadratic()
    first, again, other = (descend(model, 0.03, iterations=4, replicates=2, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.last, again.last)
    assert not np.array_equal(first.last, other.last)


MODEL = nq.NoisyQuadratic([1.0, 4.0], [1.0, 1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nq.NoisyQuadratic([], []), "curvatures must be a vector of at least one number"),
        (
            lambda: nq.NoisyQuadratic([1.0, -1.0], [1.0, 1.0]),
            "curvatures must be finite and above 0: received -1.0 at index 1",
        ),
        (lambda: nq.NoisyQuadratic([1.0], [-1.0]), "variances must be finite and at least 0"),
        (lambda: nq.NoisyQuadratic([1.0], [1.0, 2.0]), "one variance for each curvature: received 2 variances and 1"),
        (lambda: nq.NoisyQuadratic(["steep"], [1.0]), "curvatures must be numbers"),
        (lambda: MODEL.angle_limit(0.5), "stay below 2.*received lr 0.5.*Give an lr below 0.5"),
        (lambda: MODEL.stationary_loss(0.0), "lr must be finite and above 0"),
        (lambda: nq.NoisyQuadratic([1.0], [0.0]).cosine_limit(0.1), "needs noise in some coordinate"),
        (lambda: nq.paper_quadratic("white"), "Choose one of: identity, inverse"),
        (lambda: MODEL.second_moments(0.1, 3, [1.0]), "one second moment for each curvature: received 1 for 2"),
        (lambda: descend(MODEL, 0.6, iterations=10), "stay below 2"),
        (lambda: descend(MODEL, [0.1, 0.7], iterations=2), "stay below 2"),
        (lambda: descend(MODEL, [0.1], iterations=2), "received 1 for 2 iterations"),
        (lambda: descend(MODEL, 0.1, iterations=1), "iterations must be an integer of at least 2"),
        (lambda: descend(MODEL, 0.1, iterations=2, replicates=0), "replicates must be"),
        (lambda: descend(MODEL, 0.1, iterations=2, spread=-1.0), "spread of the start"),
    ],
)
def test_bad_input_is_refused_with_what_to_change(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
