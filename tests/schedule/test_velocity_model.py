"""Algorithm 2 against its loop as printed, its closed-form gaps, and the schedule that it amounts to."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tune_regimes as tr
from tests.schedule.following import told
from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import VelocityModelDrop

MODELS = st.fixed_dictionaries(
    {
        "gamma": st.sampled_from([0.05, 0.5, 4.0]),
        "epsilon": st.sampled_from([0.1, 0.6]),
        "tau": st.sampled_from([0.001, 0.1, 1.5]),
        "factor": st.sampled_from([None, 0.5]),
        "min_lr": st.sampled_from([0.0, 0.1]),
    }
)


def model(epochs=60, lr=0.5, **options):
    return VelocityModelDrop(tr.Phase(lr=lr, momentum=0.9, epochs=epochs), **options)


def algorithm_2(policy, times):
    """Algorithm 2, with the test before the update: the learning rate of each unit of time."""
    i, last, rates = 0, 0, []

    def rate(i):
        exact = policy.first_lr * (2 / (i + 2) if policy.factor is None else policy.factor**i)
        return max(float(f"{exact:.12g}"), policy.min_lr)

    for t in range(times):
        a = rate(i)
        slope = math.pi / 2 * (1 + policy.epsilon * a) / (policy.gamma * a * (t - last + 1 / (policy.gamma * a)) ** 2)
        if slope <= min(policy.tau, policy.gamma * a / 2) * (1 + 1e-12) and rate(i + 1) < a:
            i, last = i + 1, t
        rates.append(rate(i))
    return rates


@given(MODELS)
def test_with_epochs_as_the_unit_the_rates_are_those_of_the_algorithm(options):
    policy = model(**options)
    assert [s.lr for s in told(policy, [{}] * 59)] == algorithm_2(policy, 60)


@given(MODELS, st.sampled_from([1, 3, 7]), st.sampled_from([1, 2]))
def test_with_steps_as_the_unit_the_rates_are_those_of_the_algorithm(options, batches, group):
    steps = -(-batches // group)
    policy = VelocityModelDrop(tr.Phase(lr=0.5, epochs=9, batches_per_step=group), unit="step", **options)
    seen = []
    for settings in told(policy, [{"steps": float(steps)}] * 8, batches):
        values = settings.lr if isinstance(settings.lr, tuple) else (settings.lr,) * batches
        seen += values[::group]
    assert seen == algorithm_2(policy, 9 * steps)


def test_a_gap_beyond_the_whole_numbers_that_floats_tell_apart_is_that_of_the_closed_form():
    assert model(gamma=1e-20).gap(0.1) == pytest.approx((math.sqrt(math.pi * 1.06) - 1) / 1e-21)


@given(MODELS)
def test_gaps_are_the_closed_form_rounded_up(options):
    policy = model(**options)
    for a in (0.5, 1 / 3, 0.1):
        rise = options["gamma"] * a
        threshold = min(options["tau"], rise / 2)
        exact = rise**-0.5 * (math.sqrt(math.pi * (1 + options["epsilon"] * a) / (2 * threshold)) - rise**-0.5)
        assert policy.gap(a) == math.ceil(exact)
        assert policy.slope(a, policy.gap(a)) <= threshold < policy.slope(a, policy.gap(a) - 1)


@given(MODELS)
def test_what_is_known_beforehand_is_the_schedule_that_is_followed(options):
    policy = model(**options)
    forecast = policy.forecast()
    assert not policy.adaptive
    assert [forecast.settings(epoch, 5) for epoch in range(60)] == told(policy, [{}] * 59)
    assert policy.last_phase == forecast.last_phase


def test_gaps_lie_between_the_bounds_of_theorem_3():
    policy = model(gamma=0.05, epsilon=0.6, tau=0.01)
    lower, upper = (math.sqrt(math.pi) - 1) / 0.05, math.sqrt(2 * math.pi / (3 * 0.01)) / 0.05
    for i in range(200):
        a = 1 / (i + 2)
        assert lower / a <= policy.gap(a) <= upper / a + 1


def test_drops_fall_where_theory_has_them():
    theory = pytest.importorskip("tune_regimes.theory.velocity_model")
    rates = [1 / (i + 2) for i in range(9)]
    run = theory.algorithm_2(theory.VelocityModel(gamma=0.5, epsilon=0.6), rates, 0.1)
    forecast = model(epochs=int(run.drop_times[-1]), gamma=0.5, epsilon=0.6, tau=0.1).forecast()
    assert forecast.transitions == tuple(run.drop_times[:-1])
    assert [phase.lr for phase in forecast.phases] == pytest.approx(rates)


def test_where_steps_are_the_unit_they_have_to_be_counted():
    policy = model(unit="step")
    with pytest.raises(ScheduleError, match="received 'steps'"):
        policy.observe(policy.start(), {"train_loss": 1.0})
    assert (policy.adaptive, policy.last_phase) == (True, None)


def test_a_ramp_of_another_value_goes_on_over_a_drop():
    phase = tr.Phase(lr=0.5, weight_decay=tr.Ramp("linear", 0.1, 0.0, per="epoch"), epochs=60)
    policy = VelocityModelDrop(phase, gamma=4.0)
    assert [s.weight_decay for s in told(policy, [{}] * 59)] == [phase.settings(e, 5).weight_decay for e in range(60)]
    assert policy.adaptive


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gamma": 0.0}, "gamma must be finite and above 0"),
        ({"epsilon": 0.7}, r"epsilon must lie below 1 / \(3 lr\).*received 0\.7 with lr=0\.5\. Lower"),
        ({"tau": 2.0}, r"tau must lie in \(0, 2\)"),
        ({"factor": 1.0}, r"factor must lie in \(0, 1\)"),
        ({"min_lr": 0.6}, "min_lr must be at most the lr"),
        ({"unit": "batch"}, "Choose one of: epoch, step"),
        ({"lr": 0.0}, "lr must be finite and above 0"),
    ],
)
def test_what_is_no_velocity_model_is_refused(wrong, message):
    with pytest.raises(ScheduleError, match=message):
        model(**wrong)
