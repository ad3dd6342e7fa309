"""What is read from a result, and what is said where it lacks something."""

import math

import pytest

from tune_regimes.errors import StudyError
from tune_regimes.search.readings import Reading, ResultKeys

KEYS = ResultKeys("epoch", "last_phase_epoch", "epochs_ahead", "phase", "cohort")
RESULT = {"epoch": 7, "last_phase_epoch": 2, "epochs_ahead": 3, "phase": 2, "accuracy": 0.5, "status": "running"}


def test_a_result_says_where_a_trial_stands():
    assert KEYS.read(RESULT, "accuracy", "max") == Reading((2, None), 7, 2, 3, 0.5)
    assert KEYS.read(RESULT | {"cohort": "wide"}, "accuracy", "min") == Reading((2, "wide"), 7, 2, 3, -0.5)


def test_without_a_key_for_the_remaining_budget_all_are_equal():
    assert ResultKeys("epoch", "last_phase_epoch", None, None, None).read(RESULT, "accuracy", "max").remaining == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, -1e30])
def test_a_value_that_is_no_measurement_gives_no_reading(value):
    assert KEYS.read(RESULT | {"accuracy": value}, "accuracy", "max") is None


def test_a_diverged_trial_gives_no_reading():
    assert KEYS.read(RESULT | {"status": "diverged"}, "accuracy", "max") is None


@pytest.mark.parametrize("key", ["epoch", "last_phase_epoch", "epochs_ahead", "accuracy"])
def test_a_missing_key_is_named_with_the_argument_that_renames_it(key):
    result = {name: value for name, value in RESULT.items() if name != key}
    with pytest.raises(StudyError, match=rf"no '{key}' among .*RegimeASHA\(\w+=\.\.\.\)"):
        KEYS.read(result, "accuracy", "max")


def test_what_is_no_number_is_refused():
    with pytest.raises(StudyError, match="'epochs_ahead' is None; report a number"):
        KEYS.read(RESULT | {"epochs_ahead": None}, "accuracy", "max")
