"""The plateau policy against torch's own scheduler, its phases, and its JSON form."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tune_regimes as tr
from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import policy_from_json

LOSSES = st.lists(st.sampled_from([0.1, 0.5, 0.5 * (1 - 1e-4), 0.9, 1.0, 2.0]), min_size=1, max_size=30)
RULES = st.fixed_dictionaries(
    {
        "factor": st.sampled_from([0.1, 0.5]),
        "patience": st.integers(0, 3),
        "threshold": st.sampled_from([0.0, 1e-4, 0.2]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 2),
        "min_lr": st.sampled_from([0.0, 0.02]),
        "mode": st.sampled_from(["min", "max"]),
    }
)


def followed(policy, values):
    """The states before each epoch and after the last."""
    states = [policy.start()]
    for value in values:
        states.append(policy.observe(states[-1], {policy.metric: value}))
    return states


@given(LOSSES, RULES)
def test_the_learning_rate_is_that_of_torch(losses, rule):
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **rule)
    policy = tr.Plateau(tr.Phase(lr=0.1, epochs=len(losses) + 1), **rule)
    states = followed(policy, losses)
    for epoch, loss in enumerate(losses):
        assert policy.settings(states[epoch], 5).lr == optimizer.param_groups[0]["lr"]
        theirs.step(loss)
    assert policy.settings(states[-1], 5).lr == optimizer.param_groups[0]["lr"]


@given(LOSSES, RULES)
def test_each_drop_begins_a_phase(losses, rule):
    policy = tr.Plateau(tr.Phase(lr=0.1, momentum=0.9, epochs=len(losses) + 1), **rule)
    states = followed(policy, losses)
    rates = [policy.settings(state, 5).lr for state in states]
    phases = [policy.phase_of(state) for state in states]
    for epoch, (index, epoch_in_phase) in enumerate(phases[:-1]):
        dropped = rates[epoch + 1] < rates[epoch]
        assert phases[epoch + 1] == ((index + 1, 0) if dropped else (index, epoch_in_phase + 1))


@given(RULES)
def test_json_gives_an_equal_policy_back(rule):
    policy = tr.Plateau(tr.Phase(lr=0.1, epochs=7, weight_decay=1e-4), **rule)
    assert policy_from_json(policy.to_json()) == policy


def test_a_loss_that_is_not_a_number_is_no_improvement():
    policy = tr.Plateau(tr.Phase(lr=0.1, epochs=9), patience=0)
    states = followed(policy, [1.0, math.nan])
    assert policy.settings(states[-1], 5).lr == pytest.approx(0.01)


def test_a_schedule_is_a_policy_whose_state_is_the_epoch():
    schedule = tr.two_phase(epochs=5, transition_epoch=2, large=tr.Phase(lr=0.1), small=tr.Phase(lr=0.01))
    state = schedule.start()
    for epoch in range(schedule.epochs):
        assert (state, schedule.phase_of(state)) == (epoch, (int(epoch >= 2), epoch - 2 * (epoch >= 2)))
        state = schedule.observe(state, {"train_loss": math.nan})
    assert schedule.forecast() is schedule
    assert schedule.last_phase == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"factor": 1.0}, "factor must lie in"),
        ({"patience": -1}, "patience must be an integer"),
        ({"threshold_mode": "log"}, "Choose one of: rel, abs"),
        ({"mode": "best"}, "Choose one of: min, max"),
        ({"phase": tr.Phase(lr=0.1)}, "must have a length"),
        ({"phase": tr.Phase(lr=tr.Ramp("linear", 0.1, 0.0), epochs=3)}, "must be a number"),
    ],
)
def test_what_is_no_plateau_policy_is_refused(wrong, message):
    with pytest.raises(ScheduleError, match=message):
        tr.Plateau(**({"phase": tr.Phase(lr=0.1, epochs=9)} | wrong))


def test_a_metric_that_is_not_measured_is_refused_with_the_choices():
    policy = tr.Plateau(tr.Phase(lr=0.1, epochs=9), metric="f1")
    with pytest.raises(ScheduleError, match=r"'f1'. Choose from train_loss"):
        policy.observe(policy.start(), {"train_loss": 1.0})


@pytest.mark.parametrize("text", ["{", '{"policy": "autopilot"}', '{"policy": "plateau"}', "[]"])
def test_json_that_is_no_policy_is_refused(text):
    with pytest.raises(ScheduleError):
        policy_from_json(text)
