"""Incremental gradient descent: the sweep as a matrix, the steps themselves, and the range of steps that converges."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import components as parts
from tune_regimes.theory import incremental as igd


def gaussian_rows(seed=212, penalty=0.1):
    """40 rows of 6 numbers of variance 1/6: a draw whose printed bound is 6.64 (1.49 and .95 are of another such)."""
    rng = np.random.default_rng(seed)
    rng.standard_normal(6)
    rows = rng.standard_normal((40, 6)) / np.sqrt(6)
    return parts.least_squares(rows, rng.standard_normal(40), penalty=penalty)


@pytest.mark.parametrize("order", igd.ORDERS)
def test_a_sweep_is_what_its_component_steps_do(order):
    model, start = gaussian_rows(), np.arange(6.0)
    one = igd.sweep(model, 0.7, order)
    path = igd.iterate(model, start, 0.7, 5, order)
    for before, after in pairwise(path):
        np.testing.assert_allclose(one.matrix @ before + one.offset, after, rtol=0, atol=1e-12)


def test_the_printed_product_visits_the_last_row_first_and_has_the_forward_sweeps_radius():
    model, step = gaussian_rows(), 0.7
    printed, forward = igd.sweep(model, step, "printed"), igd.sweep(model, step, "forward")
    assert np.abs(printed.matrix - forward.matrix).max() > 1e-3
    assert printed.radius == pytest.approx(forward.radius, rel=1e-9)
    reverse = parts.Components(model.hessians[::-1], model.pulls[::-1])
    np.testing.assert_allclose(igd.sweep(reverse, step, "forward").offset, printed.offset, atol=1e-12)


def test_the_printed_sweep_follows_equation_21_letter_by_letter():
    rng = np.random.default_rng(1)
    a, b, d, mu, t = rng.standard_normal((4, 3)), rng.standard_normal(4), np.diag([1.0, 2.0, 3.0]), 0.3, 0.2
    k, c = [np.eye(3)], np.zeros(3)
    for row, target in zip(a, b, strict=True):
        c += target * k[-1] @ row
        k.append(k[-1] @ (np.eye(3) - t * np.outer(row, row) - t * mu / 4 * d))
    one = igd.sweep(parts.least_squares(a, b, penalty=mu, weighting=d), t, "printed")
    np.testing.assert_allclose(one.matrix, k[-1], atol=1e-14)
    np.testing.assert_allclose(one.offset, t * c, atol=1e-14)


def test_gaussian_rows_stop_converging_far_below_the_printed_bound():
    model = gaussian_rows()
    limit, (best, radius) = igd.true_range(model), igd.best_step(model)
    assert igd.range_printed(model) == pytest.approx(6.64, abs=0.005)
    assert limit == pytest.approx(1.49, rel=0.1)
    assert best == pytest.approx(0.95, abs=0.02)
    assert radius < 0.1


def test_the_true_range_is_where_iteration_begins_to_diverge():
    model = gaussian_rows()
    limit, solution = igd.true_range(model), model.solution
    inside, outside = (igd.sweep(model, factor * limit) for factor in (0.99, 1.01))
    assert inside.radius < 1 < outside.radius
    path = igd.iterate(model, solution + 1, 0.9 * limit, 400)
    np.testing.assert_allclose(path[-1], igd.sweep(model, 0.9 * limit).fixed_point, atol=1e-9)
    growth = np.linalg.norm(igd.iterate(model, solution + 1, 1.1 * limit, 60), axis=1)
    assert growth[-1] > 1e3 * growth[0]


@given(st.integers(2, 12), st.floats(0.01, 2.0))
def test_example_1_converges_for_steps_below_one_whatever_the_printed_rule_says(dimension, step):
    model = parts.separable_squares(dimension)
    np.testing.assert_allclose(igd.sweep(model, step).matrix, (1 - 2 * step) * np.eye(dimension), atol=1e-14)
    assert igd.sweep(model, step).radius == pytest.approx(abs(1 - 2 * step), abs=1e-14)
    assert igd.range_printed(model) == pytest.approx(dimension)


def test_example_1_has_the_true_range_zero_to_one():
    assert igd.true_range(parts.separable_squares(5)) == pytest.approx(1.0, abs=1e-12)


def test_the_printed_range_can_also_be_too_small():
    model = parts.linearised([[[1.0]], [[3.0]]], [0.0])
    assert igd.range_printed(model) == pytest.approx(1.0)
    assert igd.true_range(model) == pytest.approx(4 / 3, abs=1e-9)


def test_example_2_keeps_the_kernel_so_that_no_step_converges():
    rng = np.random.default_rng(0)
    rows, targets = rng.standard_normal((4, 7)), rng.standard_normal(4)
    flat = parts.least_squares(rows, targets)
    eigenvalues = np.linalg.eigvals(igd.sweep(flat, 0.1).matrix)
    assert np.sort(np.abs(eigenvalues - 1))[:3] == pytest.approx([0, 0, 0], abs=1e-10)
    kernel = np.linalg.svd(rows)[2][-1]
    np.testing.assert_allclose(igd.sweep(flat, 0.1).matrix @ kernel, kernel, atol=1e-12)
    assert igd.true_range(flat) == 0.0
    assert igd.true_range(parts.least_squares(rows, targets, penalty=0.1)) > 0


def test_example_4_pulls_every_start_to_the_common_solution():
    rng = np.random.default_rng(2)
    factors = rng.standard_normal((5, 3, 3))
    model = parts.linearised(factors @ factors.transpose(0, 2, 1) + 0.1 * np.eye(3), [1.0, -2.0, 3.0])
    step = 0.5 * igd.true_range(model)
    one = igd.sweep(model, step)
    np.testing.assert_allclose(one.fixed_point, [1.0, -2.0, 3.0], atol=1e-9)
    np.testing.assert_allclose(igd.iterate(model, np.zeros(3), step, 500)[-1], [1.0, -2.0, 3.0], atol=1e-6)
    assert igd.range_printed(model) == pytest.approx(2 / np.linalg.eigvalsh(model.hessians.mean(0))[-1])


def test_figure_2_has_a_u_shaped_radius_and_a_flat_error():
    model, data = parts.noisy_logistic(0)
    steps = np.linspace(0.05, 3.0, 60)
    radii = igd.radii(model, steps)
    errors = np.array([np.log(((igd.sweep(model, t).fixed_point - data) ** 2).sum()) for t in steps])
    assert (radii < 1).all()
    assert set(np.sign(np.diff(radii))) == {-1.0, 1.0}
    assert (np.diff(np.sign(np.diff(radii))) != 0).sum() == 1, "one turn: falling, then rising"
    assert np.ptp(errors) < 1.0
    assert np.sqrt(((igd.sweep(model, 3.0).fixed_point - data) ** 2).mean()) < 0.02, "closer than the noise"


def test_many_steps_at_once_have_the_radius_of_each_sweep():
    model = gaussian_rows()
    steps = [0.1, 0.9, 2.0]
    np.testing.assert_allclose(igd.radii(model, steps), [igd.sweep(model, t).radius for t in steps], rtol=1e-9)


def test_bad_steps_orders_and_scans_are_refused():
    model = gaussian_rows()
    with pytest.raises(TheoryError, match="step size t"):
        igd.sweep(model, 0.0)
    with pytest.raises(TheoryError, match="order of a sweep"):
        igd.sweep(model, 0.1, "random")
    with pytest.raises(TheoryError, match="spectral radius"):
        _ = igd.sweep(model, 5.0).fixed_point
    with pytest.raises(TheoryError, match="larger `upper`"):
        igd.true_range(model, upper=0.5)
    with pytest.raises(TheoryError, match=r"start must have shape \(6,\)"):
        igd.iterate(model, np.zeros(5), 0.1, 1)


def test_bad_components_are_refused():
    with pytest.raises(TheoryError, match=r"targets must have shape \(2,\)"):
        parts.least_squares(np.ones((2, 3)), np.ones(3))
    with pytest.raises(TheoryError, match="D must have no eigenvalue below 0"):
        parts.least_squares(np.ones((2, 2)), np.ones(2), penalty=1.0, weighting=-np.eye(2))
    with pytest.raises(TheoryError, match="each Hessian must be symmetric"):
        parts.linearised([[[1.0, 1.0], [0.0, 1.0]]], [0.0, 0.0])
    with pytest.raises(TheoryError, match="each Hessian must be square"):
        parts.linearised(np.ones((2, 2, 3)), np.zeros(3))
    with pytest.raises(TheoryError, match="penalty"):
        parts.least_squares(np.ones((2, 2)), np.ones(2), penalty=-1.0)
