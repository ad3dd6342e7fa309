"""What Optuna is told of the points of a search, and what others then read in its journal."""

import optuna
import pytest
from optuna.trial import TrialState

from tune_regimes.search.points import Outcome
from tune_regimes.search.trial import WORST

METRIC = "test_accuracy"
INSIDE, OUTSIDE = {"x": 0.5, "n": 1, "fixed": "a"}, {"x": 5.0, "n": 1, "fixed": "a"}


def completed(value, epochs=4):
    return {seed: Outcome(value, "completed", epochs) for seed in (0, 1)}


def ended(found, point, outcomes):
    config = found.config(point)
    found.tell(point, outcomes)
    return config


def test_a_point_is_one_trial_with_the_mean_of_its_seeds(points, loaded, tmp_path):
    search = points(tmp_path)
    config = search.config(0)
    search.tell(0, {0: Outcome(0.4, "completed", 4), 1: Outcome(0.8, "completed", 4)})
    search.close()
    (trial,) = loaded(tmp_path).trials
    assert trial.state == TrialState.COMPLETE
    assert trial.value == pytest.approx(0.6)
    assert {**trial.params, "fixed": "a"} == config
    assert trial.user_attrs == {
        "point": 0,
        "trials": ["00000-s0", "00000-s1"],
        "schedule": "2 epochs lr 0.1; 2 epochs lr 0.01, momentum 0.9",
        "outcome": "completed",
        "epochs": 4.0,
    }


def test_values_on_the_way_are_means_reported_once_all_seeds_are_through(points, loaded, tmp_path):
    search = points(tmp_path)
    search.config(0)
    for epoch, value in [(1, 0.1), (2, 0.2), (3, 0.3)]:
        search.observe(0, 0, epoch, value)
    assert loaded(tmp_path).trials[0].intermediate_values == {}
    search.observe(0, 1, 1, 0.3)
    search.observe(0, 1, 2, 0.4)
    assert loaded(tmp_path).trials[0].intermediate_values == {1: pytest.approx(0.2), 2: pytest.approx(0.3)}
    search.tell(0, completed(0.5))
    assert loaded(tmp_path).trials[0].intermediate_values[3] == pytest.approx(0.3)


def test_an_epoch_that_one_seed_passed_without_a_report_has_no_mean(points, loaded, tmp_path):
    search = points(tmp_path)
    search.config(0)
    for seed, epoch, value in [(0, 1, 0.1), (0, 3, 0.3), (1, 2, 0.2), (1, 3, 0.5)]:
        search.observe(0, seed, epoch, value)
    search.tell(0, completed(0.4))
    assert loaded(tmp_path).trials[0].intermediate_values == {3: pytest.approx(0.4)}


def test_a_pruned_point_is_pruned_with_its_last_intermediate_value(points, loaded, tmp_path):
    search = points(tmp_path)
    search.config(0)
    for seed, epoch, value in [(0, 1, 0.1), (1, 1, 0.3), (1, 2, 0.5)]:
        search.observe(0, seed, epoch, value)
    search.tell(0, {0: Outcome(0.1, "pruned", 1), 1: Outcome(0.5, "pruned", 2)})
    (trial,) = loaded(tmp_path).trials
    assert trial.state == TrialState.PRUNED
    assert trial.intermediate_values == {1: pytest.approx(0.2), 2: 0.5}
    assert trial.value == 0.5
    assert (trial.user_attrs["outcome"], trial.user_attrs["epochs"]) == ("pruned", 1.5)


@pytest.mark.parametrize(
    ("worst", "outcome"),
    [
        (Outcome(None, "diverged", 1), "diverged"),
        (Outcome(None, "failed", 0), "failed"),
        (Outcome(-WORST, "completed", 4), "diverged"),
        (Outcome(float("nan"), "completed", 4), "diverged"),
    ],
)
def test_a_point_with_a_seed_without_a_value_has_failed(points, loaded, tmp_path, worst, outcome):
    search = points(tmp_path)
    ended(search, 0, {0: Outcome(0.9, "completed", 4), 1: worst})
    (trial,) = loaded(tmp_path).trials
    assert (trial.state, trial.value) == (TrialState.FAIL, None)
    assert trial.user_attrs["outcome"] == outcome


