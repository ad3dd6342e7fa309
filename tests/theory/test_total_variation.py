"""Total variation of class predictions: its closed form, its estimate, and how much of the estimate is bias."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import TheoryError
from tune_regimes.theory import total_variation as tv

# The distribution of the values that the tests quote.
CLASSES = np.array([0.9, 0.05, 0.03, 0.02])
distributions = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(lambda v: np.array(v) / np.sum(v))


@given(distributions, distributions)
def test_half_the_absolute_differences_are_the_largest_difference_over_events(p, q):
    events = [np.array(event) for event in product([False, True], repeat=4)]
    supremum = max(abs(p[event].sum() - q[event].sum()) for event in events)
    assert tv.total_variation(p, q) == pytest.approx(supremum, abs=1e-12)


@pytest.mark.parametrize(("trials", "bias"), [(10, 0.122), (50, 0.062), (100, 0.046), (500, 0.021)])
def test_equal_distributions_still_give_a_positive_estimate(trials, bias):
    exact = tv.expected_same_schedule(CLASSES, trials)
    assert exact == pytest.approx(bias, abs=0.0025)
    rng = np.random.default_rng(0)
    first, second = (rng.choice(4, p=CLASSES, size=(trials, 4000)) for _ in range(2))
    assert tv.estimated_total_variation(first, second, 4) == pytest.approx(exact, rel=0.03)


def test_split_halves_of_one_schedule_estimate_the_same_schedule_bias():
    rng = np.random.default_rng(0)
    predictions = rng.choice(4, p=CLASSES, size=(100, 1000))
    assert tv.split_half(predictions, 4, rng) == pytest.approx(tv.expected_same_schedule(CLASSES, 50), rel=0.05)


def test_the_estimate_tends_to_the_true_distance_from_above():
    other, rng = np.array([0.7, 0.2, 0.05, 0.05]), np.random.default_rng(0)
    truth = tv.total_variation(CLASSES, other)
    assert truth == pytest.approx(0.2)
    estimates = [
        tv.estimated_total_variation(
            rng.choice(4, p=CLASSES, size=(n, 500)), rng.choice(4, p=other, size=(n, 500)), classes=4
        )
        for n in (10, 100, 1000)
    ]
    assert estimates == sorted(estimates, reverse=True)
    assert truth < estimates[-1] < truth + 0.01


def test_certain_predictions_have_no_bias_and_the_printed_baseline_is_the_sum_of_errors():
    assert tv.expected_same_schedule([1.0, 0.0], 7) == 0.0
    assert tv.baseline_printed(0.02, 0.03) == pytest.approx(0.05)


def test_bad_input_is_refused():
    with pytest.raises(TheoryError, match="sum to 1"):
        tv.total_variation([0.5, 0.6], [0.5, 0.5])
    with pytest.raises(TheoryError, match="second distribution must have shape"):
        tv.total_variation([0.5, 0.5], [0.2, 0.3, 0.5])
    with pytest.raises(TheoryError, match=r"classes 0\.\.2"):
        tv.estimated_total_variation([[0, 3]], [[0, 1]], 3)
    with pytest.raises(TheoryError, match="the same images"):
        tv.estimated_total_variation([[0, 1]], [[0]], 3)
    with pytest.raises(TheoryError, match="trials"):
        tv.split_half([[0, 1]], 3, np.random.default_rng(0))
