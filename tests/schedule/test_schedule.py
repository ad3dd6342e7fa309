"""A schedule finds the phase of every epoch and says where buffers are dropped."""

import pytest

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Phase, Ramp, Schedule

HEAVY = {"lr": 0.1, "momentum": 0.9, "epochs": 2}


def resets(*phases: Phase, steps_per_epoch: int = 3) -> list[bool]:
    schedule = Schedule(phases)
    return [schedule.settings(epoch, steps_per_epoch).reset for epoch in range(schedule.epochs)]


def test_every_epoch_belongs_to_one_phase():
    schedule = Schedule((Phase(lr=0.3, epochs=1), Phase(lr=0.2, epochs=2), Phase(lr=0.1, epochs=1)))
    assert [schedule.phase_of(epoch) for epoch in range(4)] == [(0, 0), (1, 0), (1, 1), (2, 0)]
    assert schedule.transitions == (1, 3)
    assert schedule.epochs == 4


def test_a_schedule_of_one_phase_has_no_transition():
    assert Schedule((Phase(lr=0.1, epochs=3),)).transitions == ()


def test_a_ramp_restarts_with_its_phase():
    ramp = Phase(lr=Ramp("linear", 1.0, 0.0), epochs=1)
    schedule = Schedule((ramp, ramp))
    assert schedule.settings(0, 4).lr == schedule.settings(1, 4).lr == (1.0, 0.75, 0.5, 0.25)


def test_a_reset_is_told_to_the_first_epoch_of_its_phase_only():
    assert resets(Phase(**HEAVY), Phase(**HEAVY, momentum_rule="reset")) == [False, False, True, False]


def test_keep_never_resets():
    assert not any(resets(Phase(**HEAVY), Phase(**HEAVY)))


def test_the_first_epoch_has_nothing_to_reset():
    assert resets(Phase(**HEAVY, momentum_rule="reset")) == [False, False]


def test_a_change_of_optimizer_family_drops_the_buffers_without_a_reset():
    after = Phase(lr=1e-3, optimizer="adam", epochs=1, momentum_rule="reset")
    assert resets(Phase(**HEAVY), after) == [False, False, False]


@pytest.mark.parametrize(
    ("before", "after"), [({}, {"nesterov": True}), ({"optimizer": "adam"}, {"optimizer": "adamw"})]
)
def test_within_an_optimizer_family_a_reset_counts(before, after):
    assert resets(Phase(**HEAVY, **before), Phase(**HEAVY, **after, momentum_rule="reset"))[2]


def test_sgd_without_momentum_leaves_no_buffer_to_reset():
    plain = Phase(lr=0.1, epochs=1)
    assert not any(resets(Phase(**HEAVY), plain, Phase(**HEAVY, momentum_rule="reset")))


def test_entering_sgd_without_momentum_leaves_no_buffer_to_reset():
    assert not any(resets(Phase(**HEAVY), Phase(lr=0.1, epochs=1, momentum_rule="reset")))


def test_what_a_momentum_ramp_leaves_depends_on_its_last_step():
    rising = Phase(lr=0.1, momentum=Ramp("linear", 0.0, 0.9), epochs=1)
    after = Phase(**HEAVY, momentum_rule="reset")
    assert resets(rising, after, steps_per_epoch=1) == [False, False, False]
    assert resets(rising, after, steps_per_epoch=2) == [False, True, False]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "adadelta"])
def test_adaptive_optimizers_always_leave_buffers(optimizer):
    phase = {"lr": 0.1, "momentum": 0.0, "optimizer": optimizer, "epochs": 1}
    assert resets(Phase(**phase), Phase(**phase, momentum_rule="reset")) == [False, True]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Schedule(()), r"a schedule needs one Phase or more: received \(\)\. Put them in a tuple"),
        (lambda: Schedule(Phase(lr=0.1, epochs=1)), "a schedule needs one Phase or more: received Phase"),
        (lambda: Schedule((0.1,)), r"a schedule needs one Phase or more: received \(0\.1,\)"),
        (lambda: Schedule((Phase(lr=0.1),)), "must have a length: received epochs=None. Give epochs="),
        (lambda: Schedule((Phase(**HEAVY),)).settings(2, 1), r"epoch must be an integer in 0\.\.1: received 2\. Ask"),
        (lambda: Schedule((Phase(**HEAVY),)).phase_of(-1), r"epoch must be an integer in 0\.\.1: received -1\. Ask"),
        (
            lambda: Schedule((Phase(**HEAVY),)).settings(0, 0),
            "steps_per_epoch must be .* at least 1: received 0. An epoch",
        ),
        (lambda: Schedule.from_json("{"), r"a schedule must be JSON text: received '\{' .* Write it with to_json"),
        (lambda: Schedule.from_json("[]"), r"a schedule must be a JSON object: received \[\]"),
        (lambda: Schedule.from_json('{"phases": 1}'), "a schedule has a list of phases: received 1"),
        (lambda: Schedule.from_json('{"phases": []}'), "a schedule needs one Phase or more"),
        (lambda: Schedule.from_json('{"phases": [{"lr": NaN, "epochs": 1}]}'), "lr must be finite .* received nan"),
    ],
)
def test_what_is_no_schedule_is_refused(act, message):
    with pytest.raises(ScheduleError, match=message):
        act()
