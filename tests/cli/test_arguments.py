"""What an argument may look like, and what is said of one that may not."""

from argparse import ArgumentTypeError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.cli.arguments import amount, count, duration, phase, seeds, size
from tune_regimes.schedule import Phase


@given(st.integers(1, 10_000), st.sampled_from([("", 1), ("s", 1), ("m", 60), ("min", 60), ("h", 3600), ("d", 86400)]))
def test_a_duration_is_a_number_of_its_unit(number, unit):
    text, seconds = unit
    assert duration(f"{number}{text}") == number * seconds


@pytest.mark.parametrize("text", ["", "0", "-5", "h", "1 week", "nan", "inf", "1e3", "1:30"])
def test_a_duration_that_is_none_is_refused_with_examples(text):
    with pytest.raises(ArgumentTypeError, match=r"90 \(seconds\), 30m or 2h; got"):
        duration(text)


@given(
    st.integers(1, 10_000),
    st.sampled_from([("B", 1), ("KB", 1e3), ("kb", 1e3), ("MB", 1e6), ("mB", 1e6), ("GB", 1e9), ("TB", 1e12)]),
    st.sampled_from(["", " "]),
)
def test_a_size_is_a_number_of_its_unit(number, unit, space):
    text, bytes_each = unit
    assert size(f"{number}{space}{text}") == number * bytes_each


def test_a_size_may_have_a_fraction_or_be_none():
    assert (size("0.5GB"), size(".5 MB"), size("None"), size(" none ")) == (500_000_000, 500_000, None, None)


@pytest.mark.parametrize(
    "text", ["", "0", "0GB", "20", "-1GB", "GB", "1 PB", "1e3MB", "nan", "inf", "20G", "0.1B", "٣GB"]
)
def test_a_size_that_is_none_is_refused_with_examples(text):
    with pytest.raises(ArgumentTypeError, match="positive size such as 500MB or 20GB, or none; got"):
        size(text)


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


def test_a_phase_is_read_in_its_notation_and_a_bad_one_named():
    assert phase("lr=1e-3,epochs=20") == Phase(lr=1e-3, epochs=20)
    with pytest.raises(ArgumentTypeError, match="a phase needs lr"):
        phase("epochs=20")
