"""Averages over the last epochs: what they come to, what they leave alone, and what a plan knows of them."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tune_regimes as tr
from tests.schedule.following import Weights, angles_record, told
from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import forked, policy_from_json
from tune_regimes.sharing import key_chain, root_key
from tune_regimes.sharing.tree import STEPS, StageTree

ROOT = root_key({"seed": 0})
PLAIN = tr.two_phase(
    epochs=9,
    transition_epoch=4,
    large=tr.Phase(lr=0.5),
    small=tr.Phase(lr=tr.Ramp("cosine", 0.1, 0.0), momentum=0.9),
    weight_decay=1e-3,
)
RULES = st.sampled_from(["swa", "ema", "linear"])


def ends(rule, values, decay=0.8):
    """The average of values by its definition."""
    if rule == "ema":
        mean = values[0]
        for value in values[1:]:
            mean = decay * mean + (1 - decay) * value
        return mean
    weights = [1.0 if rule == "swa" else index for index in range(1, len(values) + 1)]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


@given(RULES, st.integers(1, 9))
def test_it_ends_with_the_average_of_the_weights_after_the_last_epochs(rule, last):
    policy = tr.Averaged(PLAIN, last=last, rule=rule, decay=0.8)
    weights, values = Weights(), []
    for epoch, settings in enumerate(told(policy, [{}] * 9)):
        weights.train(settings, math.sin(epoch) if epoch < 9 else 0.0)
        values.append(weights.value)
    assert values[-1] == pytest.approx(ends(rule, values[9 - last : 9]))


@given(RULES, st.integers(1, 9))
def test_the_training_is_told_what_it_was_told_without(rule, last):
    averaged = told(tr.Averaged(PLAIN, last=last, rule=rule), [{}] * 9)
    assert [replace(settings, average=None) for settings in averaged[:9]] == told(PLAIN, [{}] * 8)
    assert (averaged[9].lr, averaged[9].adopt, averaged[9].momentum) == (0.0, 1.0, averaged[8].momentum)


@given(RULES, st.integers(1, 9))
def test_a_plan_knows_every_epoch_beforehand_where_the_inner_policy_is_a_schedule(rule, last):
    policy = tr.Averaged(PLAIN, last=last, rule=rule)
    forecast = policy.forecast()
    assert [forecast.settings(epoch, 5) for epoch in range(10)] == told(policy, [{}] * 9)
    assert [forecast.phase_of(e) for e in range(10)] == [policy.phase_of(s) for s in states(policy)]
    assert (policy.adaptive, policy.last_phase, policy.epochs) == (False, 1, 10)
    assert forecast.first(10).settings(9, 5) == forecast.settings(9, 5)


def states(policy):
    found = [policy.start()]
    for _ in range(policy.epochs - 1):
        found.append(policy.observe(found[-1], {}))
    return found


@pytest.mark.parametrize("last", [1, 3, 7])
def test_it_shares_all_epochs_before_the_average_with_the_training_without(last):
    constant = tr.Schedule((tr.Phase(lr=0.1, epochs=9),))
    averaged = tr.Averaged(constant, last=last).forecast()
    chains = [key_chain(ROOT, schedule, 5, 9) for schedule in (constant, averaged)]
    alike = sum(a == b for a, b in zip(*chains, strict=True)) - 1
    assert alike == 9 - last + 1


@given(st.lists(st.tuples(RULES, st.integers(1, 9), st.booleans()), min_size=1, max_size=5))
def test_a_plan_counts_every_epoch_that_averages_have_in_common_once(members):
    constant = tr.Schedule((tr.Phase(lr=0.1, epochs=9),))
    schedules = [tr.Averaged(PLAIN if plain else constant, last, rule).forecast() for rule, last, plain in members]
    tree = StageTree()
    for number, schedule in enumerate((constant, *schedules)):
        tree.insert(number, 0, schedule)
    prefixes = {
        tuple(s.settings(e, STEPS) for e in range(n)) for s in (constant, *schedules) for n in range(1, s.epochs + 1)
    }
    assert tree.distinct == len(prefixes)


def test_an_adaptive_policy_can_be_averaged_and_its_drops_go_on():
    policy = tr.Averaged(tr.Plateau(tr.Phase(lr=0.4, epochs=5), patience=0, factor=0.5), last=2)
    settings = told(policy, [angles_record(60.0)] * 5)
    assert [s.lr for s in settings] == [0.4, 0.4, 0.2, 0.1, 0.05, 0.0]
    assert [s.average for s in settings] == [None] * 4 + [(0, 1), (1, 1)]
    assert policy.adaptive


def test_there_is_one_running_average():
    autodrop = tr.AutoDrop(tr.Phase(lr=0.1, epochs=20), delay=2)
    with pytest.raises(ScheduleError, match=r"there is one running average: .* until epoch 20, and last=3"):
        tr.Averaged(autodrop, last=3)
    with pytest.raises(ScheduleError, match="there is one running average"):
        tr.Averaged(tr.Averaged(PLAIN, last=2), last=2)
    tail = forked(autodrop, 8, [tr.Phase(lr=0.01, epochs=4)])
    assert tr.Averaged(tail, last=5).epochs == 13
    with pytest.raises(ScheduleError, match="until epoch 8, and last=6"):
        tr.Averaged(tail, last=6)


def test_a_fork_of_an_averaged_training_leaves_the_average_behind():
    policy = forked(tr.Averaged(PLAIN, last=4), 7, [tr.Phase(lr=0.3, epochs=2)])
    assert [s.average for s in told(policy, [{}] * 8)] == [None] * 6 + [(0, 1), None, None]
    assert policy_from_json(policy.to_json()) == policy


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"last": 0}, r"last must be an integer in 1\.\.9: received 0\. Average"),
        ({"last": 10}, r"last must be an integer in 1\.\.9: received 10\. Average"),
        ({"rule": "median"}, "Choose one of: swa, ema, linear"),
        ({"decay": 1.0}, r"decay must lie in \(0, 1\)"),
        ({"inner": 9}, "inner must be a schedule or a policy: received 9"),
    ],
)
def test_what_cannot_be_averaged_is_refused(wrong, message):
    with pytest.raises(ScheduleError, match=message):
        tr.Averaged(**({"inner": PLAIN, "last": 3} | wrong))
