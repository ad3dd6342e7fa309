"""What closed forms accept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError, UsageError
from tune_regimes.theory import checks


@given(st.lists(st.floats(0.0, 1e300), min_size=1))
def test_a_vector_is_copied_as_it_is_and_cannot_be_written_to(values):
    source = np.array(values)
    vector = checks.check_vector("curvatures", source)
    np.testing.assert_array_equal(vector, source)
    assert not np.shares_memory(vector, source)
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1.0


def test_the_checks_of_schedules_speak_as_theory_here():
    assert issubclass(TheoryError, UsageError)
    assert checks.check_number("lr", np.float32(0.5)) == 0.5
    assert checks.check_count("n", np.int64(3)) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checks.check_number("lr", "fast"), "lr must be a number: received 'fast'"),
        (lambda: checks.check_number("lr", float("nan"), positive=True), "lr must be finite and above 0: received nan"),
        (lambda: checks.check_count("n", 2.5), "n must be an integer of at least 1: received 2.5"),
        (lambda: checks.check_choice("noise", "white", ("a", "b")), "Choose one of: a, b"),
        (lambda: checks.check_vector("a", [[1.0]]), r"a vector of at least one number: received shape \(1, 1\)"),
        (lambda: checks.check_vector("a", [1.0, float("nan")]), "at least 0: received nan at index 1"),
        (lambda: checks.check_vector("a", [1.0, 0.0], positive=True), "above 0: received 0.0 at index 1"),
        (lambda: checks.check_vector("a", ["x"]), "a must be numbers: received"),
    ],
)
def test_bad_input_is_refused_with_what_to_change(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
