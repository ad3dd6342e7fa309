"""Rungs: where trials are compared, who enters, and how a trial stands among its like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.search.readings import Reading
from tune_regimes.search.rungs import Ladder, Rung, Rungs, Standing

LADDER = Ladder(grace_period=1, reduction_factor=3)


def reading(progress, score=0.0, remaining=10.0, kind=(2, None)):
    return Reading(kind, time=5 + progress, progress=progress, remaining=remaining, score=score)


def entered(rungs):
    return {(kind, level): sorted(entries) for (kind, level), entries in rungs}


@given(grace=st.integers(1, 20), factor=st.sampled_from([1.5, 2, 2.5, 3, 4, 10]))
def test_a_ladder_acts_at_the_first_whole_epoch_at_or_past_each_rung(grace, factor):
    ladder = Ladder(grace, factor)
    expected, rung = set(), float(grace)
    while rung < 200:
        expected.add(int(-(-rung // 1)))
        rung *= factor
    assert {epoch for epoch in range(200) if ladder.acts_at(epoch)} == expected


def test_a_rung_takes_a_value_at_its_own_progress_once():
    rungs = Rungs(LADDER, 2.0)
    places = [rungs.enter("a", reading(progress, score=progress)) for progress in (0, 1, 1, 2, 3, 4)]
    assert places == [None, ((2, None), 1), None, None, ((2, None), 2), None]
    assert [rungs.entry("a", place)[1] for place in places if place] == [1, 3]


def test_a_trial_that_starts_in_the_middle_of_a_phase_fills_no_rung_it_has_skipped():
    rungs = Rungs(LADDER, 2.0)
    assert rungs.enter("a", reading(5)) is None
    assert rungs.enter("a", reading(9)) == ((2, None), 3)
    assert entered(rungs) == {((2, None), 3): ["a"]}


def test_a_trial_that_reports_every_few_epochs_enters_with_the_first_result_past_a_rung():
    rungs = Rungs(LADDER, 2.0)
    assert [rungs.enter("a", reading(progress)) for progress in (0, 2, 4)] == [None, ((2, None), 1), ((2, None), 2)]


def test_one_result_past_several_rungs_enters_only_the_highest():
    rungs = Rungs(LADDER, 2.0)
    rungs.enter("a", reading(0))
    rungs.enter("a", reading(9))
    assert entered(rungs) == {((2, None), 3): ["a"]}


def test_what_a_trial_repeats_after_a_restart_changes_nothing():
    rungs = Rungs(LADDER, 2.0)
    for progress in (0, 1, 2, 3):
        rungs.enter("a", reading(progress, score=progress))
    before = rungs.get_state()
    rungs.left("a")
    assert [rungs.enter("a", reading(progress, score=-1)) for progress in (0, 1, 2, 3)] == [None] * 4
    assert rungs.get_state() == before


def test_progress_that_starts_anew_in_the_next_phase_has_rungs_of_its_own():
    rungs = Rungs(LADDER, 2.0)
    for phase in (2, 3):
        for progress in (1, 2):
            rungs.enter("a", reading(progress, kind=(phase, None)))
    assert entered(rungs) == {((2, None), 1): ["a"], ((3, None), 1): ["a"]}


def test_a_trial_at_its_end_enters_no_rung():
    rungs = Rungs(LADDER, 2.0)
    assert rungs.enter("a", reading(1, remaining=0)) is None
    assert entered(rungs) == {}


@given(
    entries=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9)), min_size=1, max_size=30),
    ratio=st.sampled_from([1.0, 1.5, 2.0, float("inf")]),
)
def test_a_standing_is_what_counting_the_cohort_gives(entries, ratio):
    rung = Rung(ratio)
    for number, (remaining, score) in enumerate(entries):
        rung.enter(str(number), remaining, score)
    for number, (remaining, score) in enumerate(entries):
        cohort = [s for r, s in entries if r <= ratio * remaining and remaining <= ratio * r]
        assert rung.standing(str(number)) == Standing(len(cohort), sum(other > score for other in cohort))


@pytest.mark.parametrize(
    ("size", "better", "among"), [(2, 0, False), (3, 0, True), (3, 1, False), (6, 1, True), (6, 2, False)]
)
def test_a_third_of_a_cohort_goes_on(size, better, among):
    assert Standing(size, better).among_best(3) == among


def test_of_a_small_cohort_to_which_nothing_can_come_the_best_goes_on():
    assert Standing(2, 0).among_best(3, closed=True)
    assert not Standing(2, 1).among_best(3, closed=True)
    assert Standing(9, 2).among_best(3, closed=True)


def test_rungs_are_restored_from_their_state():
    rungs = Rungs(LADDER, 2.0)
    for number, score in enumerate([0.3, 0.1, 0.2]):
        rungs.enter(str(number), reading(1, score=score, remaining=10 + number))
    again = Rungs(LADDER, 2.0)
    again.set_state(rungs.get_state())
    place = ((2, None), 1)
    assert again.get_state() == rungs.get_state()
    assert [again.standing(name, place) for name in "012"] == [rungs.standing(name, place) for name in "012"]
    assert again.enter("0", reading(1)) is None
