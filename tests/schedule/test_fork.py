"""Forks: the head is told what it was told before, and the tail follows as if the schedule had been written so."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tune_regimes as tr
from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Fork, Phase, Plateau, Ramp, Schedule, forked, policy_from_json, told
from tune_regimes.sharing import key_chain, root_key
from tune_regimes.sharing.course import Course

ROOT = root_key({"seed": 0})
STEPS = 3
RAMPS = [
    0.1,
    Ramp("linear", 0.1, 0.0),
    Ramp("cosine", 0.1, 0.01),
    Ramp("exponential", 0.1, 0.001, per="epoch"),
    Ramp("one_minus_sqrt", 0.1, 0.0),
]
PHASES = st.builds(
    Phase,
    lr=st.sampled_from(RAMPS),
    momentum=st.sampled_from([0.0, 0.9, Ramp("linear", 0.0, 0.9)]),
    epochs=st.integers(1, 5),
    optimizer=st.sampled_from(["sgd", "adam"]),
    momentum_rule=st.sampled_from(["keep", "reset"]),
)
SCHEDULES = st.lists(PHASES, min_size=1, max_size=3).map(lambda phases: Schedule(tuple(phases)))
LOSSES = st.lists(st.sampled_from([0.5, 0.9, 1.0, 2.0, math.nan]), min_size=12, max_size=12)
TAIL = [Phase(lr=0.01, momentum=0.5, epochs=2, momentum_rule="reset"), Phase(lr=0.001, epochs=1)]


def keys(policy, losses=()):
    """The keys after as many epochs as are known."""
    chain, course = [ROOT], Course(policy, ROOT, STEPS)
    for loss in losses[: policy.epochs] or [1.0] * policy.epochs:
        course = course.after({"train_loss": loss})
        chain.append(course.key)
    return chain


@given(SCHEDULES, SCHEDULES, st.data())
def test_the_head_of_a_fork_has_the_keys_of_what_was_forked(schedule, tail, data):
    at = data.draw(st.integers(1, schedule.epochs))
    fork = forked(schedule, at, tail.phases)
    assert fork.epochs == at + tail.epochs
    assert key_chain(ROOT, fork, STEPS, at) == key_chain(ROOT, schedule, STEPS, at)


@given(SCHEDULES, st.data())
def test_a_schedule_that_goes_on_as_it_was_is_the_schedule(schedule, data):
    index = data.draw(st.integers(1, len(schedule.phases)))
    at = sum(phase.length for phase in schedule.phases[:index])
    if at < schedule.epochs:
        assert forked(schedule, at, schedule.phases[index:]) == schedule


@given(SCHEDULES, st.data())
def test_a_fork_of_a_fork_has_the_keys_of_both(schedule, data):
    at = data.draw(st.integers(1, schedule.epochs))
    once = forked(schedule, at, TAIL)
    again = data.draw(st.integers(1, once.epochs))
    assert key_chain(ROOT, forked(once, again, [Phase(lr=1.0, epochs=1)]), STEPS, again) == key_chain(
        ROOT, once, STEPS, again
    )


def test_a_ramp_that_is_cut_keeps_its_values_and_the_tail_begins_anew():
    schedule = Schedule((Phase(lr=Ramp("cosine", 0.4, 0.0), epochs=10),))
    fork = forked(schedule, 4, [Phase(lr=Ramp("linear", 0.1, 0.0), epochs=2)])
    assert [fork.settings(e, STEPS) for e in range(4)] == [schedule.settings(e, STEPS) for e in range(4)]
    assert fork.settings(4, STEPS).lr[0] == 0.1
    assert Schedule.from_json(fork.to_json()) == fork


@given(LOSSES, st.integers(1, 9))
def test_an_adaptive_head_decides_from_the_records_as_it_did(losses, at):
    policy = Plateau(Phase(lr=0.1, momentum=0.9, epochs=9), patience=0)
    fork = forked(policy, at, TAIL)
    assert fork.adaptive
    assert fork.epochs == at + 3
    assert keys(fork, losses)[: at + 1] == keys(policy, losses)[: at + 1]


@given(LOSSES, st.integers(1, 9))
def test_a_fork_of_an_adaptive_policy_equals_the_same_schedule_written_by_hand(losses, at):
    fork = forked(Plateau(Phase(lr=0.1, momentum=0.9, epochs=9), patience=0), at, TAIL)
    course, phases = Course(fork, ROOT, STEPS), []
    for loss in losses[:at]:
        phases.append(Phase(lr=course.settings.lr, momentum=0.9, epochs=1))
        course = course.after({"train_loss": loss})
    by_hand = Schedule((*phases, *TAIL))
    assert keys(fork, losses) == key_chain(ROOT, by_hand, STEPS)


def test_the_phases_of_the_tail_are_counted_on_from_those_of_the_head():
    fork = forked(Plateau(Phase(lr=0.1, epochs=9), patience=0), 3, TAIL)
    records = [{"train_loss": 1.0}] * fork.epochs
    assert [fork.phase_of(state) for _, state in told(fork, records, STEPS)] == [
        (0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (3, 0),
    ]  # fmt: skip
    assert fork.last_phase is None
    assert fork.forecast() == Schedule((Phase(lr=0.1, epochs=3), *TAIL))


def test_forks_of_an_adaptive_fork_are_not_nested():
    policy = Plateau(Phase(lr=0.1, epochs=9), patience=0)
    once = forked(policy, 4, TAIL)
    assert forked(once, 3, TAIL) == forked(policy, 3, TAIL)
    last = Phase(lr=1.0, epochs=1)
    assert forked(once, 5, [last]) == Fork(policy, 4, Schedule((TAIL[0].cut(1), last)))


def test_json_gives_an_equal_fork_back():
    fork = forked(Plateau(Phase(lr=0.1, epochs=9)), 4, TAIL)
    assert policy_from_json(fork.to_json()) == fork
    assert hash(policy_from_json(fork.to_json())) == hash(fork)


@pytest.mark.parametrize(
    ("at", "tail", "message"),
    [
        (0, TAIL, r"epoch of a fork must be an integer in 1\.\.9: received 0"),
        (10, TAIL, r"in 1\.\.9: received 10"),
        (3, [], "needs one Phase or more"),
        (3, [Phase(lr=0.1)], "must have a length"),
    ],
)
@pytest.mark.parametrize("policy", [Plateau(Phase(lr=0.1, epochs=9)), Schedule((Phase(lr=0.1, epochs=9),))])
def test_what_cannot_be_forked_is_refused(policy, at, tail, message):
    with pytest.raises(ScheduleError, match=message):
        forked(policy, at, tail)


@pytest.mark.parametrize(
    "text",
    [
        '{"policy": "fork"}',
        '{"policy": "fork", "head": {"phases": []}, "at": 1, "tail": {"phases": []}}',
        '{"policy": ["fork"]}',
    ],
)
def test_json_that_is_no_fork_is_refused(text):
    with pytest.raises(ScheduleError):
        policy_from_json(text)


def test_the_head_of_a_fork_can_be_no_fork():
    fork = forked(Plateau(Phase(lr=0.1, epochs=9)), 4, TAIL)
    nested = Fork(fork, 2, Schedule(tuple(TAIL)))
    with pytest.raises(ScheduleError, match="the head of a fork must be no fork"):
        policy_from_json(nested.to_json())


@given(SCHEDULES, st.data())
def test_the_first_epochs_of_a_schedule_are_told_what_they_were_told(schedule, data):
    epochs = data.draw(st.integers(1, schedule.epochs))
    first = schedule.first(epochs)
    assert first.epochs == epochs
    assert [first.settings(e, STEPS) for e in range(epochs)] == [schedule.settings(e, STEPS) for e in range(epochs)]
    assert schedule.first(schedule.epochs) == schedule


def test_the_front_door_is_not_needed_to_fork_a_family():
    fork = forked(tr.cosine(epochs=6, lr=0.1, warmup=1), 4, TAIL)
    assert [phase.ramp_epochs for phase in fork.phases] == [None, 5, None, None]
