import numpy as np
import pytest

from analysis.two_regimes.matching import Sweep, choice_distances, clear_matches, match, relate


def make_sweep(momentum: float, points: int, shift: float = 1.0, power: float = 1.0) -> Sweep:
    """Curves that depend on (lr * shift)**power / (1 - momentum) alone."""
    lrs = np.geomspace(1e-3, 10, points) * (1 - momentum)
    acting = (lrs * shift / (1 - momentum)) ** power
    return Sweep(momentum, lrs, 2.3 * np.exp(-np.outer(acting**0.3, np.arange(20) / 10)))


def test_a_match_is_one_minus_momentum_times_the_lr_where_the_step_size_acts() -> None:
    matches = match(make_sweep(0.0, 15), make_sweep(0.9, 15))
    assert matches["match"].to_numpy() == pytest.approx(0.1 * matches["lr"].to_numpy())
    assert matches["distance"].max() == pytest.approx(0.0)
    assert matches["edge"].tolist() == [True] + [False] * 13 + [True]


@pytest.mark.parametrize(("shift", "ratio"), [(1.0, 0.1), (4.0, 0.025)])
def test_slope_and_ratio_are_recovered(shift: float, ratio: float) -> None:
    relation = relate(make_sweep(0.0, 20), make_sweep(0.9, 200, shift=shift))
    assert relation.slope[0] == pytest.approx(1.0, abs=0.02)
    assert relation.ratio[0] == pytest.approx(ratio, rel=0.05)
    assert relation.ratio[1] < ratio * 1.02
    assert relation.ratio[2] > ratio * 0.98


def test_another_slope_is_recovered() -> None:
    relation = relate(make_sweep(0.0, 20), make_sweep(0.9, 200, power=0.5))
    assert relation.slope[0] == pytest.approx(2.0, abs=0.1)


def test_too_few_matches_inside_the_range_give_none() -> None:
    relation = relate(make_sweep(0.0, 20), make_sweep(0.9, 20).within(0.0, 2e-4))
    assert relation.n == 0
    assert np.isnan(relation.slope[0])


def test_a_match_is_ambiguous_where_far_lrs_come_as_near_as_two_seeds() -> None:
    lrs = np.array([0.01, 0.02, 0.5])
    between = np.array([[0.1, 0.2, 0.9], [0.1, 0.9, 0.25], [0.9, 0.9, 0.1]])
    assert clear_matches(lrs, between, noise=0.2).tolist() == [True, False, True]
    assert clear_matches(lrs, between, noise=0.0).all()


def test_ambiguous_matches_are_counted_and_not_used() -> None:
    def valley(momentum: float) -> Sweep:
        """Curves that are as high left of the best lr as right of it, by step size."""
        step_sizes = np.geomspace(1e-3, 10, 21)
        height = np.abs(np.log10(step_sizes) + 1)
        return Sweep(momentum, step_sizes * (1 - momentum), np.outer(height, np.ones(10)))

    assert relate(valley(0.0), valley(0.9)).n > 0
    relation = relate(valley(0.0), valley(0.9), noise=0.01)
    assert (relation.n, relation.ambiguous) == (3, 18), "only at the bottom of the valley is a match clear"


def test_choice_distances_agree_with_brute_force() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=(n, 4)) for n in (2, 3, 2)]
    every = choice_distances(groups)
    chosen = [groups[0][1], groups[1][2], groups[2][0]]
    pairs = [np.linalg.norm(chosen[i] - chosen[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert every.shape == (2, 3, 2)
    assert every[1, 2, 0] == pytest.approx(np.mean(pairs))
