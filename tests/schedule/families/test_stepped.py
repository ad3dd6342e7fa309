"""two_phase, three_step and staircase against torch and the papers' tables."""

import numpy as np
import pytest
import torch

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Phase, Ramp, Schedule, staircase, three_step, two_phase

LARGE, SMALL = Phase(lr=0.9236708571873865, momentum=0.0), Phase(lr=0.005, momentum=0.95)


def rates(schedule: Schedule) -> list[float]:
    return [schedule.settings(epoch, 7).lr for epoch in range(schedule.epochs)]


def transition(epoch: int, **options: object) -> Schedule:
    return two_phase(**({"epochs": 6, "transition_epoch": epoch, "large": LARGE, "small": SMALL} | options))


@pytest.mark.parametrize("epoch", range(7))
def test_the_large_step_phase_lasts_as_many_epochs_as_the_transition_epoch_says(epoch):
    assert rates(transition(epoch)) == [0.9236708571873865] * epoch + [0.005] * (6 - epoch)


def test_the_transition_is_where_the_second_phase_begins():
    assert transition(2).transitions == (2,)
    assert transition(0).transitions == transition(6).transitions == ()


def test_the_phases_are_named_after_their_regimes_unless_they_have_names():
    assert [phase.name for phase in transition(2).phases] == ["large-step", "small-step"]
    assert transition(2, large=Phase(lr=1.0, name="hot")).phases[0].name == "hot"


def test_the_learning_rate_of_the_paper_is_kept_bit_for_bit():
    told = transition(3, weight_decay=1e-4).settings(0, 196)
    assert told.to_dict() == {
        "optimizer": "sgd",
        "lr": 0.9236708571873865,
        "weight_decay": 1e-4,
        "momentum": 0.0,
        "decay": "all",
    }


def test_a_phase_that_sets_its_weight_decay_keeps_it():
    schedule = transition(3, weight_decay=1e-4, small=Phase(lr=0.01, weight_decay=0.0))
    assert [schedule.settings(epoch, 1).weight_decay for epoch in (0, 5)] == [1e-4, 0.0]


def test_momentum_restarts_from_zero_at_the_transition_unless_it_is_kept():
    heavy = Phase(lr=0.1, momentum=0.9)
    assert transition(3, large=heavy).settings(3, 1).reset
    assert not transition(3, large=heavy, momentum_rule="keep").settings(3, 1).reset


def test_both_phases_may_have_ramps_and_optimizers_of_their_own():
    schedule = transition(2, large=Phase(lr=Ramp("linear", 0.0, 1.0)), small=Phase(lr=1e-3, optimizer="adamw"))
    assert schedule.settings(1, 2).lr == (0.5, 0.75)
    assert schedule.settings(2, 2).optimizer == "adamw"


def test_integers_of_numpy_are_epochs_too():
    assert transition(np.int64(2)) == transition(2)


@pytest.mark.parametrize("epoch", [-1, 7, 2.0, True, None, "2"])
def test_a_transition_epoch_outside_the_schedule_is_refused(epoch):
    with pytest.raises(
        ScheduleError, match=r"transition_epoch must be an integer in 0\.\.6: received .*\. Keep it within"
    ):
        transition(epoch)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be an integer of at least 1: received 0. Train for one epoch or more"),
        ({"large": Phase(lr=1.0, epochs=3)}, r"received large=Phase\(epochs=3\)\. Leave epochs out"),
        ({"small": Phase(lr=1.0, epochs=3)}, r"received small=Phase\(epochs=3\)\. Leave epochs out"),
        ({"small": 0.01}, r"small must be a Phase: received 0\.01\. Write small=Phase\(lr="),
        ({"momentum_rule": "halve"}, "received 'halve'. Choose one of: keep, reset"),
        ({"weight_decay": -1.0}, "weight_decay must be finite and at least 0: received -1.0"),
    ],
)
def test_two_phases_that_cannot_be_are_refused(options, message):
    with pytest.raises(ScheduleError, match=message):
        transition(2, **options)


@pytest.mark.parametrize("epoch", [0, 6])
def test_a_mistake_in_the_phase_that_is_left_out_is_still_told(epoch):
    bad = {0: "large", 6: "small"}[epoch]
    with pytest.raises(ScheduleError, match=f"received {bad}="):
        transition(epoch, **{bad: Phase(lr=1.0, epochs=1)})


@pytest.mark.parametrize(("epochs", "drops", "factor"), [(20, (10, 15), 0.1), (12, (1, 2, 11), 0.5), (9, (), 0.1)])
def test_three_step_agrees_with_multi_step_lr(epochs, drops, factor):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=list(drops), gamma=factor)
    expected = []
    for _ in range(epochs):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates(three_step(epochs=epochs, lr=0.1, momentum=0.9, drops=drops, factor=factor)) == pytest.approx(
        expected, rel=1e-11
    )


