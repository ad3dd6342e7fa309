"""Giving out trials: nothing twice, nothing lost, whatever running trials do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.schedule import Phase, Ramp, Schedule
from tune_regimes.sharing.dispatch import Dispatcher

PHASES = st.builds(
    Phase, lr=st.sampled_from([0.1, 0.01, Ramp("linear", 0.1, 0.0)]), momentum=st.just(0.9), epochs=st.integers(1, 4)
)
SCHEDULES = st.lists(PHASES, min_size=1, max_size=3).map(lambda phases: Schedule(tuple(phases)))
TRIALS = st.lists(st.tuples(SCHEDULES, st.integers(0, 1)), min_size=1, max_size=12)


def two_phase(transition, epochs=6, small=0.01):
    return Schedule((Phase(lr=0.1, epochs=transition), Phase(lr=small, epochs=epochs - transition)))


def dispatcher(**transitions):
    made = Dispatcher()
    for name, transition in transitions.items():
        made.add(name, 0, two_phase(transition))
    return made


def start(made):
    found = made.next()
    return None if found is None else found.trial


def test_what_shares_a_prefix_in_training_is_held_back_until_it_is_stored():
    made = dispatcher(early=1, late=3)
    first = made.next()
    assert (first.trial, first.epoch, first.branches) == ("early", 0, (1,))
    assert made.next() is None
    made.reached("early", 1)
    second = made.next()
    assert (second.trial, second.source, second.epoch) == ("late", "early", 1)


def test_the_longest_path_goes_first():
    made = Dispatcher()
    made.add("short", 0, Schedule((Phase(lr=0.5, epochs=2),)))
    made.add("long", 0, Schedule((Phase(lr=0.1, epochs=9),)))
    made.add("middle", 1, Schedule((Phase(lr=0.1, epochs=5),)))
    assert [start(made) for _ in range(4)] == ["long", "middle", "short", None]


def test_equal_schedules_are_trained_once_and_copied():
    made = dispatcher(one=2, two=2, three=2)
    first = made.next()
    assert (first.branches, first.ends) == ((), (6,))
    assert made.next() is None
    made.reached("one", 6)
    copies = [made.next(), made.next()]
    assert [(copy.trial, copy.epoch) for copy in copies] == [("two", 6), ("three", 6)]


def test_a_schedule_that_is_the_beginning_of_another_inherits_all_of_it():
    made = Dispatcher()
    made.add("whole", 0, Schedule((Phase(lr=0.1, epochs=5),)))
    made.add("half", 0, Schedule((Phase(lr=0.1, epochs=2),)))
    first = made.next()
    assert (first.trial, first.branches, first.ends) == ("whole", (), (2,))
    made.reached("whole", 2)
    assert made.next().epoch == 2


def test_seeds_share_nothing():
    made = Dispatcher()
    for seed in range(3):
        made.add(seed, seed, two_phase(3))
    assert {start(made) for _ in range(3)} == {0, 1, 2}


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_when_the_owner_of_a_prefix_leaves_another_takes_over(epoch):
    made = dispatcher(early=1, late=3, last=4)
    owner = made.next()
    assert (owner.trial, owner.branches) == ("late", (1, 3))
    made.reached("late", epoch)
    assert start(made) == (None if epoch < 1 else "early")
    made.left("late")
    heir = made.next()
    assert (heir.trial, heir.branches) == (("last", ()) if epoch >= 1 else ("early", (1,)))
    if epoch < 1:
        assert made.next() is None
        made.reached("early", 1)
        assert start(made) == "last"
    assert made.waiting == 0


def test_a_trial_added_later_waits_for_one_that_is_on_its_way():
    made = dispatcher(owner=6 - 1)
    assert start(made) == "owner"
    made.reached("owner", 1)
    made.add("later", 0, two_phase(3))
    assert made.next() is None
    made.reached("owner", 3)
    assert start(made) == "later"


def test_a_trial_added_later_starts_at_once_where_its_prefix_has_been_passed():
    made = dispatcher(owner=5)
    assert start(made) == "owner"
    made.reached("owner", 4)
    made.add("later", 0, two_phase(3))
    assert start(made) == "later"


def test_a_state_is_freed_when_the_last_trial_that_waits_for_it_has_begun():
    made = Dispatcher()
    for name, small in (("a", 0.01), ("b", 0.02), ("c", 0.03)):
        made.add(name, 0, two_phase(3, small=small))
    assert start(made) == "a"
    made.reached("a", 3)
    assert (start(made), start(made)) == ("b", "c")
    made.began("b")
    assert made.freed == []
    made.began("c")
    assert made.freed == [("a", 3)]


@given(TRIALS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_every_trial_is_given_out_once_whatever_running_ones_do(trials, workers, random):
    made = Dispatcher()
    late = [(number, *trial) for number, trial in enumerate(trials)]
    for _ in range(random.randint(0, len(late))):
        number, schedule, seed = late.pop()
        made.add(number, seed, schedule)
    lengths = [schedule.epochs for schedule, _ in trials]
    running, given_out = {}, []
    while made.waiting or running or late:
        if late and random.random() < 0.3:
            number, schedule, seed = late.pop()
            made.add(number, seed, schedule)
        while len(running) < workers and (found := made.next()):
            given_out.append(found.trial)
            running[found.trial] = 0
        assert running or not made.waiting, "trials wait for nobody"
        if running:
            trial = random.choice(sorted(running))
            running[trial] += 1
            made.reached(trial, running[trial])
            if running[trial] >= lengths[trial] or random.random() < 0.2:
                made.left(trial)
                made.began(trial)
                del running[trial]
    assert sorted(given_out) == list(range(len(trials)))
