"""Figure 14's grid: 50 x 50 settings and 10,000 steps, by the steps and by powers."""

import numpy as np
import pytest

from tune_regimes.errors import TheoryError
from tune_regimes.theory import heavy_ball as hb
from tune_regimes.theory import quadratic_grid as grid

QUADRATIC = hb.conditioned(6, 1e5)
START = np.random.default_rng(0).standard_normal(6)


@pytest.fixture(scope="module")
def powers():
    return grid.log_losses(QUADRATIC, START, grid.lr_grid(), grid.momentum_grid())


def test_ten_thousand_steps_of_2500_settings_agree_with_matrix_powers(powers):
    steps = grid.log_losses_by_iteration(QUADRATIC, START, grid.lr_grid(), grid.momentum_grid())
    assert steps.shape == (50, 50)
    np.testing.assert_array_equal(np.isinf(steps), np.isinf(powers))
    np.testing.assert_allclose(steps, powers, rtol=0, atol=1e-6)


def test_the_edge_of_divergence_is_at_one_plus_momentum_times_1e_minus_5(powers):
    edge = hb.stability_edge(grid.momentum_grid(), QUADRATIC.hessian.max())
    np.testing.assert_allclose(edge, (1 + grid.momentum_grid()) * 1e-5, rtol=1e-12)
    np.testing.assert_array_equal(np.isfinite(powers), grid.lr_grid()[:, None] < edge)


def test_the_printed_upper_end_of_the_learning_rate_is_far_above_every_stable_one():
    assert grid.lr_grid()[-1] == pytest.approx(5e-5)
    printed = grid.lr_grid(printed=True)
    assert printed[-1] == pytest.approx(5e5)
    losses = grid.log_losses(QUADRATIC, START, printed, [0.0, 0.9])
    assert np.isfinite(losses).mean() < 0.2


def test_the_grid_spans_momentum_from_zero_to_0_999():
    momentums = grid.momentum_grid()
    assert (momentums[0], momentums[-1]) == pytest.approx((0.999, 0.0))
    np.testing.assert_allclose(np.diff(np.log(1 - momentums)), np.log(1e3) / 49)


def test_a_setting_of_lr_zero_is_refused():
    with pytest.raises(TheoryError, match="learning rates must be finite and above 0"):
        grid.log_losses(QUADRATIC, START, [0.0], [0.5])