def test_three_step_keeps_momentum_constant_and_its_buffers():
    schedule = three_step(epochs=8, lr=0.1, momentum=0.9, weight_decay=1e-4)
    told = [schedule.settings(epoch, 5) for epoch in range(8)]
    assert {(s.momentum, s.weight_decay, s.reset) for s in told} == {(0.9, 1e-4, False)}


def test_drops_may_be_fractions_and_epochs():
    assert three_step(epochs=10, lr=1.0, drops=(np.float32(0.5), np.int64(8))).transitions == (5, 8)
    assert three_step(epochs=10, lr=1.0, drops=(0.5, 8)).transitions == (5, 8)
    assert three_step(epochs=5, lr=1.0).transitions == (3, 4)


@pytest.mark.parametrize("drops", [(5, 5), (5, 3), (0, 5), (5, 10), (0.5, 5)])
def test_drops_that_leave_a_phase_empty_are_refused(drops):
    with pytest.raises(
        ScheduleError, match=r"drops must increase within 1\.\.9, or a phase is empty: received .*\. Move"
    ):
        three_step(epochs=10, lr=0.1, drops=drops)


@pytest.mark.parametrize("drops", [(11,), (-1,), (1.5,), (0.01,), ("5",)])
def test_a_drop_that_is_no_epoch_of_the_schedule_is_refused(drops):
    with pytest.raises(ScheduleError, match=r"a drop .*: received .*\. Give"):
        three_step(epochs=10, lr=0.1, drops=drops)


# Li, Lyu and Arora (2020), Table 1: the value from each epoch on, and the intrinsic learning rates that follow.
TABLE_1 = {
    "S1": ({0: 0.4, 100: 0.1, 200: 0.4, 300: 0.1, 400: 0.2, 500: 0.4}, [2e-4, 5e-5, 2e-4, 5e-5, 1e-4, 2e-4]),
    "S3": ({0: 0.4, 100: 1.6, 200: 0.8, 300: 0.4, 400: 0.1, 500: 0.4}, [2e-4, 8e-4, 4e-4, 2e-4, 5e-5, 2e-4]),
    "S4": (
        {
            0: (0.4, 5e-4),
            100: (1.6, 2e-3),
            200: (0.8, 1e-3),
            300: (0.4, 5e-4),
            400: (0.1, 1.25e-4),
            500: (0.4, 5e-4),
        },
        [2e-4, 3.2e-3, 8e-4, 2e-4, 1.25e-5, 2e-4],
    ),
}


@pytest.mark.parametrize("name", TABLE_1)
def test_a_staircase_writes_down_a_printed_table(name):
    segments, intrinsic = TABLE_1[name]
    schedule = staircase(epochs=1200, segments={**segments, 1000: (0.04, 0.0)}, weight_decay=5e-4)
    told = [schedule.settings(epoch, 391) for epoch in (0, 100, 200, 300, 400, 500, 999)]
    assert [s.lr * s.weight_decay for s in told] == pytest.approx([*intrinsic, intrinsic[-1]], rel=1e-12)
    end = schedule.settings(1000, 391)
    assert (end.lr, end.weight_decay) == (0.04, 0.0)


def test_a_staircase_may_be_pairs_in_order():
    assert staircase(epochs=9, segments=[(0, 0.1), (5, 0.01)]) == staircase(epochs=9, segments={0: 0.1, 5: 0.01})


def test_a_segment_may_be_a_whole_phase_which_takes_only_the_weight_decay_of_the_others():
    adam = Phase(lr=1e-3, optimizer="adamw")
    schedule = staircase(epochs=4, segments={0: 0.1, 2: adam}, momentum=0.5, weight_decay=1e-2)
    told = schedule.settings(2, 1)
    assert (told.optimizer, told.momentum, told.weight_decay) == ("adamw", 0.9, 1e-2)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ({}, r"segments must start at 0 .* received starts \[\]\. Order"),
        ({1: 0.1}, r"segments must start at 0 .* received starts \[1\]\. Order"),
        ([(0, 0.1), (5, 0.2), (5, 0.3)], r"or a phase is empty: received starts \[0, 5, 5\]\. Order"),
        ({0: 0.1, 10: 0.2}, r"increase within 0\.\.9, or a phase is empty: received starts \[0, 10\]\. Order"),
        ({0: 0.1, 2.5: 0.2}, r"the start of a segment must be an integer of at least 0: received 2\.5\. Give"),
        ({0: (0.1, 0.2, 0.3)}, r"received \(0\.1, 0\.2, 0\.3\)\. Use a Phase"),
        ({0: "0.1"}, "lr must be a number: received '0.1'"),
        ({0: Phase(lr=0.1, epochs=2)}, r"received segment=Phase\(epochs=2\)\. Leave epochs out"),
    ],
)
def test_a_staircase_that_cannot_be_is_refused(segments, message):
    with pytest.raises(ScheduleError, match=message):
        staircase(epochs=10, segments=segments)
