"""Rows of stage trees: who lies where, and that nothing crosses."""

import sys
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from analysis.figures.tree_layout import Layout, lay_out
from analysis.stage_tree import Stage, Way, plant

WAYS = st.lists(
    st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.sets(st.integers(1, 5)), st.floats(0, 1)),
    min_size=1,
    max_size=14,
)


def planted(*ways: tuple[str, str, list[int]]) -> Stage:
    """A tree of trials by name, a letter per epoch, and where their phases begin."""
    return plant({name: Way(tuple(map(ord, epochs)), tuple(transitions)) for name, epochs, transitions in ways})


def rows_of(root: Stage, **merits: float) -> dict[str, float]:
    """The row of the stage with which each trial ends."""
    rows = lay_out(root, merits).rows
    return {trial: row for stage, row in rows.items() for trial in stage.trials}


def test_what_parts_first_lies_uppermost_and_the_trunk_goes_straight_on() -> None:
    root = planted(("late", "aaaabb", [4]), ("early", "abbbbb", [1]), ("never", "aaaaaa", []), ("mid", "aabbbb", [2]))
    assert rows_of(root) == {"early": 0, "mid": 1, "late": 2, "never": 3}
    layout = lay_out(root, {})
    assert {layout.rows[trunk] for trunk in layout.trunks} == {3}
    assert layout.joints == [(1, 0, 3), (2, 1, 3), (4, 2, 3)]
    assert layout.height == len(layout.branches) == 4


def test_of_those_that_part_at_one_epoch_the_best_is_uppermost() -> None:
    root = planted(("poor", "aabb", [2]), ("none", "aacc", [2]), ("good", "aadd", [2]))
    assert rows_of(root, poor=0.1, good=0.9) == {"good": 0, "poor": 1, "none": 2}
    layout = lay_out(root, {})
    assert [layout.rows[trunk] for trunk in layout.trunks] == [1]


def test_a_group_is_as_good_as_its_best() -> None:
    root = planted(("a1", "aab", [2]), ("a2", "aac", [2]), ("b1", "bbb", []), ("b2", "bbc", [2]))
    assert rows_of(root, a1=0.5, a2=0.4, b1=0.1, b2=0.9) == {"b2": 0, "b1": 1, "a1": 2, "a2": 3}


def test_a_trial_that_ends_on_a_trunk_takes_no_row() -> None:
    layout = lay_out(planted(("pruned", "aa", []), ("whole", "aaaa", [])), {})
    assert layout.height == 1
    assert [(trunk.start, trunk.end) for trunk in layout.trunks] == [(0, 2)]


def test_a_tree_of_more_stages_than_python_nests_calls_is_laid_out() -> None:
    way = Way((), (sys.getrecursionlimit(),))
    root = stage = Stage(0, 1, way)
    for epoch in range(1, sys.getrecursionlimit() + 1):
        stage.children = {token: Stage(epoch, epoch + 1, way, trials=[f"{epoch} {token}"]) for token in (0, 1)}
        stage = stage.children[0]
    assert lay_out(root, {}).height == sys.getrecursionlimit() + 1


def crossings(layout: Layout) -> list[tuple[object, object]]:
    """Stages and joints that cross, and stages that lie on each other."""
    crossed: list[tuple[object, object]] = [
        (joint, stage)
        for joint in layout.joints
        for stage, row in layout.rows.items()
        if stage.start < joint[0] < stage.end and joint[1] <= row <= joint[2]
    ]
    for one, other in combinations(layout.rows, 2):
        if layout.rows[one] == layout.rows[other] and max(one.start, other.start) < min(one.end, other.end):
            crossed.append((one, other))
    return crossed


@given(WAYS)
def test_no_line_crosses_another(ways: list[tuple[list[int], set[int], float]]) -> None:
    known = {
        str(number): Way(tuple(epochs), tuple(sorted(epoch for epoch in begins if epoch < len(epochs))))
        for number, (epochs, begins, _) in enumerate(ways)
    }
    layout = lay_out(plant(known), {str(number): merit for number, (_, _, merit) in enumerate(ways)})
    assert crossings(layout) == []
    assert sorted(layout.rows[branch] for branch in layout.branches) == list(range(layout.height))
