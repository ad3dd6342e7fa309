"""The stage tree against a plain set of all prefixes."""

from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.schedule import Phase, Ramp, Schedule
from tune_regimes.sharing.tree import STEPS, StageTree

VALUES = st.sampled_from([0.1, 0.01, Ramp("linear", 0.1, 0.0), Ramp("cosine", 0.1, 0.0, per="epoch")])
PHASES = st.builds(
    Phase,
    lr=VALUES,
    momentum=st.sampled_from([0.0, 0.9]),
    epochs=st.integers(1, 4),
    momentum_rule=st.sampled_from(["keep", "reset"]),
)
SCHEDULES = st.lists(PHASES, min_size=1, max_size=3).map(lambda phases: Schedule(tuple(phases)))
TRIALS = st.lists(st.tuples(SCHEDULES, st.integers(0, 1)), min_size=1, max_size=12)


def prefixes(trials):
    """All distinct prefixes of all schedules, each as the settings of its epochs."""
    told = [(seed, tuple(plan.settings(epoch, STEPS) for epoch in range(plan.epochs))) for plan, seed in trials]
    return {(seed, settings[:n]) for seed, settings in told for n in range(1, len(settings) + 1)}


def planted(trials):
    tree = StageTree()
    for number, (schedule, seed) in enumerate(trials):
        tree.insert(number, seed, schedule)
    return tree


@given(TRIALS)
def test_the_stages_hold_every_distinct_prefix_once(trials):
    tree = planted(trials)
    assert tree.distinct == len(prefixes(trials))
    assert tree.asked == sum(schedule.epochs for schedule, _ in trials)


@given(TRIALS)
def test_every_trial_ends_at_a_node_of_its_own_settings(trials):
    tree = planted(trials)
    found = {}
    for seed, root in tree.roots.items():
        for node in root.below():
            found |= dict.fromkeys(node.trials, (seed, node))
    assert set(found) == set(range(len(trials)))
    for number, (schedule, seed) in enumerate(trials):
        where, node = found[number]
        assert (where, node.epoch) == (seed, schedule.epochs)
        tokens = [
            above.path.token(epoch)
            for above in node.above()
            if above.parent
            for epoch in range(above.parent.epoch, above.epoch)
        ]
        mine = [plan_token(tree, schedule, epoch) for epoch in range(schedule.epochs)]
        assert sorted(tokens) == sorted(mine)


def plan_token(tree, schedule, epoch):
    return tree._tokens[schedule.settings(epoch, STEPS)]


@given(TRIALS)
def test_the_order_of_insertion_makes_no_difference(trials):
    assert planted(trials).distinct == planted(trials[::-1]).distinct


@given(TRIALS)
def test_waiting_and_height_count_what_lies_below(trials):
    tree = planted(trials)
    for root in tree.roots.values():
        for node in root.below():
            ends = [below.epoch for below in node.below() for _ in below.trials]
            assert (node.waiting, node.height) == (len(ends), max(ends))


def test_steps_over_more_batches_than_are_compared_are_told_apart():
    schedules = [Schedule((Phase(lr=0.1, epochs=3, batches_per_step=group),)) for group in (STEPS, 10, 40, 10)]
    assert planted([(schedule, 0) for schedule in schedules]).distinct == 3 * 3
