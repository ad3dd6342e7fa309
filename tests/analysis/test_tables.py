from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.tables import by_seed, distances, mean_curves, points, seed_distance, status_counts
from tune_regimes.results.curves import loss_curves


def test_a_point_is_the_mean_of_its_completed_seeds_with_an_interval(transition_tables: Callable) -> None:
    trials, _ = transition_tables(points=1)
    values = trials.loc[trials["point"] == 0, "final_test_accuracy"]
    row = points(trials).loc[0]
    assert row["value"] == pytest.approx(values.mean())
    assert (row["value"] - row["low"]) == pytest.approx(4.3027 * values.std() / np.sqrt(3), rel=1e-4)
    assert (row["large"], row["seeds"], row["trials"]) == ("three_step", 3, 3)


def test_one_seed_gives_no_interval(transition_tables: Callable) -> None:
    table = points(transition_tables(points=1, seeds=1)[0])
    assert table["value"].notna().all()
    assert table["low"].isna().all()


def test_diverged_and_unfinished_trials_are_told_apart(transition_tables: Callable) -> None:
    trials, _ = transition_tables(points=1, diverged={("three_step", "three_step"): 1})
    trials.loc[1, ["status", "final_test_accuracy"]] = ["running", np.nan]
    wide = by_seed(trials)
    assert wide.loc[0, 0] == -np.inf
    assert np.isnan(wide.loc[0, 1])
    assert np.isfinite(wide.loc[0, 2])
    assert status_counts(trials) == {"completed": 31, "diverged": 1, "running": 1}


def test_mean_curves_leave_out_points_with_a_diverged_seed(sweep_tables: Callable) -> None:
    trials, epochs = sweep_tables()
    trials.loc[trials["trial_id"] == "00003-s1", "status"] = "diverged"
    curves = mean_curves(trials, epochs)
    assert 2 in curves.index
    assert 3 not in curves.index


def test_mean_curves_can_be_cut_to_the_first_epochs(sweep_tables: Callable) -> None:
    assert list(mean_curves(*sweep_tables(), 5).columns) == [1, 2, 3, 4, 5]


def test_a_curve_has_a_row_per_point_and_seed(sweep_tables: Callable) -> None:
    trials, epochs = sweep_tables(points=3, seeds=2)
    curves = loss_curves(trials, epochs)
    assert curves.index.names == ["point", "seed"]
    assert len(curves) == (trials["status"] == "completed").sum()


def test_distance_is_the_root_of_the_summed_squares() -> None:
    assert distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])) == pytest.approx(np.array([[5.0]]))


def test_seed_distance_is_that_between_seeds_of_one_point() -> None:
    trials = pd.DataFrame({"trial_id": ["a", "b"], "point": 0, "seed": [0, 1], "status": "completed"})
    epochs = pd.DataFrame({"trial_id": ["a", "a", "b", "b"], "epoch": [1, 2, 1, 2], "train_loss": [1.0, 1.0, 4.0, 5.0]})
    assert seed_distance(trials, epochs) == pytest.approx(5.0)
    assert np.isnan(seed_distance(trials.iloc[:1], epochs))
