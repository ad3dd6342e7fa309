"""The size of a state, told before anything is trained, is that of the file that is stored."""

import pytest

import tune_regimes as tr
from tune_regimes.search.state_size import optimizers_of, state_size
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
    ],
)
def test_the_size_is_that_of_a_stored_state(phase):
    schedule = tr.Schedule((phase,))
    trajectory = tr.Trajectory(TASK, seed=3)
    trajectory.advance(schedule.settings(0, trajectory.steps_per_epoch))
    stored = pack("state", "a" * 64, state_to_bytes(trajectory.capture()))
    assert state_size(TASK, optimizers_of(schedule)) == len(stored)


def test_the_largest_state_of_a_schedule_counts():
    plain, heavy = tr.Phase(lr=0.1, epochs=1), tr.Phase(lr=1e-3, optimizer="adam", epochs=1)
    both = tr.Schedule((plain, heavy))
    assert state_size(TASK, optimizers_of(both)) == state_size(TASK, optimizers_of(tr.Schedule((heavy,))))
    assert state_size(TASK, optimizers_of(tr.Schedule((plain,)))) < state_size(TASK, optimizers_of(both))


def test_of_an_adaptive_policy_the_forecast_counts():
    assert optimizers_of(tr.Plateau(tr.Phase(lr=0.1, epochs=9))) == {tr.Settings("sgd", lr=0.0)}
