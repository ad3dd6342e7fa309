"""Checks give back clean values, or a message with the invariant, the value and the remedy."""

from fractions import Fraction

import numpy as np
import pytest

from tune_regimes.errors import ScheduleError, UsageError
from tune_regimes.schedule.checks import (
    check_choice,
    check_count,
    check_fields,
    check_flag,
    check_number,
    check_numbers,
)


@pytest.mark.parametrize("value", [0.5, np.float64(0.5), np.float32(0.5), Fraction(1, 2)])
def test_a_real_number_of_any_type_becomes_a_plain_float(value):
    number = check_number("lr", value)
    assert number == 0.5
    assert type(number) is float


def test_a_number_is_kept_bit_for_bit():
    assert check_number("lr", 0.9236708571873865).hex() == (0.9236708571873865).hex()


def test_a_negative_zero_becomes_zero():
    assert str(check_number("lr", -0.0)) == "0.0"


@pytest.mark.parametrize("value", [True, "0.1", None, 1j, [0.1]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ScheduleError, match=r"lr must be a number: received .*\. Give an int or a float\."):
        check_number("lr", value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -1e-9])
def test_a_number_that_is_not_finite_or_too_small_is_refused(value):
    with pytest.raises(ScheduleError, match=r"lr must be finite and at least 0: received .*\. Give a number"):
        check_number("lr", value)


@pytest.mark.parametrize("bad", [(0.1, float("nan")), (0.1, -0.1), (0.1, float("inf")), (0.1, "x"), ()])
def test_one_bad_number_of_many_is_refused(bad):
    with pytest.raises(ScheduleError, match=r"^lr "):
        check_numbers("lr", bad)


def test_good_numbers_become_floats():
    assert check_numbers("lr", (1, np.float32(0.5), 0.0)) == (1.0, 0.5, 0.0)


@pytest.mark.parametrize("value", [2.0, True, "2", None, 0, 11])
def test_what_is_no_count_of_the_range_is_refused(value):
    with pytest.raises(ScheduleError, match=r"epochs must be an integer in 1\.\.10: received .*\. Count again\."):
        check_count("epochs", value, high=10, remedy="Count again.")


def test_an_integer_of_numpy_becomes_a_plain_int():
    assert type(check_count("epochs", np.int64(3), remedy="")) is int


@pytest.mark.parametrize("value", ["SGD", "", None, ["sgd"]])
def test_an_unknown_name_is_answered_with_the_choices(value):
    with pytest.raises(ScheduleError, match=r"optimizer must be a known name: received .*Choose one of: sgd, adam\."):
        check_choice("optimizer", value, ("sgd", "adam"))


def test_a_flag_that_is_neither_true_nor_false_is_refused():
    assert check_flag("nesterov", np.True_) is True
    with pytest.raises(ScheduleError, match="nesterov must be True or False: received 'yes'"):
        check_flag("nesterov", "yes")


@pytest.mark.parametrize(
    ("received", "message"),
    [
        ([1], r"a ramp must be a JSON object: received \[1\]"),
        ({"a": 1, "z": 2}, "a ramp has only the fields a, b: received 'z'. Remove"),
        ({"b": 1}, r"a ramp needs a: received \{'b': 1\}. Add a\."),
    ],
)
def test_a_json_object_with_wrong_fields_is_refused(received, message):
    with pytest.raises(ScheduleError, match=message):
        check_fields("a ramp", received, known=("a", "b"), required=("a",))


def test_a_mistake_in_a_schedule_is_a_mistake_of_usage():
    assert issubclass(ScheduleError, UsageError)
