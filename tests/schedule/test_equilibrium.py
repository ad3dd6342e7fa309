"""Phases end when the norm has settled: on the exact recursion of a normalised network, and on scripted norms."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tune_regimes as tr
from tests.schedule.following import followed
from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Settings, at_step, policy_from_json
from tune_regimes.schedule.equilibrium import decayed

STEPS = 100
NOISY = tr.Phase(lr=0.4, weight_decay=5e-3, epochs=200)  # 1 / lambda_e is 500 steps: 5 epochs
FLOW = tr.Phase(lr=0.04, momentum=0.9, epochs=10)


def measured(norm, steps=STEPS):
    return {"train_loss": 1.0, "weight_norm": norm, "steps": float(steps)}


def first_phase(policy, norms):
    """Epochs of the first phase under scripted norms; None where it does not end."""
    states = followed(policy, [measured(norm) for norm in norms])
    return next((epoch for epoch, state in enumerate(states) if state.index), None)


@given(st.floats(-3, 3), st.sampled_from([0.1, 0.4, 1.6]), st.sampled_from([5e-3, 2e-2]))
@settings(max_examples=15)
def test_it_ends_at_the_equilibrium_of_the_exact_recursion(decades, lr, weight_decay):
    """G <- (1 - lambda)^2 G + lr^2 s^2 / G has the fixed point G^2 = lr^2 s^2 / (2 lambda - lambda^2)."""
    rate = lr * weight_decay
    fixed = lr / math.sqrt(2 * rate - rate**2)
    policy = tr.Equilibrium((tr.Phase(lr=lr, weight_decay=weight_decay, epochs=5000), FLOW))
    square, state = fixed * 10**decades, policy.start()
    while state.index == 0:
        for _ in range(STEPS):
            square = (1 - rate) ** 2 * square + lr**2 / square
        state = policy.observe(state, measured(math.sqrt(square)))
    ended = state.epoch
    assert square == pytest.approx(fixed, rel=0.01)
    away = max(0.0, decades * math.log(10)) / 2  # from far above, G shrinks as exp(-2 lambda t)
    assert 1 <= ended * STEPS * rate <= 3.5 + away + 2 * STEPS * rate


def test_the_window_is_as_long_as_the_inverse_of_the_intrinsic_learning_rate():
    assert first_phase(tr.Equilibrium((NOISY, FLOW)), [7.0] * 20) == 6  # the norm before the first epoch is not known
    slow = tr.Phase(lr=0.4, weight_decay=1e-3, epochs=200)
    assert first_phase(tr.Equilibrium((slow, FLOW)), [7.0] * 40) == 26
    assert first_phase(tr.Equilibrium((NOISY, FLOW), window=3.0), [7.0] * 40) == 16


def test_momentum_makes_the_window_shorter_and_adam_does_not_divide_by_it():
    heavy = tr.Phase(lr=0.04, momentum=0.9, weight_decay=5e-3, epochs=200)
    assert first_phase(tr.Equilibrium((heavy, FLOW)), [7.0] * 40) == 6
    adamw = tr.Phase(lr=0.4, weight_decay=5e-3, optimizer="adamw", epochs=200)
    assert first_phase(tr.Equilibrium((adamw, FLOW)), [7.0] * 40) == 6


def test_a_norm_that_passes_through_its_extremum_has_not_settled():
    norms = [10.0, 8.0, 7.0, 6.5, 6.4, 6.4, 6.5, 7.0, 8.0, 10.0] * 2
    assert first_phase(tr.Equilibrium((NOISY, FLOW)), norms) is None


def test_a_smaller_tolerance_waits_longer():
    norms = [7.0 * (1 + 2.0**-epoch) for epoch in range(60)]
    ended = [first_phase(tr.Equilibrium((NOISY, FLOW), tolerance=t), norms) for t in (0.1, 0.01, 0.001)]
    assert ended == sorted(set(ended))


def test_a_phase_ends_after_its_epochs_settled_or_not():
    short = tr.Phase(lr=0.4, weight_decay=5e-3, epochs=8)
    assert first_phase(tr.Equilibrium((short, FLOW)), [2.0**epoch for epoch in range(20)]) == 8


def test_the_last_phase_takes_what_is_left_and_ramps_over_it():
    last = tr.Phase(lr=tr.Ramp("linear", 0.04, 0.0, per="epoch"), epochs=4)
    policy = tr.Equilibrium((tr.Phase(lr=0.4, weight_decay=5e-3, epochs=10), last))
    states = followed(policy, [measured(7.0)] * 13)
    assert [policy.phase_of(state) for state in states[5:8]] == [(0, 5), (1, 0), (1, 1)]
    assert [policy.settings(state, STEPS).lr for state in states[6:]] == [0.04 * (1 - e / 8) for e in range(8)]
    assert policy.epochs == len(states) == 14


def test_each_phase_but_the_last_waits_for_an_equilibrium_of_its_own():
    policy = tr.Equilibrium((NOISY, tr.Phase(lr=0.2, weight_decay=5e-3, epochs=100), FLOW))
    states = followed(policy, [measured(7.0)] * 30)
    starts = [epoch for epoch, state in enumerate(states) if policy.phase_of(state)[1] == 0]
    assert starts == [0, 6, 16]  # the second knows the norm at its start: 1000 steps are 10 epochs
    assert policy.last_phase == 2


@pytest.mark.parametrize("rule", ["keep", "reset"])
def test_buffers_are_dropped_on_entering_as_the_phase_says(rule):
    heavy = tr.Phase(lr=0.04, momentum=0.9, weight_decay=5e-3, epochs=100)
    policy = tr.Equilibrium((heavy, tr.Phase(lr=0.01, momentum=0.9, epochs=5, momentum_rule=rule)))
    states = followed(policy, [measured(7.0)] * 8)
    assert [epoch for epoch, state in enumerate(states) if policy.settings(state, STEPS).reset] == [6] * (
        rule == "reset"
    )


def test_the_intrinsic_learning_rate_is_summed_over_the_steps_as_they_are_told():
    ramped = tr.Phase(lr=0.1, weight_decay=tr.Ramp("linear", 0.02, 0.0), epochs=1).settings(0, 4)
    assert decayed(ramped, 4) == pytest.approx(0.1 * (0.02 + 0.015 + 0.01 + 0.005))
    assert decayed(Settings("sgd", lr=0.1, weight_decay=0.01), 50) == pytest.approx(0.05)


@pytest.mark.parametrize("group", [1, 2, 4, 8])
def test_ramps_count_as_they_are_told_where_several_batches_make_a_step(group):
    ramped = tr.Phase(lr=tr.Ramp("linear", 0.1, 0.0), weight_decay=0.01, epochs=3, batches_per_step=group)
    policy = tr.Equilibrium((ramped, FLOW))
    batches, steps = 8, 8 // group
    states = followed(policy, [measured(7.0, steps)])
    told = policy.settings(states[0], batches)
    assert told.batches_per_step == group
    exact = sum(0.01 * at_step(told.lr, step * group) for step in range(steps))
    assert states[1].norms[-1][0] == pytest.approx(exact)


def test_an_epoch_that_did_not_measure_the_norm_is_refused():
    policy = tr.Equilibrium((NOISY, FLOW))
    for missing in ("weight_norm", "steps"):
        record = {name: value for name, value in measured(7.0).items() if name != missing}
        with pytest.raises(ScheduleError, match=f"received '{missing}'"):
            policy.observe(policy.start(), record)


@pytest.mark.parametrize(
    ("phases", "options", "message"),
    [
        ((NOISY,), {}, "a phase that settles and one that follows"),
        ((), {}, "a schedule needs one Phase or more"),
        ((tr.Phase(lr=0.1, epochs=9), FLOW), {}, r"above 0: received phase 1 with weight decay 0\.0\. Set it"),
        ((NOISY, tr.Phase(lr=0.0, weight_decay=0.1, epochs=9), FLOW), {}, r"received phase 2 with lr 0\.0\. Set it"),
        ((tr.Phase(lr=0.1, weight_decay=0.1), FLOW), {}, "must have a length"),
        (
            (NOISY, tr.Phase(lr=tr.Ramp("linear", 0.1, 0.0), epochs=5, ramp_epochs=9)),
            {},
            "all epochs that are left to it: received ramp_epochs=9. Leave",
        ),
        ((NOISY, FLOW), {"tolerance": 0.0}, "tolerance must be finite and above 0"),
        ((NOISY, FLOW), {"window": -1.0}, "window must be finite and"),
    ],
)
def test_what_is_no_equilibrium_policy_is_refused(phases, options, message):
    with pytest.raises(ScheduleError, match=message):
        tr.Equilibrium(phases, **options)


def test_json_that_is_no_equilibrium_policy_is_refused():
    with pytest.raises(ScheduleError, match="an equilibrium policy needs phases"):
        policy_from_json('{"policy": "equilibrium"}')
