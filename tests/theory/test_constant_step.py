"""SGD with a constant step: the contraction factor of Theorem 2 beside exact second moments and many runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import components as parts
from tune_regimes.theory import constant_step as sgd
from tune_regimes.theory.cubic import CubicComponents


def interpolating(seed=0, count=12, dimension=4):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, dimension))
    return parts.least_squares(rows, rows @ rng.standard_normal(dimension))


def step_with_factor(model, rho):
    """The step at which the contraction factor is rho, on its falling branch."""
    steps = np.linspace(1e-6, sgd.contracting_limit(model) / 2, 4000)
    factors = np.array([sgd.contraction_factor(model, a) for a in steps])
    return float(np.interp(-rho, -factors[: factors.argmin()], steps[: factors.argmin()]))


def test_the_exact_second_moment_stays_under_the_powers_of_rho_936():
    model, start = interpolating(count=40, dimension=3), np.zeros(3)
    step = step_with_factor(model, 0.936)
    rho = sgd.contraction_factor(model, step)
    assert rho == pytest.approx(0.936, abs=1e-4)
    moments = sgd.second_moments(model, start, step, 200)
    assert (moments <= moments[0] * rho ** np.arange(201) * (1 + 1e-12)).all()
    assert moments[-1] < 1e-5 * moments[0]


@pytest.mark.parametrize("batch", [1, 3])
def test_the_exact_second_moment_is_the_mean_over_many_runs(batch):
    model, start = interpolating(), np.zeros(4)
    step = 0.5 * sgd.step_limit(model)
    exact = sgd.second_moments(model, start, step, 15, batch)
    runs = sgd.simulate(model, start, step, 15, 20_000, np.random.default_rng(0), batch)
    error = runs.std(axis=0) / np.sqrt(len(runs))
    assert (np.abs(runs.mean(axis=0) - exact) <= 5 * error + 1e-9).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 1.9))
def test_theorem_2_never_promises_more_than_the_exact_rate(seed, fraction):
    model = interpolating(seed, count=8, dimension=3)
    step = fraction * sgd.contracting_limit(model) / 2
    rho = sgd.contraction_factor(model, step)
    assert sgd.mean_square_rate(model, step) <= rho * (1 + 1e-9)
    assert rho < 1, "every step below 6c contracts"


@given(st.integers(0, 10_000), st.floats(0.01, 0.9))
def test_rho_crosses_one_exactly_at_6c(seed, share):
    model = interpolating(seed, count=8, dimension=3)
    where = sgd.Neighbourhood(radius=share * sgd.radius_limit(model, 2.0), lipschitz=2.0)
    edge = sgd.contracting_limit(model, where)
    assert sgd.contraction_factor(model, edge, where) == pytest.approx(1.0, abs=1e-9)
    assert sgd.contraction_factor(model, 0.99 * edge, where) < 1 < sgd.contraction_factor(model, 1.01 * edge, where)


def test_6b_as_printed_bounds_the_step_by_what_the_proof_needs_for_the_radius():
    model = interpolating()
    assert sgd.step_limit_printed(model, 1e6) == pytest.approx(sgd.radius_limit(model, 1e6))
    assert sgd.step_limit_printed(model, 1e6) < sgd.step_limit(model)
    assert sgd.radius_limit(model, 0.0) == float("inf")
    step = sgd.step_limit(model)
    top = np.linalg.eigvalsh(model.hessians)[:, -1].max(), 2 * np.linalg.eigvalsh(model.mean_hessian)[-1]
    assert step == pytest.approx(min(1 / top[0], 1 / top[1]))


def test_sgd_with_a_constant_step_converges_only_where_the_model_interpolates():
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((10, 3))
    consistent = parts.least_squares(rows, rows @ np.ones(3))
    noisy = parts.least_squares(rows, rows @ np.ones(3) + rng.standard_normal(10))
    step = 0.3 * sgd.step_limit(noisy)
    assert consistent.interpolation_residual() < 1e-12
    assert noisy.interpolation_residual() > 0.1
    assert np.abs(sgd.stationary_covariance(consistent, step)).max() < 1e-20
    exact = np.trace(sgd.stationary_covariance(noisy, step))
    runs = sgd.simulate(noisy, noisy.solution, step, 600, 3000, np.random.default_rng(1))
    assert runs[:, 300:].mean() == pytest.approx(exact, rel=0.02)
    still = sgd.simulate(consistent, np.zeros(3), step, 600, 200, np.random.default_rng(1))
    assert still[:, -1].max() < 1e-6 * still[0, 0]


@pytest.mark.parametrize("delta", [0.1, 0.5])
def test_runs_leave_the_neighbourhood_but_no_more_often_than_lemma_3_allows(delta):
    model = interpolating(3, count=40, dimension=3)
    step = 0.9 * sgd.contracting_limit(model)
    assert step > sgd.step_limit(model), "below 6b no step on quadratic components can lead outwards"
    radius = 1.0
    start = model.solution + np.sqrt(delta) * radius * np.array([1.0, 0.0, 0.0])
    assert sgd.exit_bound(radius, float(np.linalg.norm(start - model.solution))) == pytest.approx(delta)
    runs = sgd.simulate(model, start, step, 200, 4000, np.random.default_rng(0))
    assert 0 < (runs > radius**2).any(axis=1).mean() <= delta


def cubic_model():
    """Cubic terms of both signs, so that L is not 0."""
    hessians = np.array([np.diag([2.0, 0.1]), np.diag([0.1, 2.0]), np.diag([0.5, 0.5])])
    return CubicComponents(hessians, np.array([[0.3, -0.3], [-0.3, 0.3], [0.2, 0.2]]))


def cubic_runs(model, start, step, steps, runs, radius):
    """Squared distances of SGD runs on cubic components, and whether each has stayed so far."""
    rng, x = np.random.default_rng(0), np.tile(start, (runs, 1))
    squares, inside = [(x**2).sum(1)], [np.ones(runs, dtype=bool)]
    for _ in range(steps):
        gradients = model.gradients(x)[np.arange(runs), rng.integers(len(model.cubic), size=runs)]
        x = x - step * gradients
        squares.append((x**2).sum(1))
        inside.append(inside[-1] & (squares[-1] <= radius**2))
    return np.array(squares), np.array(inside)


def test_runs_obey_theorem_3_on_components_that_are_not_quadratic():
    model, delta = cubic_model(), 0.3
    radius = 0.5 * sgd.radius_limit(model.at_solution, model.lipschitz)
    where = sgd.Neighbourhood(radius, model.lipschitz)
    step = 0.9 * min(sgd.step_limit(model.at_solution), sgd.contracting_limit(model.at_solution, where))
    rho = sgd.contraction_factor(model.at_solution, step, where)
    assert rho < 1
    start = np.sqrt(delta) * radius * np.array([0.6, 0.8])
    squares, inside = cubic_runs(model, start, step, 60, 4000, radius)
    assert inside[-1].mean() >= 1 - delta
    stayed = (squares * inside[-1]).mean(axis=1)
    assert (stayed <= rho ** np.arange(61) * float(start @ start) * (1 + 1e-12)).all()


@given(st.integers(0, 10_000), st.floats(0.01, 2.0))
def test_lemmas_1_and_2_bound_gradients_and_remainders(seed, radius):
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((5, 3, 3))
    model = CubicComponents(factors @ factors.transpose(0, 2, 1), rng.standard_normal((5, 3)))
    points = rng.standard_normal((50, 3))
    points *= radius * rng.uniform(0, 1, (50, 1)) / np.linalg.norm(points, axis=1, keepdims=True)
    norms = np.linalg.norm(model.gradients(points), axis=-1)
    assert (norms <= model.gradient_bounds(radius) * (1 + 1e-12)).all()
    errors = np.linalg.norm(model.remainders(points), axis=-1)
    assert (errors <= model.lipschitz * (points**2).sum(-1)[:, None] * (1 + 1e-12)).all()
    linear = np.einsum("kij,rj->rki", model.hessians, points)
    np.testing.assert_allclose(model.gradients(points) - linear, model.remainders(points), atol=1e-12)


def test_bad_input_is_refused():
    model = interpolating()
    with pytest.raises(TheoryError, match="step must be finite and above 0"):
        sgd.contraction_factor(model, 0.0)
    with pytest.raises(TheoryError, match="must contract"):
        sgd.stationary_covariance(model, 3 * sgd.contracting_limit(model))
    with pytest.raises(TheoryError, match="smaller radius"):
        sgd.contracting_limit(model, sgd.Neighbourhood(radius=1e9, lipschitz=1.0))
    noisy = parts.least_squares(np.eye(2)[[0, 0, 1]], [0.0, 1.0, 0.0])
    with pytest.raises(TheoryError, match="gradient f_i"):
        sgd.second_moments(noisy, np.zeros(2), 0.1, 1)
    with pytest.raises(TheoryError, match="inside the radius"):
        sgd.exit_bound(1.0, 2.0)
    with pytest.raises(TheoryError, match="each Hessian must have no eigenvalue below 0"):
        CubicComponents(-np.eye(2)[None], np.zeros((1, 2)))
