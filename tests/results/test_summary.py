"""Points: the interval is Student's, and the best point is one that can be trusted."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tune_regimes.errors import StudyError
from tune_regimes.results.schema import POINTS
from tune_regimes.results.summary import best_point, pareto, student_interval, summarise


def trials_of(*rows: tuple[int, str, float | None]) -> pd.DataFrame:
    """A trials table from (point, status, final test accuracy); seeds are numbered as they come."""
    columns = ["point", "status", "final_test_accuracy"]
    frame = pd.DataFrame(rows, columns=columns).assign(config=lambda f: f["point"].map('{{"x": {}}}'.format))
    return frame.assign(seed=range(len(rows)), **{"config.x": frame["point"].astype(float)})


def best_of(*rows: tuple[int, str, float | None], mode: str = "max", seeds: int = 2) -> int:
    return int(best_point(summarise(trials_of(*rows), "test_accuracy"), mode, seeds)["point"])


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_is_that_of_a_t_test(n: int, confidence: float) -> None:
    values = np.random.default_rng(n).normal(size=n)
    found = student_interval(values, confidence)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert (found.mean, found.n) == (pytest.approx(values.mean()), n)


def test_one_value_has_a_mean_and_no_interval_and_none_has_neither() -> None:
    one, none = student_interval([0.5]), student_interval([])
    assert (one.mean, one.n, none.n) == (0.5, 1, 0)
    assert all(map(math.isnan, (one.low, one.high, none.mean, none.low, none.high)))


def test_a_point_has_its_settings_its_mean_and_its_trials_by_status() -> None:
    rows = [(7, "completed", 0.8), (7, "pruned", 0.6), (7, "diverged", 0.1), (7, "failed", None), (7, "running", 0.9)]
    table = summarise(trials_of(*rows, (8, "running", None)), "test_accuracy")
    assert list(table.columns) == [*(column.name for column in POINTS), "config.x"]
    first, second = table.to_dict("records")
    assert (first["point"], first["config"], first["config.x"], first["metric"]) == (
        7,
        '{"x": 7}',
        7.0,
        "test_accuracy",
    )
    assert (first["mean"], first["n"], first["n_seeds"]) == (pytest.approx(0.7), 2, 5)
    assert [first[f"n_{name}"] for name in ("completed", "pruned", "diverged", "failed", "running")] == [1] * 5
    assert (second["n"], second["n_running"], math.isnan(second["mean"])) == (0, 1, True)


def test_a_value_that_is_not_finite_does_not_count() -> None:
    table = summarise(
        trials_of((0, "completed", 0.5), (0, "completed", math.inf), (0, "completed", None)), "test_accuracy"
    )
    assert (table["mean"][0], table["n"][0]) == (0.5, 1)


def test_a_study_without_trials_has_no_points() -> None:
    table = summarise(trials_of(), "test_top5")
    assert table.empty
    assert list(table.columns[:3]) == ["point", "config", "metric"]


def test_an_unknown_metric_lists_those_that_are_reported() -> None:
    with pytest.raises(StudyError, match="got 'test_acuracy'; choose one of test_accuracy"):
        summarise(trials_of((0, "completed", 0.5)), "test_acuracy")


def test_the_best_mean_wins_in_the_direction_of_the_study() -> None:
    rows = [(0, "completed", 0.5), (0, "completed", 0.6), (1, "completed", 0.7), (1, "completed", 0.8)]
    assert best_of(*rows) == 1
    assert best_of(*rows, mode="min") == 0


def test_of_equal_points_the_first_is_best() -> None:
    assert best_of((0, "completed", 0.5), (1, "completed", 0.5), seeds=1) == 0


@pytest.mark.parametrize("flaw", ["diverged", "failed", "running"])
def test_a_point_with_a_bad_or_unfinished_seed_loses_to_a_whole_one(flaw: str) -> None:
    whole = [(0, "completed", 0.5), (0, "completed", 0.5)]
    assert best_of(*whole, (1, "completed", 0.9), (1, flaw, None)) == 0
    assert best_of(*whole, (1, "completed", 0.9), (1, "completed", 0.9), (1, flaw, None)) == 0


def test_a_point_whose_other_seeds_have_not_begun_loses_to_a_whole_one() -> None:
    assert best_of((0, "completed", 0.5), (0, "completed", 0.5), (1, "completed", 0.9)) == 0


def test_a_pruned_point_loses_to_a_completed_one_and_beats_a_flawed_one() -> None:
    pruned, flawed = [(1, "completed", 0.7), (1, "pruned", 0.7)], [(2, "completed", 0.9), (2, "diverged", None)]
    assert best_of((0, "completed", 0.5), (0, "completed", 0.5), *pruned, *flawed) == 0
    assert best_of(*pruned, *flawed) == 1


def test_a_flawed_point_is_best_where_there_is_no_other() -> None:
    assert best_of((2, "completed", 0.9), (2, "diverged", None), (3, "diverged", None)) == 2


def test_without_a_finished_trial_the_error_says_what_there_is() -> None:
    with pytest.raises(StudyError, match=r"got 3 trials \(2 diverged, 1 running\); resume the study"):
        best_of((0, "diverged", 0.1), (0, "diverged", None), (1, "running", 0.9))
    with pytest.raises(StudyError, match="got no trials"):
        best_of()


def front_of(*rows: tuple[int, float, int], mode: str = "max", seeds: int = 1) -> list[int]:
    """The points on the front of completed trials (point, final test accuracy, epochs)."""
    frame = trials_of(*((point, "completed", value) for point, value, _ in rows))
    frame = frame.assign(epochs=[epochs for _, _, epochs in rows])
    return list(pareto(summarise(frame, "test_accuracy"), frame, mode, seeds)["point"])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5)), max_size=8), st.sampled_from(["max", "min"]))
def test_the_front_holds_exactly_the_points_that_no_other_beats(found: list[tuple[int, int]], mode: str) -> None:
    sign = 1 if mode == "min" else -1
    points = {point: (sign * value, epochs) for point, (value, epochs) in enumerate(found)}

    def beats(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one[0] <= other[0] and one[1] <= other[1] and one != other

    unbeaten = {point for point, at in points.items() if not any(beats(other, at) for other in points.values())}
    front = front_of(*((point, float(value), epochs) for point, (value, epochs) in enumerate(found)), mode=mode)
    assert set(front) == unbeaten
    assert [points[point][1] for point in front] == sorted(points[point][1] for point in front)


def test_the_front_compares_means_over_seeds_of_points_that_completed_with_all_of_them() -> None:
    whole = [(0, 0.5, 4), (0, 0.7, 6), (1, 0.6, 5), (1, 0.4, 5)]
    assert front_of(*whole, (2, 0.9, 1), seeds=2) == [0]
    frame = trials_of((0, "completed", 0.5), (1, "pruned", 0.9), (2, "diverged", None)).assign(epochs=[4, 1, 1])
    front = pareto(summarise(frame, "test_accuracy"), frame, "max", 1)
    assert front[["point", "mean", "epochs"]].to_dict("records") == [{"point": 0, "mean": 0.5, "epochs": 4.0}]
