"""The rule of AutoDrop's motivating example, in both readings of its average."""

import numpy as np
import pytest

from tune_regimes.errors import TheoryError
from tune_regimes.theory import saturation_rule as rules
from tune_regimes.theory.angular_velocity import means
from tune_regimes.theory.noisy_quadratic import NoisyQuadratic, paper_quadratic
from tune_regimes.theory.noisy_quadratic_runs import descend

LEVELS = (0.06, 0.03, 0.015, 0.0075, 0.00375, 0.001875, 0.001)


@pytest.fixture(scope="module")
def moving():
    return rules.follow(paper_quadratic(), rules.SaturationRule("moving"), iterations=4000, replicates=8)


@pytest.fixture(scope="module")
def disjoint():
    return rules.follow(paper_quadratic(), rules.SaturationRule("disjoint"), iterations=13_000)


@pytest.mark.parametrize("average", ["moving", "disjoint"])
def test_the_rate_goes_down_the_published_levels_in_six_drops(average, request):
    run = request.getfixturevalue(average)
    assert rules.SaturationRule(average).levels() == LEVELS
    for replicate in range(run.lrs.shape[1]):
        visited = run.lrs[np.flatnonzero(np.diff(run.lrs[:, replicate], prepend=0.0)), replicate]
        assert tuple(visited) == LEVELS


def test_moving_means_drop_within_hundreds_of_iterations(moving):
    assert 20 < moving.drops[:, 0].min() <= moving.drops[:, 0].max() < 400
    assert 100 < moving.drops[:, -1].min() <= moving.drops[:, -1].max() < 1000
    assert 200 < np.median(moving.drops[:, -1]) < 645


def test_disjoint_means_take_thousands_of_iterations_for_the_same_drops(disjoint):
    assert 140 <= disjoint.drops[0, 0] <= 13_520
    assert 9820 <= disjoint.drops[0, -1] <= 30_260
    assert not ((disjoint.drops - 1) % 20).any(), (
        "a block of twenty ends at 1 + 20 k, since the first angle is the second's"
    )


@pytest.mark.parametrize("average", ["moving", "disjoint"])
def test_both_readings_end_at_the_loss_of_the_smallest_rate_and_a_constant_rate_does_not(average, request):
    run, model = request.getfixturevalue(average), paper_quadratic()
    assert run.losses[-600:].mean() == pytest.approx(model.stationary_loss(0.001), rel=0.15)
    stuck = descend(model, 0.06, iterations=300, replicates=16, spread=1.0).losses[100:].mean()
    assert stuck == pytest.approx(762.0, rel=0.02)
    assert stuck > 90 * run.losses[-600:].mean()


def test_a_drop_by_chance_comes_as_often_as_the_normal_law_of_the_change_says(moving):
    saturated = descend(paper_quadratic(), 0.06, iterations=440, replicates=60, spread=1.0).angular_velocity[39:]
    change = np.diff(means(saturated, 20, "moving"), axis=0)
    assert change.std() == pytest.approx(0.38, rel=0.1)
    chance = rules.chance_of_standing_still(float(change.std()))
    assert np.mean(np.abs(change) < 0.01) == pytest.approx(chance, rel=0.15)
    assert np.diff(moving.drops, axis=1).mean() == pytest.approx(1.0 / chance, rel=0.3)
    blocks = np.diff(means(saturated, 20, "disjoint"), axis=0).std()
    assert 20.0 / rules.chance_of_standing_still(float(blocks)) > 50.0 / chance


@pytest.mark.parametrize("average", ["moving", "disjoint"])
def test_drops_are_made_exactly_where_the_recorded_means_stand_still(average, request):
    run = request.getfixturevalue(average)
    for replicate in range(run.lrs.shape[1]):
        column = run.mean_velocity[:, replicate]
        formed = np.flatnonzero(~np.isnan(column))
        still = formed[1:][np.abs(np.diff(column[formed])) < 0.01] + 1
        assert still[:6].tolist() == run.drops[replicate].tolist()


def test_without_a_drop_the_rule_is_plain_descent():
    model, rule = paper_quadratic(), rules.SaturationRule("disjoint", threshold=1e-9)
    run = rules.follow(model, rule, iterations=90, replicates=3, seed=7)
    plain = descend(model, 0.06, iterations=90, replicates=3, seed=7)
    np.testing.assert_array_equal(run.losses, plain.losses)
    np.testing.assert_allclose(run.mean_velocity[20::20], means(plain.angular_velocity, 20), rtol=1e-13)
    assert (run.drops == rules.NEVER).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rules.SaturationRule("sliding"), "Choose one of: disjoint, moving"),
        (lambda: rules.SaturationRule("moving", min_lr=0.1), "must not be above the first: received 0.1 and 0.06"),
        (lambda: rules.SaturationRule("moving", factor=1.0), r"factor must lie in \(0, 1\)"),
        (lambda: rules.SaturationRule("moving", window=0), "window must be"),
        (lambda: rules.SaturationRule("moving", threshold=0.0), "threshold must be"),
        (lambda: rules.chance_of_standing_still(0.0), "deviation must be"),
        (
            lambda: rules.follow(NoisyQuadratic([40.0], [1.0]), rules.SaturationRule("moving"), iterations=2),
            "stay below 2.*Give an lr below 0.05",
        ),
        (lambda: rules.follow(paper_quadratic(), rules.SaturationRule("moving"), iterations=0), "iterations must be"),
    ],
)
def test_bad_input_is_refused_with_what_to_change(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
