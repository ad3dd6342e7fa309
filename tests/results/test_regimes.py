"""The criteria of the regimes where all runs begin with a warm-up; without one they are tested with the analysis."""

import numpy as np
import pandas as pd
import pytest

from tune_regimes.results.curves import first_settings, loss_curves
from tune_regimes.results.regimes import describe_runs, initial_loss, locate_regimes

INITIAL = 2.3


def tables(losses, *, warm_up=1, momentum=0.0):
    """A point for each learning rate, with one seed: a warm-up at 0.001, then those losses."""
    trials, epochs = [], []
    for point, (lr, values) in enumerate(losses.items()):
        name = f"{point:05d}-s0"
        trials.append({"trial_id": name, "point": point, "seed": 0, "status": "completed"})
        for epoch, loss in enumerate([INITIAL] * warm_up + values, 1):
            rate, mu = (0.001, 0.0) if epoch <= warm_up else (lr, momentum)
            epochs.append({"trial_id": name, "epoch": epoch, "lr": rate, "momentum": mu, "train_loss": loss})
    return pd.DataFrame(trials), pd.DataFrame(epochs)


def test_a_point_is_known_by_its_settings_after_the_warm_up():
    found = first_settings(*tables({0.01: [2.0, 1.9]}, momentum=0.9), warm_up=1)
    assert found.loc[0].tolist() == pytest.approx([0.01, 0.9, 0.1])


def test_the_rise_after_a_warm_up_is_no_rise_of_the_run():
    """Its first difference is between two learning rates, and says nothing about either."""
    runs = describe_runs(*tables({0.1: [2.4, 2.0, 1.5, 1.0]}), warm_up=1)
    assert runs.loc[0, "falling"] == 1.0
    assert describe_runs(*tables({0.1: [2.4, 2.0, 1.5, 1.0]}), warm_up=0).loc[0, "falling"] == 0.75


def test_a_broken_network_is_told_by_the_loss_at_the_start_of_the_warm_up():
    """Ends below 90 % of its own first loss, 5, but not of the initial one, while a smaller step learned."""
    trials, epochs = tables({0.1: [2.0, 1.0], 10.0: [5.0, 2.2]})
    assert describe_runs(trials, epochs, warm_up=1)["diverges"].tolist() == [False, True]
    settings = first_settings(trials, epochs, 1)
    assert initial_loss(settings, loss_curves(trials, epochs)) == INITIAL


def test_both_regimes_are_found_beyond_a_warm_up():
    falling, rough, broken = [2.0, 1.5, 1.0, 0.8], [1.5, 1.7, 1.0, 1.2], [3.0, 2.3, 2.4, 2.3]
    found = locate_regimes(*tables({0.01: falling, 0.1: falling, 1.0: rough, 3.0: broken}), warm_up=1).iloc[0]
    assert (found["small_lr"], found["large_lr"], found["diverging_lr"]) == (0.1, 1.0, 3.0)
    assert np.isclose(found["falling_at_large"], 1 / 3)
