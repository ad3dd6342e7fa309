"""Weight decay and its exponential learning rate, side by side on a scale-invariant loss."""

import numpy as np
import pytest

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Phase, Ramp, Schedule, at_step, exponential_equivalent
from tune_regimes.schedule.families.equilibrium import table_1

STEPS = 20


def gradient(weights: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Of the cosine distance to a target, which is scale-invariant; one batch has one target."""
    norm = np.linalg.norm(weights)
    unit = weights / norm
    return -(target - unit * (unit @ target)) / norm


def directions(schedule: Schedule) -> np.ndarray:
    """Unit vectors of the weights after every step of plain sgd in float64, with the same batches for any schedule."""
    rng = np.random.default_rng(0)
    weights, path = rng.normal(size=5), []
    for epoch in range(schedule.epochs):
        settings = schedule.settings(epoch, STEPS)
        for step in range(STEPS):
            lr, decay = (at_step(value, step) for value in (settings.lr, settings.weight_decay))
            weights = weights - lr * (gradient(weights, rng.normal(size=5)) + decay * weights)
            path.append(weights / np.linalg.norm(weights))
    return np.array(path)


CONSTANT = Schedule((Phase(lr=0.4, weight_decay=0.05, epochs=12),))
CHANGING = table_1("4", epochs=11, unit=1, weight_decay=0.02)


@pytest.mark.parametrize("schedule", [CONSTANT, CHANGING], ids=["constant", "table 1"])
def test_the_exponential_learning_rate_follows_the_path_of_weight_decay(schedule):
    equivalent = exponential_equivalent(schedule, steps_per_epoch=STEPS)
    assert {phase.weight_decay for phase in equivalent.phases} == {0.0}
    assert np.abs(directions(equivalent) - directions(schedule)).max() < 1e-9


def test_the_printed_exponent_does_not_follow_it():
    printed = exponential_equivalent(CONSTANT, steps_per_epoch=STEPS, printed=True)
    assert np.abs(directions(printed) - directions(CONSTANT)).max() > 1e-4


def test_the_exponents_are_2t_plus_1_and_as_printed_2t():
    exact, printed = (exponential_equivalent(CONSTANT, steps_per_epoch=STEPS, printed=flag) for flag in (False, True))
    for epoch in (0, 11):
        t = np.arange(epoch * STEPS, (epoch + 1) * STEPS)
        assert exact.settings(epoch, STEPS).lr == pytest.approx(tuple(0.4 * 0.98 ** -(2.0 * t + 1)), rel=1e-11)
        assert printed.settings(epoch, STEPS).lr == pytest.approx(tuple(0.4 * 0.98 ** -(2.0 * t)), rel=1e-11)


def test_without_weight_decay_nothing_grows():
    schedule = Schedule((Phase(lr=0.4, epochs=2), Phase(lr=0.0, weight_decay=0.1, epochs=1)))
    assert exponential_equivalent(schedule, steps_per_epoch=3).phases == (
        Phase(lr=0.4, weight_decay=0.0, epochs=2),
        Phase(lr=0.0, weight_decay=0.0, epochs=1),
    )


def test_a_phase_without_weight_decay_keeps_what_grew_before_it():
    schedule = Schedule((Phase(lr=0.4, weight_decay=0.5, epochs=1), Phase(lr=0.1, epochs=1)))
    assert exponential_equivalent(schedule, steps_per_epoch=1).phases[1].lr == pytest.approx(0.1 / 0.8**2)


def test_a_rate_that_float32_cannot_hold_is_refused_with_the_epochs_that_fit():
    message = (
        r"below 3\.4e\+38, the largest number in float32: received one that grows to 10\^87\. .* at most (\d+) epochs"
    )
    schedule = Schedule((Phase(lr=0.4, weight_decay=0.05, epochs=250),))
    with pytest.raises(ScheduleError, match=message) as caught:
        exponential_equivalent(schedule, steps_per_epoch=STEPS)
    fits = int(str(caught.value).split("at most ")[1].split()[0])
    exponential_equivalent(schedule.first(fits), steps_per_epoch=STEPS)
    with pytest.raises(ScheduleError, match="float32"):
        exponential_equivalent(schedule.first(fits + 1), steps_per_epoch=STEPS)


def test_growth_beyond_any_float_is_refused_in_the_same_words():
    schedule = Schedule((Phase(lr=1.0, weight_decay=0.9, epochs=1000),))
    with pytest.raises(ScheduleError, match=r"received one that grows to 10\^200001"):
        exponential_equivalent(schedule, steps_per_epoch=100)


@pytest.mark.parametrize(
    "phase",
    [
        Phase(lr=0.1, momentum=0.9, epochs=1),
        Phase(lr=0.1, optimizer="adamw", epochs=1),
        Phase(lr=0.1, weight_decay=0.1, decay="kernels", epochs=1),
        Phase(lr=0.1, clip_norm=1.0, epochs=1),
        Phase(lr=0.1, batches_per_step=2, epochs=1),
        Phase(lr=Ramp("linear", 0.1, 0.0), epochs=1),
        Phase(lr=0.1, weight_decay=Ramp("linear", 0.1, 0.0), epochs=1),
    ],
    ids=["momentum", "adamw", "kernels", "clipped", "batches", "ramp", "decay ramp"],
)
def test_what_has_no_exponential_equivalent_is_refused(phase):
    with pytest.raises(ScheduleError, match="for constant sgd without momentum or clipping"):
        exponential_equivalent(Schedule((phase,)), steps_per_epoch=3)


def test_an_intrinsic_lr_of_1_is_refused():
    with pytest.raises(ScheduleError, match=r"lr \* weight_decay must lie in \[0, 1\): received 1\.0"):
        exponential_equivalent(Schedule((Phase(lr=2.0, weight_decay=0.5, epochs=1),)), steps_per_epoch=3)
