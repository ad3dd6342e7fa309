"""What an argument may look like, and what is said of one that may not."""

from argparse import ArgumentTypeError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.cli.arguments import amount, count, duration, seeds


@given(st.integers(1, 10_000), st.sampled_from([("", 1), ("s", 1), ("m", 60), ("min", 60), ("h", 3600), ("d", 86400)]))
def test_a_duration_is_a_number_of_its_unit(number, unit):
    text, seconds = unit
    assert duration(f"{number}{text}") == number * seconds


@pytest.mark.parametrize("text", ["", "0", "-5", "h", "1 week", "nan", "inf", "1e3", "1:30"])
def test_a_duration_that_is_none_is_refused_with_examples(text):
    with pytest.raises(ArgumentTypeError, match=r"90 \(seconds\), 30m or 2h; got"):
        duration(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", ""])
def test_a_count_is_a_whole_number_of_at_least_one(text):
    with pytest.raises(ArgumentTypeError, match="whole number of at least 1; got"):
        count(text)


def test_seeds_are_a_number_or_a_list():
    assert (seeds("3"), seeds("3,"), seeds("0, 4")) == (3, [3], [0, 4])
    with pytest.raises(ArgumentTypeError, match="such as 0,4,7; got '1,a'"):
        seeds("1,a")


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "half"])
def test_an_amount_is_a_finite_number_of_at_least_its_least(text):
    with pytest.raises(ArgumentTypeError, match="at least 0; got"):
        amount()(text)
    assert amount()("0.25") == 0.25
