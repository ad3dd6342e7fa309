from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.intrinsic_lr.effective_lr import common_stretches, courses, known, stretches, tail_of, window_means
from tune_regimes.schedule import rescaled


def schedule(**options: object) -> object:
    return rescaled(**{"epochs": 6, "lr": 0.4, "weight_decay": 0.05, "changes": [(4, 0.1, 10)], **options})


def test_the_effective_lr_is_lr_over_the_squared_norm(simulated: Callable) -> None:
    trials, epochs = simulated([({"a": 1}, schedule())], seeds=1)
    rows = courses(trials, epochs)
    assert rows["effective_lr"].tolist() == pytest.approx((epochs["lr"] / epochs["weight_norm"] ** 2).tolist())
    assert rows["intrinsic_lr"].tolist() == pytest.approx([0.02] * 6)
    assert rows["step"].tolist() == [25, 50, 75, 100, 125, 150]


def test_with_momentum_the_step_size_takes_the_place_of_lr(simulated: Callable) -> None:
    trials, epochs = simulated([({"a": 1}, schedule(momentum=0.9))], seeds=1)
    rows = courses(trials, epochs)
    assert rows["intrinsic_lr"].tolist() == pytest.approx([0.2] * 6)
    assert rows["effective_lr"][0] == pytest.approx(4.0 / epochs["weight_norm"][0] ** 2)


def test_only_completed_runs_are_in_it_in_the_order_of_their_epochs(simulated: Callable) -> None:
    trials, epochs = simulated([({"a": 1}, schedule())], seeds=2)
    trials.loc[0, "status"] = "diverged"
    rows = courses(trials, epochs.sample(frac=1, random_state=0))
    assert rows["trial_id"].unique().tolist() == ["00000-s1"]
    assert rows["epoch"].tolist() == [1, 2, 3, 4, 5, 6]


def test_tables_without_norms_are_known_to_have_none(simulated: Callable) -> None:
    trials, epochs = simulated([({"a": 1}, schedule())])
    assert known(courses(trials, epochs))
    assert not known(courses(trials, epochs.drop(columns=["weight_norm", "steps"])))
    assert not known(courses(trials.iloc[:0], epochs))


def test_stretches_end_where_any_run_changes(simulated: Callable) -> None:
    other = schedule(changes=[(2, 0.5, 1), (4, 0.2, 10)])
    rows = courses(*simulated([({"a": 1}, schedule()), ({"a": 2}, other)]))
    assert stretches(rows) == [(1, 2), (3, 4), (5, 6)]
    assert common_stretches(rows) == [(1, 2), (5, 6)]
    assert common_stretches(rows, ["weight_decay"]) == [(1, 2), (3, 4), (5, 6)]


def test_a_stretch_that_some_run_does_not_reach_is_not_common(simulated: Callable) -> None:
    rows = courses(*simulated([({"a": 1}, schedule()), ({"a": 2}, schedule(epochs=5))]))
    assert common_stretches(rows) == [(1, 4)]


def test_means_of_a_window_are_one_per_run_by_group(simulated: Callable) -> None:
    rows = courses(*simulated([({"a": "x"}, schedule()), ({"a": "y"}, schedule())], seeds=3))
    means = window_means(rows, 2, 3, "test_accuracy", "config.a")
    assert {name: len(values) for name, values in means.items()} == {"x": 3, "y": 3}
    first = rows[(rows["trial_id"] == "00000-s0") & rows["epoch"].isin([2, 3])]["test_accuracy"].mean()
    assert np.isclose(means["x"], first).any()


def test_a_window_is_the_last_part_of_a_stretch() -> None:
    assert tail_of(11, 20, 0.2) == (19, 20)
    assert stretches(pd.DataFrame(columns=["trial_id", "epoch", "lr", "momentum", "weight_decay"])) == []
