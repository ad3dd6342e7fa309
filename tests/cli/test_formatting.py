"""Numbers and times as a reader wants them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.cli import formatting


@given(st.floats(0, 1e7))
def test_a_duration_says_at_most_two_units_and_is_near_the_truth(seconds):
    units = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    words = formatting.duration(seconds).split()
    assert len(words) in (2, 4)
    said = sum(float(number) * units[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    assert said == pytest.approx(seconds, rel=0.06, abs=0.51)


@pytest.mark.parametrize(("seconds", "text"), [(59.6, "1 min"), (3599.9, "1 h"), (7200, "2 h"), (math.nan, "-")])
def test_a_duration_rounds_into_the_next_unit(seconds, text):
    assert formatting.duration(seconds) == text


def test_a_metric_that_is_unknown_or_infinite_is_said_to_be():
    assert [formatting.metric(value) for value in (None, math.nan, math.inf)] == ["-", "-", "inf"]


def test_an_interval_of_one_seed_is_none():
    assert formatting.interval(0.5, math.nan, math.nan, 1) == "0.5000, n = 1: no interval"
