"""Forked trials among those that the space gave."""

from collections.abc import Callable

from tune_regimes.results import Results, fork_config, is_fork, read_trial
from tune_regimes.schedule import Phase, Plateau
from tune_regimes.storage import Storage


def test_forks_are_told_from_what_the_space_gave(study: Storage, add: Callable[..., str]) -> None:
    before = Results.load(study)
    trials, epochs = before.trials, before.epochs
    config = fork_config({"lr": 0.1, "transition_epoch": 2}, "00000-s1", 2, "lr=0.01,epochs=3")
    fork = add(4, 1, config, final_test_accuracy=0.9)
    results = Results.load(study)
    assert results.forks.trial_id.tolist() == [fork]
    assert results.forks["config.fork.epoch"].tolist() == [2]
    assert is_fork(read_trial(study, fork))
    assert not is_fork(read_trial(study, "00000-s1"))
    assert results.points.point.tolist() == [0, 1, 2, 3, 4]
    rest = results.without_forks()
    assert rest.trials.equals(trials)
    assert rest.epochs.equals(epochs)
    assert rest.forks.empty


def test_a_study_without_forks_has_none(study: Storage) -> None:
    assert Results.load(study).forks.empty


def test_the_best_trial_may_follow_a_policy(study: Storage, add: Callable[..., str]) -> None:
    policy = Plateau(Phase(lr=0.1, epochs=3))
    for seed in range(3):
        add(5, seed, {"lr": 0.2}, final_test_accuracy=0.999, schedule=policy.to_json())
    assert Results.load(study).best().schedule == policy
