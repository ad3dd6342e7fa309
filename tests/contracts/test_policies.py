"""What every policy holds, whatever it looks at: plug a new kind into POLICIES."""

import json
import math
import pickle
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tune_regimes as tr
from tune_regimes.schedule import Policy, SaturationDrop, VelocityModelDrop, forked, policy_from_json, told
from tune_regimes.schedule.policy import KIND

STEPS = 5
EPOCHS = 14
PHASE = tr.Phase(lr=0.1, momentum=tr.Ramp("linear", 0.8, 0.9), weight_decay=1e-3, optimizer="adamw", epochs=EPOCHS)
PLAIN = tr.Phase(lr=0.1, momentum=0.9, weight_decay=1e-3, epochs=EPOCHS)
SETTLING = (
    tr.Phase(lr=0.5, momentum=0.9, weight_decay=0.02, epochs=6),
    tr.Phase(lr=tr.Ramp("linear", 0.5, 0.1), momentum=0.9, weight_decay=0.02, epochs=5, momentum_rule="reset"),
    tr.Phase(lr=0.01, momentum=0.5, epochs=EPOCHS - 11, momentum_rule="reset"),
)

POLICIES = {
    "schedule": tr.three_step(epochs=EPOCHS, lr=0.1, momentum=0.9),
    "plateau": tr.Plateau(PHASE, patience=1, threshold=0.1),
    "autodrop": tr.AutoDrop(PHASE, delay=2, threshold=0.5),
    "autodrop, literal": tr.AutoDrop(PLAIN, delay=1, threshold=0.5, literal=True, at_floor="hold", rho=0.1),
    "saturation": SaturationDrop(PHASE, window=2, threshold=1.0),
    "saturation, disjoint": SaturationDrop(PLAIN, window=2, threshold=1.0, windows="disjoint"),
    "velocity_model": VelocityModelDrop(PLAIN, gamma=20.0),
    "velocity_model, steps": VelocityModelDrop(PHASE, gamma=5.0, factor=0.5, unit="step"),
    "equilibrium": tr.Equilibrium(SETTLING, tolerance=0.5),
    "averaged": tr.Averaged(tr.three_step(epochs=EPOCHS - 1, lr=0.1), last=4, rule="ema"),
    "averaged, adaptive": tr.Averaged(tr.Plateau(replace(PHASE, epochs=EPOCHS - 1), patience=0), last=6, rule="linear"),
    "fork": forked(tr.AutoDrop(PHASE, delay=2, threshold=0.5), 8, [tr.Phase(lr=0.01, epochs=EPOCHS - 8)]),
    "fork, averaged": forked(tr.Averaged(tr.Plateau(PLAIN), last=9), 11, [tr.Phase(lr=0.01, epochs=EPOCHS - 11)]),
}

RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "train_loss": st.sampled_from([1.0, 0.9, 0.5, math.nan]),
            "steps": st.just(float(STEPS)),
            "weight_norm": st.sampled_from([7.0, 7.1, 9.0]),
            "angular_velocity": st.sampled_from([60.0, 60.1, 75.0, math.nan]),
        }
    ),
    min_size=EPOCHS,
    max_size=EPOCHS,
)


every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)


def followed(policy, records):
    """What each epoch is told and the state before it, then the state behind the last epoch."""
    path = list(told(policy, records, STEPS))
    return [*path, policy.observe(path[-1][1], records[policy.epochs - 1])]


def stored(record):
    """A record as the tables give it back: an angle that is not known is null."""
    return {name: None if name == "angular_velocity" and math.isnan(v) else v for name, v in record.items()}


def kinds(cls=Policy):
    for kind in cls.__subclasses__():
        yield from kinds(kind)
        if "kind" in vars(kind):
            yield kind.kind


def test_every_kind_of_policy_is_held_to_this_contract():
    assert set(kinds()) == {policy.to_dict()[KIND] for name, policy in POLICIES.items() if name != "schedule"}


@every_policy
def test_a_policy_survives_json_and_pickle_and_can_be_a_dictionary_key(policy):
    read = policy_from_json(policy.to_json())
    assert (read, pickle.loads(pickle.dumps(policy)), hash(read)) == (policy, policy, hash(policy))
    assert policy_from_json(json.dumps(json.loads(policy.to_json()))) == policy


@every_policy
@given(records=RECORDS)
@settings(max_examples=15)
def test_every_epoch_has_settings_that_survive_json_and_phases_in_order(policy, records):
    *path, _ = followed(policy, records)
    assert len(path) == policy.epochs == EPOCHS
    assert [tr.Settings.from_dict(json.loads(json.dumps(s.to_dict()))) for s, _ in path] == [s for s, _ in path]
    places = [policy.phase_of(state) for _, state in path]
    assert places[0] == (0, 0)
    for (index, epoch), (next_index, next_epoch) in pairwise(places):
        assert (next_index, next_epoch) == (index, epoch + 1) or (next_index > index and next_epoch == 0)
    assert policy.last_phase is None or places[-1][0] == policy.last_phase


@every_policy
@given(records=RECORDS, other=RECORDS, at=st.integers(0, EPOCHS))
@settings(max_examples=15)
def test_as_long_as_records_agree_so_do_settings_and_one_epoch_beyond(policy, records, other, at):
    one, two = followed(policy, records), followed(policy, records[:at] + other[at:])
    assert one[: at + 1] == two[: at + 1]


@every_policy
@given(records=RECORDS)
@settings(max_examples=15)
def test_a_state_is_restored_exactly_at_any_epoch_by_observing_the_stored_records_again(policy, records):
    path = followed(policy, records)
    for at in range(EPOCHS):
        again = policy_from_json(policy.to_json())
        state = again.start()
        for record in records[:at]:
            state = again.observe(state, stored(json.loads(json.dumps(record))))
        assert (again.settings(state, STEPS), state) == path[at]


@every_policy
@given(records=RECORDS, at=st.integers(1, EPOCHS))
@settings(max_examples=15)
def test_a_fork_is_told_the_same_before_it_and_the_tail_after(policy, records, at):
    tail = tr.Phase(lr=0.007, momentum=0.3, epochs=2)
    fork = forked(policy, at, [tail])
    path = [settings for settings, _ in told(fork, [*records, *records], STEPS)]
    assert path[:at] == [settings for settings, _ in told(policy, records, STEPS)][:at]
    assert path[at:] == [tail.settings(epoch, STEPS) for epoch in range(2)]
    assert policy_from_json(fork.to_json()) == fork


@every_policy
@given(records=RECORDS)
@settings(max_examples=15)
def test_the_forecast_has_all_epochs_and_is_exact_where_observations_change_nothing(policy, records):
    forecast = policy.forecast()
    assert forecast.epochs == policy.epochs
    if not policy.adaptive:
        path = [settings for settings, _ in told(policy, records, STEPS)]
        assert path == [forecast.settings(epoch, STEPS) for epoch in range(EPOCHS)]
        assert list(told(policy, [], STEPS)) == list(told(policy, records, STEPS))


@every_policy
def test_the_examples_react(policy):
    """Guards the contract against examples that never leave their first phase."""
    still = {"train_loss": 1.0, "steps": 5.0, "weight_norm": 7.0}
    moves = [still | {"angular_velocity": angle} for angle in (60, 60, *[60, 75] * 6)]
    assert len({settings.lr for settings, _ in told(policy, moves, STEPS)}) > 1
