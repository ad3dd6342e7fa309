"""Stage trees from tables of which the truth is known."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.stage_tree import Stage, stage_trees, tally
from tune_regimes.schedule import Phase, Plateau, Policy, Ramp, Schedule, Settings, forked


def trial(policy: Policy, **how: Any) -> dict[str, Any]:
    return {"policy": policy, **how}


def two(transition: int, lr: float = 0.01, epochs: int = 6) -> Schedule:
    return Schedule((Phase(lr=0.1, epochs=transition), Phase(lr=lr, epochs=epochs - transition)))


def plateau(factor: float, patience: int = 1, epochs: int = 8) -> Plateau:
    return Plateau(Phase(lr=0.1, epochs=epochs), factor=factor, patience=patience)


def spans(root: Stage) -> list[tuple[int, int, int]]:
    """Start, end and number of trials of every stage but the root."""
    return sorted((stage.start, stage.end, stage.passing) for stage in root.below() if stage.end)


FLAT = [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]


def test_trials_part_where_their_schedules_do(course_tables: Callable) -> None:
    trees = stage_trees(*course_tables([trial(two(2)), trial(two(4)), trial(two(4, lr=0.02))]))
    assert spans(trees[0]) == [(0, 2, 3), (2, 4, 2), (2, 6, 1), (4, 6, 1), (4, 6, 1)]


def test_two_spellings_of_one_curve_are_one_branch(course_tables: Callable) -> None:
    whole = Schedule((Phase(lr=0.1, epochs=6),))
    split = Schedule((Phase(lr=0.1, epochs=2, name="large"), Phase(lr=0.1, epochs=4, name="small")))
    (root,) = stage_trees(*course_tables([trial(whole), trial(split)])).values()
    assert spans(root) == [(0, 6, 2)]
    assert [stage.trials for stage in root.below()] == [[], ["00000-s0", "00001-s0"]]


def test_settings_that_differ_after_the_first_step_part_trials(course_tables: Callable) -> None:
    ramps = [Schedule((Phase(lr=Ramp("linear", 0.1, end), epochs=4),)) for end in (0.0, 0.05)]
    trials, epochs = course_tables([trial(ramp) for ramp in ramps])
    assert epochs.loc[epochs["epoch"] == 1, "lr"].nunique() == 1
    assert spans(stage_trees(trials, epochs)[0]) == [(0, 4, 1), (0, 4, 1)]


def test_a_trial_that_stops_early_ends_on_the_trunk(course_tables: Callable) -> None:
    courses = [trial(two(4)), trial(two(5)), trial(two(3), status="pruned", epochs=2)]
    root = stage_trees(*course_tables(courses))[0]
    assert spans(root) == [(0, 2, 3), (2, 4, 2), (4, 6, 1), (4, 6, 1)]
    assert {stage.end: stage.trials for stage in root.below() if stage.trials and stage.children} == {2: ["00002-s0"]}


def test_adaptive_trials_share_all_until_they_are_told_differently(course_tables: Callable) -> None:
    courses = [trial(plateau(factor), losses=FLAT) for factor in (0.1, 0.5)]
    root = stage_trees(*course_tables([*courses, trial(two(4, epochs=8))]))[0]
    assert spans(root) == [(0, 4, 3), (4, 8, 1), (4, 8, 1), (4, 8, 1)]
    assert sorted(stage.transitions for stage in root.below() if stage.start == 4) == [[4], [4, 6], [4, 6]]


def test_trials_that_were_told_the_same_by_other_rules_share(course_tables: Callable) -> None:
    dropping = trial(plateau(0.5, epochs=6), losses=FLAT)
    fixed = trial(Schedule((Phase(lr=0.1, epochs=4), Phase(lr=0.05, epochs=2))))
    trials, epochs = course_tables([dropping, fixed])
    assert spans(stage_trees(trials, epochs)[0]) == [(0, 6, 2)]


def test_forks_share_what_they_kept(course_tables: Callable) -> None:
    tail = [Phase(lr=0.001, momentum=0.99, epochs=5)]
    adaptive = plateau(0.5)
    courses = [trial(two(4)), trial(forked(two(4), 5, tail))]
    assert spans(stage_trees(*course_tables(courses))[0]) == [(0, 5, 2), (5, 6, 1), (5, 10, 1)]
    courses = [trial(adaptive, losses=FLAT), trial(forked(adaptive, 6, tail), losses=[*FLAT, 0.1, 0.1, 0.1])]
    assert spans(stage_trees(*course_tables(courses))[0]) == [(0, 6, 2), (6, 8, 1), (6, 11, 1)]


def test_seeds_have_trees_of_their_own(course_tables: Callable) -> None:
    trees = stage_trees(*course_tables([trial(two(2), seed=3), trial(two(2), seed=1), trial(two(4), seed=1)]))
    assert {seed: spans(root) for seed, root in trees.items()} == {
        1: [(0, 2, 2), (2, 6, 1), (2, 6, 1)],
        3: [(0, 6, 1)],
    }
    assert list(trees) == [1, 3]


@pytest.mark.parametrize("text", [None, "no JSON", '{"policy": "of a later version", "phase": {}}', '{"phases": []}'])
def test_a_schedule_that_cannot_be_read_is_replaced_by_the_settings_in_the_table(
    course_tables: Callable, text: str | None
) -> None:
    trials, epochs = course_tables([trial(two(2)), trial(two(4))])
    trees = stage_trees(trials.assign(schedule=text), epochs)
    assert spans(trees[0]) == [(0, 2, 2), (2, 6, 1), (2, 6, 1)]


def test_records_that_an_adaptive_policy_cannot_observe_are_replaced_by_the_settings(course_tables: Callable) -> None:
    trials, epochs = course_tables([trial(plateau(0.1), losses=FLAT), trial(plateau(0.5), losses=FLAT)])
    trees = stage_trees(trials, epochs.drop(columns="train_loss"))
    assert spans(trees[0])[0] == (0, 4, 2)


def test_a_trial_without_an_epoch_is_left_out(course_tables: Callable) -> None:
    tables = course_tables([trial(two(2)), trial(two(4), status="failed", epochs=0, accuracy=None)])
    assert spans(stage_trees(*tables)[0]) == [(0, 6, 1)]
    tables = course_tables([trial(two(4), status="failed", epochs=0, accuracy=None)])
    assert stage_trees(*tables) == {}


def test_epochs_are_counted_over_all_trials(course_tables: Callable) -> None:
    trials, epochs = course_tables([trial(two(2)), trial(two(4), inherited=2), trial(two(4), seed=1)])
    counted = tally(epochs, stage_trees(trials, epochs))
    assert (counted.asked, counted.trained, counted.distinct) == (18, 16, 16)
    assert (
        counted.sentence() == "18 epochs asked for, 16 trained, 2 inherited: a saving of 11 %. The tree has 16 epochs."
    )


def test_a_study_that_had_nothing_to_share_is_told_so(course_tables: Callable) -> None:
    trials, epochs = course_tables([trial(two(2)), trial(two(2), seed=1)])
    assert tally(epochs, stage_trees(trials, epochs)).sentence().endswith("12 epochs: no two trials begin alike.")
    assert tally(epochs.iloc[:0], {}).sentence().startswith("0 epochs asked for, 0 trained, none inherited.")


VALUES = st.sampled_from([0.1, 0.01, Ramp("linear", 0.1, 0.0), Ramp("cosine", 0.1, 0.0, per="epoch")])
SCHEDULES = st.lists(st.builds(Phase, lr=VALUES, epochs=st.integers(1, 4)), min_size=1, max_size=3).map(
    lambda phases: Schedule(tuple(phases))
)
POLICIES: st.SearchStrategy[Policy] = SCHEDULES | st.builds(
    plateau, st.sampled_from([0.1, 0.5]), st.integers(0, 2), st.integers(1, 8)
)
COURSES = st.fixed_dictionaries(
    {
        "policy": POLICIES,
        "seed": st.integers(0, 1),
        "epochs": st.none() | st.integers(1, 2),
        "losses": st.sampled_from([None, [*FLAT, 0.9, 0.9, 0.9, 0.9]]),
    }
).filter(lambda course: (course["epochs"] or 0) <= course["policy"].epochs)


def beginnings(policy: Policy, losses: list[float], epochs: int) -> list[tuple[Settings, ...]]:
    """The settings of the first epoch, of the first two, and so on."""
    state, settings = policy.start(), []
    for epoch in range(epochs):
        settings.append(policy.settings(state, 7))
        state = policy.observe(state, {"train_loss": losses[epoch]})
    return [tuple(settings[: count + 1]) for count in range(epochs)]


@given(courses=st.lists(COURSES, min_size=1, max_size=10))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_tree_holds_every_distinct_beginning_once_and_ends_every_trial(
    course_tables: Callable, courses: list[dict[str, Any]]
) -> None:
    trials, epochs = course_tables(courses)
    trees = stage_trees(trials, epochs)
    distinct = set()
    for course in courses:
        losses = course["losses"] or [1 / (epoch + 1) for epoch in range(12)]
        count = course["epochs"] or course["policy"].epochs
        distinct |= {(course["seed"], *each) for each in beginnings(course["policy"], losses, count)}
    assert tally(epochs, trees).distinct == len(distinct)
    ends = {trial: stage.end for root in trees.values() for stage in root.below() for trial in stage.trials}
    assert ends == epochs.groupby("trial_id").size().to_dict()
