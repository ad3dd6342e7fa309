"""Heavy ball on quadratics: the steps, the powers of the recursion and the dense matrix agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import heavy_ball as hb
from tune_regimes.theory.matrices import spectral_radius
from tune_regimes.theory.quadratic_grid import best_lrs, log_losses, lr_grid

MOMENTUMS = (0.0, 0.5, 0.9, 0.95)
# The run behind the values that the tests below quote: 30 log-spaced eigenvalues, a standard normal start of seed 0.
QUADRATIC = hb.conditioned(30, 1e5)
START = np.random.default_rng(0).standard_normal(30)


@pytest.fixture(scope="module")
def tuned():
    """The run of 10,000 steps at the best lr of the grid, for each momentum of figure 2."""
    lrs = best_lrs(lr_grid(), log_losses(QUADRATIC, START, lr_grid(), MOMENTUMS))
    return [
        hb.run(QUADRATIC, START, lr=lr, momentum=mu, steps=10_000) for lr, mu in zip(lrs, MOMENTUMS, strict=True)
    ], lrs


def test_the_log_loss_after_10000_steps_falls_with_momentum(tuned):
    final = [np.log(trace.losses[-1]) for trace in tuned[0]]
    assert final == pytest.approx([0.01, -2.38, -11.36, -18.83], abs=0.006)


def test_the_alignment_after_10000_steps_nears_one_only_with_momentum(tuned):
    final = [trace.alignments[-1] for trace in tuned[0]]
    assert final == pytest.approx([0.78, 0.954, 0.994, 0.9999], abs=0.003)
    assert [trace.alignments_printed[-1] for trace in tuned[0]] == [-value for value in final]


def test_the_scale_after_10000_steps_is_near_one_over_one_minus_momentum(tuned):
    final = [trace.scales[-1] for trace in tuned[0]]
    assert final == pytest.approx([1.000, 2.001, 10.04, 20.30], abs=0.005)
    assert final == pytest.approx([hb.scale_limit(mu) for mu in MOMENTUMS], rel=0.05)


def test_the_scale_ends_where_the_slowest_coordinate_takes_it(tuned):
    for trace, lr, mu in list(zip(*tuned, MOMENTUMS, strict=True))[2:]:
        assert trace.scales[-1] == pytest.approx(hb.slow_scale_limit(QUADRATIC, lr, mu), rel=2e-3)


def test_powers_of_the_recursion_give_the_state_at_any_step(tuned):
    for trace, lr, mu in zip(*tuned, MOMENTUMS, strict=True):
        for step in (0, 1, 7, 1000, 10_000):
            weights, buffer = hb.state_at(QUADRATIC, START, lr=lr, momentum=mu, step=step)
            np.testing.assert_allclose(weights, trace.weights[step], rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(buffer, trace.buffers[step], rtol=1e-9, atol=1e-7)


def test_a_dense_matrix_runs_as_its_eigen_coordinates_do():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    matrix = basis * np.geomspace(1, 1e3, 8) @ basis.T
    matrix = (matrix + matrix.T) / 2
    quadratic, eigenbasis = hb.diagonalised(matrix)
    w, g = rng.standard_normal(8), np.zeros(8)
    trace = hb.run(quadratic, w @ eigenbasis, lr=1e-3, momentum=0.7, steps=300)
    for _ in range(300):
        g = 0.7 * g + 2 * matrix @ w
        w = w - 1e-3 * g
    assert trace.losses[-1] == pytest.approx(w @ matrix @ w, rel=1e-8)
    assert trace.alignments[-1] == pytest.approx(g @ w / np.linalg.norm(g) / np.linalg.norm(w), rel=1e-8)
    assert trace.scales[-1] == pytest.approx(np.linalg.norm(g) / np.linalg.norm(2 * matrix @ w), rel=1e-8)


@given(st.floats(0, 0.999), st.floats(1e-3, 1e5), st.floats(1e-3, 3))
def test_heavy_ball_contracts_exactly_below_the_stability_edge(momentum, hessian, fraction):
    lr = fraction * float(hb.stability_edge(momentum, hessian))
    radius = float(hb.contraction(lr, momentum, hessian))
    assert radius == pytest.approx(float(spectral_radius(hb.transition(lr, momentum, hessian))), rel=1e-6)
    if abs(fraction - 1) > 1e-6:
        assert (radius < 1) == (fraction < 1)


def test_uncorrelated_gradients_accumulate_to_one_over_the_root_of_one_minus_momentum_squared():
    rng, buffer = np.random.default_rng(0), np.zeros(20_000)
    for _ in range(200):
        gradient = rng.standard_normal(buffer.size)
        buffer = 0.9 * buffer + gradient
    assert hb.scale_limit(0.9, correlated=False) == pytest.approx(2.294, abs=1e-3)
    assert float(hb.scale(buffer, gradient)) == pytest.approx(2.294, rel=0.02)


def test_the_scale_of_an_oscillating_coordinate_has_no_limit():
    with pytest.raises(TheoryError, match="overdamped"):
        hb.slow_scale_limit(hb.conditioned(5, 10.0), 0.1, 0.9)


@pytest.mark.parametrize("lr", [0.0, 1.5e-5, float("nan"), -1e-6])
def test_a_learning_rate_that_is_zero_or_not_stable_is_refused(lr):
    with pytest.raises(TheoryError, match="stability edge"):
        hb.run(QUADRATIC, START, lr=lr, momentum=0.0, steps=1)


def test_bad_matrices_and_shapes_are_refused():
    with pytest.raises(TheoryError, match="symmetric"):
        hb.diagonalised([[1.0, 0.5], [0.0, 1.0]])
    with pytest.raises(TheoryError, match="no eigenvalue below 0: received one of -1"):
        hb.diagonalised([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(TheoryError, match="square"):
        hb.diagonalised(np.ones((2, 3)))
    with pytest.raises(TheoryError, match="above 0"):
        hb.diagonalised(np.diag([1.0, 0.0]))
    with pytest.raises(TheoryError, match=r"start must have shape \(30,\)"):
        hb.run(QUADRATIC, START[:3], lr=1e-6, momentum=0.0, steps=1)
    with pytest.raises(TheoryError, match="finite"):
        hb.state_at(QUADRATIC, START * np.nan, lr=1e-6, momentum=0.0, step=1)
