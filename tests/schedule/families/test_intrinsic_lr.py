"""rescaled, labelled and sde_then_flow against what the paper prints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Schedule, labelled, rescaled, sde_then_flow


def told(schedule: Schedule) -> list[tuple[float, float]]:
    """Learning rate and weight decay of every epoch."""
    settings = [schedule.settings(epoch, 7) for epoch in range(schedule.epochs)]
    return [(each.lr, each.weight_decay) for each in settings]


def rates(label: str, epochs: int = 4, **options: object) -> list[float]:
    return [lr for lr, _ in told(labelled(label, epochs=epochs, **options))]


CHANGES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from([0.1, 0.25, 0.5, 2, 4]), st.sampled_from([0.0, 0.5, 1, 2])), max_size=6
).map(lambda changes: sorted(changes, key=lambda change: change[0]))


@given(CHANGES)
def test_every_epoch_has_the_product_of_the_factors_up_to_it(changes):
    for epoch, (lr, decay) in enumerate(told(rescaled(epochs=10, lr=0.4, weight_decay=5e-4, changes=changes))):
        expected = [0.4, 5e-4]
        for start, *factors in changes:
            if start <= epoch:
                expected = [value * factor for value, factor in zip(expected, factors, strict=True)]
        assert (lr, decay) == pytest.approx(tuple(expected), rel=1e-10)


def test_changes_that_cancel_make_no_phase_of_their_own():
    changes = [(1, 4, 1), (2, 0.25, 1), (2, 4, 1), (3, 0.25, 1)]
    schedule = rescaled(epochs=5, lr=0.1, weight_decay=0.0, changes=changes)
    assert [(phase.lr, phase.epochs) for phase in schedule.phases] == [(0.1, 1), (0.4, 2), (0.1, 2)]


def test_values_that_come_back_are_the_same_numbers_bit_for_bit():
    changes = [(1, 1 / 3, 1 / 7), (2, 3, 7)]
    schedule = rescaled(epochs=3, lr=0.1, weight_decay=0.3, changes=changes)
    assert told(schedule)[2] == told(schedule)[0] == (0.1, 0.3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([(2, 1, 1), (1, 1, 1)], r"received epochs \[2, 1\]\. Sort them"),
        ([(4, 1, 1)], r"the epoch of a change must be an integer in 0\.\.3: received 4\. Leave out"),
        ([(1, -1, 1)], "a factor must be finite and at least 0: received -1.0"),
        ([(1, 0.1)], r"received \(1, 0\.1\)\. Give all three"),
    ],
)
def test_changes_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ScheduleError, match=message):
        rescaled(epochs=4, lr=0.1, weight_decay=0.1, changes=changes)


def test_numbers_after_wd_and_lr_divide_by_ten_at_their_epochs():
    schedule = labelled("wd_1_3_lr_2", epochs=4)
    assert told(schedule) == [(0.1, 5e-4), (0.1, 5e-5), (0.01, 5e-5), (0.01, 5e-6)]
    assert {phase.momentum for phase in schedule.phases} == {0.9}


def test_a_number_acts_as_often_as_it_stands_there():
    assert rates("wd_lr_0_0_2") == [0.001, 0.001, 0.0001, 0.0001]
    assert rates("wd_lr_2_2_2") == pytest.approx([0.1, 0.1, 1e-4, 1e-4], rel=1e-12)


def test_epoch_0_acts_before_training_begins():
    assert rates("wd_lr_0", epochs=1) == [0.01]
    assert told(labelled("wd_0_lr", epochs=1)) == [(0.1, 5e-5)]


def test_the_blue_line_of_figure_2_starts_at_a_thousandth_and_drops_at_5000():
    schedule = labelled("wd_lr_0_0_5000", epochs=5100)
    assert schedule.transitions == (5000,)
    assert [phase.lr for phase in schedule.phases] == [1e-3, 1e-4]


@given(st.lists(st.integers(0, 5), max_size=5), st.lists(st.integers(0, 5), max_size=5))
def test_lists_of_any_length_in_any_order_count_their_divisions(decays, drops):
    label = "_".join(map(str, ["wd", *decays, "lr", *drops]))
    for epoch, (lr, decay) in enumerate(told(labelled(label, epochs=6))):
        counts = [sum(start <= epoch for start in starts) for starts in (drops, decays)]
        assert lr == pytest.approx(0.1 * 0.1 ** counts[0], rel=1e-10)
        assert decay == pytest.approx(5e-4 * 0.1 ** counts[1], rel=1e-10)


def test_start_values_factor_and_momentum_of_a_label_may_be_given():
    schedule = labelled("wd_1_lr_0", epochs=2, lr=0.8, weight_decay=0.1, factor=0.5, momentum=0.0)
    assert told(schedule) == [(0.4, 0.1), (0.4, 0.05)]
    assert schedule.phases[0].momentum == 0.0


@pytest.mark.parametrize("label", ["", "wd_1", "lr_1_wd_1", "wd_1.5_lr", "wd_1_lr_-1", "wd1_lr2", "wd_1_lr_", None])
def test_a_label_of_another_form_is_refused(label):
    with pytest.raises(ScheduleError, match="a label must be wd, epochs, lr, epochs"):
        labelled(label, epochs=9)


def test_an_epoch_of_a_label_after_the_end_is_refused():
    with pytest.raises(ScheduleError, match=r"in 0\.\.99: received 100"):
        labelled("wd_lr_100", epochs=100)


def test_the_gradient_flow_phase_has_a_tenth_of_the_rate_and_no_weight_decay():
    schedule = sde_then_flow(epochs=5, sde_epochs=3, intrinsic_lr=2e-4, lr=0.4)
    assert told(schedule) == [(0.4, 5e-4)] * 3 + [(0.04, 0.0)] * 2
    assert [phase.name for phase in schedule.phases] == ["SDE", "gradient flow"]


def test_momentum_goes_on_into_the_gradient_flow_phase_unless_it_is_reset():
    kept = sde_then_flow(epochs=4, sde_epochs=2, intrinsic_lr=2e-4, lr=0.4, momentum=0.9)
    assert not kept.settings(2, 5).reset
    reset = sde_then_flow(epochs=4, sde_epochs=2, intrinsic_lr=2e-4, lr=0.4, momentum=0.9, momentum_rule="reset")
    assert reset.settings(2, 5).reset


def test_an_sde_phase_needs_a_learning_rate():
    with pytest.raises(ScheduleError, match="lr must be finite and above 0"):
        sde_then_flow(epochs=4, sde_epochs=2, intrinsic_lr=2e-4, lr=0.0)
