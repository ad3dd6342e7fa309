"""AutoDrop against its published algorithm, run as printed and as corrected on scripted angles and weights."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tune_regimes as tr
from tests.schedule.following import Weights, angles_record, followed, told
from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import forked, policy_from_json
from tune_regimes.sharing.course import Course

SATURATING = [90 - 60 * math.exp(-t / 8) for t in range(1, 201)]
ANGLES = st.lists(st.sampled_from([math.nan, 60.0, 60.005, 60.02, 60.3, 75.0]), min_size=1, max_size=40)


def autodrop(epochs=201, lr=0.1, **options):
    return tr.AutoDrop(tr.Phase(lr=lr, momentum=0.9, epochs=epochs), **options)


def drop_epochs(policy, angles):
    """The epochs, from 1, behind which the average is adopted."""
    return [epoch for epoch, settings in enumerate(told(policy, map(angles_record, angles))) if settings.adopt]


def algorithm_1(angles, steps, *, literal, lr, rho, min_lr, threshold, max_threshold, delay):
    """Algorithm 1 as printed, or corrected, on a scalar weight: its value and learning rate after each epoch."""
    x, z, weights, k, drop = 0.0, 0.0, 0.0, 0, False
    trace = []
    for t, (angle, step) in enumerate(zip(angles, steps, strict=True), start=1):
        x += step
        saturated = t > 2 and abs(angle - angles[t - 2]) < threshold
        if saturated and (literal or not drop):
            z, weights, k, drop = 0.0, 0.0, 0, True
        if drop:
            k += 1
            z, weights = z + k * x, weights + k
            if k > delay:
                x = 2 * z / ((delay + 1) * delay) if literal else z / weights
                lr, threshold, drop = max(min_lr, rho * lr), min(max_threshold, threshold / rho), False
        trace.append((x, lr))
    return trace


@given(ANGLES, st.booleans(), st.sampled_from([0.1, 0.2, 0.5]), st.integers(1, 4))
def test_weights_and_learning_rates_are_those_of_the_algorithm(angles, literal, rho, delay):
    steps = [math.sin(t) for t in range(len(angles))]
    policy = autodrop(len(angles) + 1, rho=rho, delay=delay, literal=literal)
    expected = algorithm_1(
        angles, steps, literal=literal, lr=0.1, rho=rho, min_lr=1e-4, threshold=0.01, max_threshold=1.0, delay=delay
    )
    weights, settings = Weights(), told(policy, map(angles_record, angles))
    for epoch, step in enumerate(steps):
        weights.train(settings[epoch], step)
        # What the algorithm does at the end of an epoch, the policy does at the start of the next.
        adopted = Weights(weights.value)
        adopted.mean, adopted.collected = weights.mean, weights.collected
        adopted.train(settings[epoch + 1], 0.0)
        assert (adopted.value, settings[epoch + 1].lr) == pytest.approx(expected[epoch], rel=1e-9)


def test_saturation_drops_once_every_delay():
    assert drop_epochs(autodrop(), SATURATING) == [74, 95, 116, 137, 158, 179, 200]


def test_the_literal_algorithm_never_drops_while_the_angle_stays_saturated():
    assert drop_epochs(autodrop(literal=True), SATURATING) == []


@pytest.mark.parametrize("delay", [1, 5, 20])
def test_the_literal_average_of_constant_weights_is_too_large(delay):
    angles = [30.0, 60.0, 60.0, *([90.0, 30.0] * delay)]
    for literal, factor in ((True, (delay + 2) / delay), (False, 1.0)):
        policy, weights = autodrop(delay=delay, literal=literal), Weights(7.0)
        for settings in told(policy, map(angles_record, angles)):
            weights.train(settings, 0.0)
        assert weights.value == pytest.approx(7.0 * factor)


@pytest.mark.parametrize(("rho", "drops"), [(0.1, 3), (0.2, 5), (0.5, 10)])
def test_the_factor_decides_how_many_drops_lead_to_the_floor(rho, drops):
    policy = autodrop(900, rho=rho, delay=1)
    last = followed(policy, [angles_record(60.0)] * 100)[-1]
    assert (last.drops, last.lr) == (drops, 1e-4)
    assert last.adoptions > drops


@pytest.mark.parametrize(
    ("rho", "thresholds"),
    [
        (0.1, [0.01, 0.1, 1, 1]),
        (0.2, [0.01, 0.05, 0.25, 1, 1]),
        (0.5, [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1, 1]),
    ],
)
def test_the_threshold_grows_as_the_learning_rate_falls(rho, thresholds):
    states = followed(autodrop(900, rho=rho, delay=1), [angles_record(60.0)] * 100)
    seen = [states[0].threshold] + [
        now.threshold for before, now in pairwise(states) if now.adoptions > before.adoptions
    ]
    assert seen[: len(thresholds)] == thresholds


def test_at_the_floor_weights_are_still_averaged_unless_told_to_hold():
    held = drop_epochs(autodrop(at_floor="hold"), SATURATING)
    assert held == [74, 95, 116, 137, 158]
    assert drop_epochs(autodrop(), SATURATING)[:5] == held


def test_the_weights_after_the_epoch_that_saturated_are_the_first_of_the_average():
    settings = told(autodrop(delay=2), map(angles_record, [math.nan, 30, 60, 60, 30, 60, 30]))
    assert [told.average for told in settings] == [None] * 4 + [(0, 1), (1, 2), (1, 3), None]
    assert [told.adopt for told in settings] == [0] * 6 + [1, 0]
    assert [told.lr for told in settings] == [0.1] * 6 + [0.02] * 2


def test_the_first_angle_is_never_compared_even_where_it_is_the_90_degrees_of_a_displacement_of_zero():
    assert drop_epochs(autodrop(delay=1), [90.0, 90.0, 30.0, 60.0]) == []
    assert drop_epochs(autodrop(delay=1), [90.0, 90.0, 90.0, 60.0]) == [4]


def test_the_first_epoch_may_lack_the_angle_and_later_ones_may_not():
    policy = autodrop()
    state = policy.observe(policy.start(), {"train_loss": 1.0})
    with pytest.raises(ScheduleError, match=r"received 'angular_velocity'\. Choose from train_loss"):
        policy.observe(state, {"train_loss": 1.0})


def test_ramps_of_other_values_and_any_optimizer_go_on_over_a_drop():
    phase = tr.Phase(
        lr=0.01,
        momentum=tr.Ramp("linear", 0.8, 0.9),
        weight_decay=tr.Ramp("linear", 0.1, 0.0),
        epochs=6,
        optimizer="adamw",
    )
    settings = told(tr.AutoDrop(phase, delay=1, rho=0.5), map(angles_record, [60.0] * 5))
    assert [told.lr for told in settings] == [0.01] * 4 + [0.005] * 2
    for epoch, told_ in enumerate(settings):
        plain = phase.settings(epoch, 5)
        assert (told_.optimizer, told_.momentum, told_.weight_decay) == ("adamw", plain.momentum, plain.weight_decay)


def test_a_fork_in_the_middle_of_the_delay_leaves_the_average_behind():
    policy = forked(autodrop(delay=5), 6, [tr.Phase(lr=0.3, epochs=4)])
    settings = told(policy, map(angles_record, [60.0] * 9))
    assert [told.average for told in settings] == [None] * 3 + [(0, 1), (1, 2), (1, 3)] + [None] * 4
    assert [told.lr for told in settings] == [0.1] * 6 + [0.3] * 4
    assert policy_from_json(policy.to_json()) == policy


def test_policies_of_different_factors_share_all_epochs_up_to_the_first_drop():
    courses = [Course(autodrop(rho=rho, delay=3), "root", 5) for rho in (0.1, 0.2, 0.5)]
    alike = 0
    while len({course.next_key for course in courses}) == 1:
        alike += 1
        courses = [course.after(angles_record(60.0)) for course in courses]
    assert alike == 6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rho": 0.0}, r"rho must lie in \(0, 1\): received 0\.0"),
        ({"rho": 1.0}, r"rho must lie in \(0, 1\): received 1\.0"),
        ({"min_lr": 0.2}, r"min_lr must be at most the lr of the phase: received 0\.2 with lr=0\.1\. Lower it"),
        ({"delay": 0}, "delay must be an integer of at least 1: received 0. Average"),
        ({"threshold": 0.0}, "threshold must be finite and above 0"),
        ({"threshold": 2.0}, r"threshold must be at most max_threshold: received 2\.0 and 1\.0\. Raise"),
        ({"at_floor": "stop"}, "Choose one of: average, hold"),
        ({"literal": "yes"}, "literal must be True or False"),
    ],
)
def test_what_is_no_autodrop_is_refused(wrong, message):
    with pytest.raises(ScheduleError, match=message):
        autodrop(**wrong)
    with pytest.raises(ScheduleError, match=r"must be a number: received Ramp"):
        autodrop(lr=tr.Ramp("linear", 0.1, 0.0))
