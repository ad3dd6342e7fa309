"""Ramps against their published formulas."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Ramp
from tune_regimes.schedule.ramps import SHAPES, resolve, round_significant

ENDS = st.floats(1e-6, 1e3)


@given(st.sampled_from(SHAPES), ENDS, ENDS)
def test_a_ramp_begins_and_ends_exactly_at_its_ends(kind, start, end):
    ramp = Ramp(kind, start, end)
    assert (ramp.at(0), ramp.at(1)) == (start, end)


@given(st.sampled_from(SHAPES), ENDS, ENDS, st.floats(0, 1), st.floats(0, 1))
def test_a_ramp_is_monotone_between_its_ends(kind, start, end, one, other):
    ramp = Ramp(kind, start, end)
    earlier, later = ramp.at(min(one, other)), ramp.at(max(one, other))
    slack = 1e-12 * max(start, end)
    assert (earlier <= later + slack) if start <= end else (earlier >= later - slack)
    assert min(start, end) - slack <= earlier <= max(start, end) + slack


@given(ENDS, ENDS, st.floats(0, 1))
def test_the_shapes_follow_their_formulas(start, end, fraction):
    published = {
        "linear": start + (end - start) * fraction,
        "cosine": end + 0.5 * (start - end) * (1 + math.cos(math.pi * fraction)),
        "exponential": start * (end / start) ** fraction,
        "one_minus_sqrt": end + (start - end) * (1 - math.sqrt(fraction)),
    }
    for kind, value in published.items():
        assert Ramp(kind, start, end).at(fraction) == pytest.approx(value, rel=1e-9, abs=1e-9 * max(start, end))


def test_a_ramp_per_step_gives_one_value_per_step_of_the_epoch_and_never_its_end():
    ramp = Ramp("linear", 1.0, 0.0)
    assert resolve(ramp, 0, 2, 4) == (1.0, 0.875, 0.75, 0.625)
    assert resolve(ramp, 1, 2, 4) == (0.5, 0.375, 0.25, 0.125)


def test_a_ramp_per_epoch_holds_the_value_of_the_first_step_of_the_epoch():
    steps = [resolve(Ramp("cosine", 1.0, 0.0), epoch, 5, 7) for epoch in range(5)]
    epochs = [resolve(Ramp("cosine", 1.0, 0.0, per="epoch"), epoch, 5, 7) for epoch in range(5)]
    assert epochs == [values[0] for values in steps]


def test_a_ramp_that_does_not_move_is_its_value_bit_for_bit():
    value = 0.92367085718738654
    assert resolve(Ramp("cosine", value, value), 0, 3, 100) == value


def test_ramp_values_are_rounded_to_twelve_digits_and_constants_are_not():
    value = 0.1 * 0.1**2
    assert resolve(value, 0, 1, 1) == value != 0.001
    assert resolve(Ramp("linear", value, 0.0), 0, 1, 1) == (0.001,) == (round_significant(value),)


def test_a_ramp_survives_json():
    ramp = Ramp("exponential", 0.1, 1e-4, per="epoch")
    assert Ramp.from_dict(ramp.to_dict()) == ramp


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Ramp("sine", 1, 0),
            "kind of ramp must be a known name: received 'sine'. Choose one of: linear, cosine",
        ),
        (lambda: Ramp("linear", 1, 0, per="minute"), "received 'minute'. Choose one of: step, epoch"),
        (lambda: Ramp("linear", math.nan, 0), "start of a ramp must be finite: received nan. Give"),
        (lambda: Ramp("linear", 1, -math.inf), "end of a ramp must be finite: received -inf. Give"),
        (lambda: Ramp("exponential", 1, 0), r"two positive ends: received 1.0 and 0.0. Use kind='linear'"),
        (lambda: Ramp.from_dict({"kind": "linear"}), "a ramp needs kind, start, end: .* Add start, end"),
    ],
)
def test_a_ramp_that_cannot_be_is_refused(make, message):
    with pytest.raises(ScheduleError, match=message):
        make()
