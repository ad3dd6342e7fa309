"""The plan: its cost is the number of distinct prefixes, on any number of workers."""

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.schedule import Phase, Ramp, Schedule
from tune_regimes.sharing.plan import make_plan

PHASES = st.builds(
    Phase, lr=st.sampled_from([0.1, 0.01, Ramp("linear", 0.1, 0.0)]), momentum=st.just(0.9), epochs=st.integers(1, 4)
)
SCHEDULES = st.lists(PHASES, min_size=1, max_size=3).map(lambda phases: Schedule(tuple(phases)))
TRIALS = st.lists(st.tuples(SCHEDULES, st.integers(0, 1)), min_size=1, max_size=12)


def named(trials):
    return [(f"t{number}", seed, schedule) for number, (schedule, seed) in enumerate(trials)]


def two_phase(transition, epochs, small=0.01):
    return Schedule((Phase(lr=0.1, epochs=transition), Phase(lr=small, epochs=epochs - transition)))


@given(TRIALS, st.sampled_from([1, 2, 4]))
def test_what_is_trained_is_what_is_distinct(trials, workers):
    plan = make_plan(named(trials), workers)
    assert plan.trained == plan.distinct
    assert sorted(a.trial for a in plan.assignments) == sorted(name for name, _, _ in named(trials))


@given(TRIALS, st.sampled_from([1, 2, 4]))
def test_the_span_is_between_what_the_work_and_the_longest_path_allow(trials, workers):
    plan = make_plan(named(trials), workers)
    longest = max(schedule.epochs for schedule, _ in trials)
    assert max(longest, plan.trained / workers) <= plan.span <= plan.trained / workers + longest
    assert plan.span <= plan.span_unshared or workers > 1


@given(TRIALS)
def test_sources_begin_before_those_that_inherit_from_them(trials):
    plan = make_plan(named(trials), 2)
    begins = {a.trial: a for a in plan.assignments}
    for assignment in plan.assignments:
        if assignment.source is not None:
            source = begins[assignment.source]
            assert assignment.begins >= source.begins + assignment.inherited - source.inherited
            assert assignment.inherited in (*source.branches, source.epochs, assignment.epochs)


def test_every_transition_from_one_first_phase_halves_the_work():
    plan = make_plan([(t, 0, two_phase(t, 100)) for t in range(1, 100)], workers=1)
    assert plan.asked == 9900
    assert plan.trained == 99 + sum(100 - t for t in range(1, 100))
    assert plan.saving == pytest.approx(0.49, abs=0.01)
    assert plan.states == 98


def test_ten_thousand_trials_are_planned_in_less_than_a_gigabyte():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    trials = [((t, s), s, two_phase(1 + t % 149, 150, small=1e-3 * (1 + t % 7))) for t in range(2500) for s in range(4)]
    plan = make_plan(trials, workers=8)
    assert len(plan.assignments) == 10_000
    assert plan.trained == plan.distinct
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000
