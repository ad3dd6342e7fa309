"""The size of a state, told before anything is trained, is that of the file that is stored."""

import pytest

import tune_regimes as tr
from tune_regimes.search.state_size import optimizers_of, state_size
from tune_regimes.search.workplace import _SAFE_FACTOR, _SAFE_SIZE
from tune_regimes.sharing.entries import pack
from tune_regimes.training import state_to_bytes

TASK = tr.task("digits/simple_cnn", train_size=40, test_size=20, batch_size=20).build()


@pytest.mark.parametrize(
    "phase",
    [
        tr.Phase(lr=0.1, epochs=1),
        tr.Phase(lr=0.1, momentum=tr.Ramp("linear", 0.0, 0.9), epochs=1),
        tr.Phase(lr=1e-3, optimizer="adamw", epochs=1),
        tr.Phase(lr=1.0, optimizer="adadelta", epochs=1),
        tr.Phase(lr=0.01, optimizer="muon", epochs=1),
        tr.Phase(lr=0.01, momentum=0.9, optimizer="kfac", epochs=1),
        tr.Phase(lr=0.1, optimizer="lbfgs", history_size=3, epochs=1),
    ],
)
def test_the_size_is_that_of_a_stored_state(phase):
    schedule = tr.Schedule((phase,))
    trajectory = tr.Trajectory(TASK, seed=3)
    trajectory.advance(schedule.settings(0, trajectory.steps_per_epoch))
    stored = pack("state", "a" * 64, state_to_bytes(trajectory.capture()))
    assert state_size(TASK, optimizers_of(schedule)) == len(stored)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_average_that_is_collected_counts(optimizer):
    plain = tr.Schedule((tr.Phase(lr=1e-3, optimizer=optimizer, epochs=2),))
    policy = tr.Averaged(plain, last=2)
    trajectory, state = tr.Trajectory(TASK, seed=3), policy.start()
    for _ in range(2):
        trajectory.advance(policy.settings(state, trajectory.steps_per_epoch))
        state = policy.observe(state, {})
    stored = pack("state", "a" * 64, state_to_bytes(trajectory.capture()))
    assert state_size(TASK, optimizers_of(policy)) == len(stored)
    weights = sum(p.nbytes for p in trajectory.model.parameters())
    assert state_size(TASK, optimizers_of(plain)) < len(stored) - weights


def test_a_state_is_never_larger_than_the_bound_that_spares_counting():
    weights = sum(value.nbytes for value in TASK.model().state_dict().values())
    largest = tr.AutoDrop(tr.Phase(lr=1e-3, optimizer="adam", epochs=9))
    assert state_size(TASK, optimizers_of(largest)) < _SAFE_SIZE + _SAFE_FACTOR * weights
    assert state_size(TASK, optimizers_of(largest)) > (_SAFE_FACTOR - 1) * weights


def test_the_largest_state_of_a_schedule_counts():
    plain, heavy = tr.Phase(lr=0.1, epochs=1), tr.Phase(lr=1e-3, optimizer="adam", epochs=1)
    both = tr.Schedule((plain, heavy))
    assert state_size(TASK, optimizers_of(both)) == state_size(TASK, optimizers_of(tr.Schedule((heavy,))))
    assert state_size(TASK, optimizers_of(tr.Schedule((plain,)))) < state_size(TASK, optimizers_of(both))


def test_of_an_adaptive_policy_the_forecast_counts():
    assert optimizers_of(tr.Plateau(tr.Phase(lr=0.1, epochs=9))) == {tr.Settings("sgd", lr=0.0)}