def test_a_diverged_point_may_count_as_a_stated_value_but_a_crashed_one_never(points, loaded, tmp_path):
    search = points(tmp_path, diverged=0.1)
    ended(search, 0, {0: Outcome(0.9, "completed", 4), 1: Outcome(None, "diverged", 1)})
    ended(search, 1, {0: Outcome(0.9, "completed", 4), 1: Outcome(None, "failed", 0)})
    found = loaded(tmp_path).trials
    assert [(trial.state, trial.value) for trial in found] == [(TrialState.COMPLETE, 0.1), (TrialState.FAIL, None)]


def test_a_value_that_stands_for_divergence_is_no_intermediate_value(points, loaded, tmp_path):
    search = points(tmp_path, seeds=[0])
    search.config(0)
    for epoch, value in [(1, 0.1), (2, -WORST), (3, float("nan"))]:
        search.observe(0, 0, epoch, value)
    search.tell(0, {0: Outcome(None, "diverged", 3)})
    assert loaded(tmp_path).trials[0].intermediate_values == {1: 0.1}


def test_tpe_moves_towards_the_better_half(points):
    search = points(samples=50)
    found = []
    for point in range(search.total):
        found.append(search.config(point)["x"])
        search.tell(point, completed(found[-1]))
    assert sum(found[-20:]) / 20 > 0.3  # 0 +- 0.13 without learning


def test_explicit_points_come_first_and_enter_the_journal_wherever_they_lie(points, loaded, tmp_path):
    search = points(tmp_path, first=[OUTSIDE, INSIDE])
    assert search.total == 8
    search.observe(0, 0, 1, 0.7)
    assert [ended(search, point, completed(value)) for point, value in ((0, 0.9), (1, 0.3))] == [OUTSIDE, INSIDE]
    search.close()
    outside, inside = loaded(tmp_path).trials
    assert (outside.params, outside.value, outside.user_attrs["config"]) == ({}, 0.9, OUTSIDE)
    assert (inside.params, inside.value) == ({"x": 0.5, "n": 1}, 0.3)
    assert [trial.user_attrs["point"] for trial in (outside, inside)] == [0, 1]


def test_an_outside_point_does_not_keep_tpe_from_learning_jointly(points, loaded, tmp_path):
    search = points(tmp_path, samples=14, first=[OUTSIDE])
    for point in range(search.total):
        ended(search, point, completed(0.1 * point))
    last = loaded(tmp_path).trials[-1]
    assert any("relative" in name for name in last.system_attrs)


def test_with_two_objectives_the_epochs_gone_through_are_the_second(points, loaded, tmp_path):
    search = points(tmp_path, objectives={METRIC: "max", "epochs": "min"})
    search.config(0)
    for seed in (0, 1):
        search.observe(0, seed, 1, 0.2)
    search.tell(0, {0: Outcome(0.4, "completed", 4), 1: Outcome(0.8, "completed", 6)})
    for point, (value, epochs) in enumerate([(0.7, 9), (0.5, 9), (0.1, 2)], start=1):
        ended(search, point, completed(value, epochs))
    ended(search, 4, {0: Outcome(0.9, "pruned", 1), 1: Outcome(0.9, "completed", 4)})
    ended(search, 5, {0: Outcome(None, "diverged", 1), 1: Outcome(0.9, "completed", 4)})
    search.close()
    study = loaded(tmp_path)
    assert study.metric_names == [METRIC, "epochs"]
    assert study.trials[0].values == [pytest.approx(0.6), 5.0]
    assert study.trials[0].user_attrs["curve"] == {"1": pytest.approx(0.2)}
    assert [trial.state for trial in study.trials[4:]] == [TrialState.PRUNED, TrialState.FAIL]
    assert [trial.user_attrs["point"] for trial in study.best_trials] == [0, 1, 3]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning", "ignore:Some regimes")
def test_plots_and_importances_of_optuna_read_the_journal(points, loaded, tmp_path):
    from optuna.visualization import matplotlib as plots

    search = points(tmp_path, samples=40, first=[OUTSIDE])
    for point in range(search.total):
        value = search.config(point)["x"]
        for seed in (0, 1):
            search.observe(point, seed, 1, value / 2)
            search.observe(point, seed, 2, value)
        outcome = Outcome(value, "pruned" if point % 4 == 3 else "completed", 2)
        search.tell(point, {0: outcome, 1: outcome})
    search.close()
    study = loaded(tmp_path)
    importances = optuna.importance.get_param_importances(study, params=["x", "n"])
    assert importances["x"] > importances["n"]
    curves = plots.plot_intermediate_values(study)
    assert len(curves.get_lines()) == len(study.trials)
    history = plots.plot_optimization_history(study)
    assert len(history.collections[0].get_offsets()) == len(study.get_trials(states=[TrialState.COMPLETE]))
