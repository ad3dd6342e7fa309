from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.regimes import regime_lines
from tune_regimes.results.regimes import describe_runs, locate_regimes


def test_both_regimes_are_found_at_the_true_step_sizes(sweep_tables: Callable) -> None:
    regimes = locate_regimes(*sweep_tables(points=40, unstable=5.0, broken=2.0, rough=0.1))
    assert regimes["momentum"].tolist() == [0.0, 0.9, 0.99]
    assert regimes["large_step_size"].between(2.0 / 1.4, 2.0).all()
    assert regimes["small_step_size"].between(0.1 / 1.4, 0.1).all()
    assert (regimes["diverging_lr"] > regimes["large_lr"]).all()
    assert regimes["large_lr"].to_numpy() == pytest.approx(
        regimes["large_step_size"].to_numpy() * np.array([1.0, 0.1, 0.01])
    )


def test_a_network_at_chance_has_diverged_though_its_loss_is_finite(sweep_tables: Callable) -> None:
    runs = describe_runs(*sweep_tables(unstable=100.0, broken=1.0))
    assert runs.loc[runs["step_size"] > 1.0, "diverges"].all()
    assert not runs.loc[runs["step_size"] < 1.0, "diverges"].any()


def test_a_learning_rate_that_is_too_small_to_learn_has_not_diverged(sweep_tables: Callable) -> None:
    trials, epochs = sweep_tables()
    slow = epochs["trial_id"].isin(trials.loc[trials["config.step_size"] < 0.01, "trial_id"])
    epochs.loc[slow, "train_loss"] = 2.3 - 1e-3 * epochs.loc[slow, "epoch"]
    runs = describe_runs(trials, epochs)
    assert not runs.loc[runs["step_size"] < 4.0, "diverges"].any()
    assert runs.loc[runs["step_size"] > 4.0, "diverges"].all()


def test_one_diverging_seed_is_enough(sweep_tables: Callable) -> None:
    trials, epochs = sweep_tables()
    trials.loc[trials["trial_id"] == "00001-s1", "status"] = "diverged"
    assert describe_runs(trials, epochs).loc[1, "diverges"]


def test_trials_that_have_not_ended_count_for_nothing(sweep_tables: Callable) -> None:
    trials, epochs = sweep_tables()
    trials.loc[trials["point"] == 0, "status"] = "running"
    assert 0 not in describe_runs(trials, epochs).index


def test_no_learning_rate_without_divergence_gives_nan(sweep_tables: Callable) -> None:
    trials, epochs = sweep_tables(points=3)
    regimes = locate_regimes(trials.assign(status="diverged"), epochs)
    assert regimes["large_lr"].isna().all()
    assert regimes["diverging_lr"].notna().all()
    assert len(regime_lines(regimes)) == 3


def test_nothing_gives_an_empty_table(sweep_tables: Callable) -> None:
    trials, epochs = sweep_tables(points=2)
    assert locate_regimes(trials.assign(status="running"), epochs).empty
    assert isinstance(locate_regimes(trials.iloc[:0], epochs.iloc[:0]), pd.DataFrame)
