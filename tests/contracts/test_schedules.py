"""What every schedule holds, whatever family builds it: plug a new family into EXAMPLES."""

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tune_regimes as tr
from tune_regimes.schedule import families
from tune_regimes.schedule.optimizers import OPTIMIZER_FAMILIES
from tune_regimes.schedule.ramps import resolve
from tune_regimes.sharing import key_chain, root_key

ROOT = root_key({"seed": 0})

EXAMPLES = {
    "two_phase": lambda: tr.two_phase(
        epochs=6,
        transition_epoch=4,
        large=tr.Phase(lr=0.9236708571873865, momentum=0.0),
        small=tr.Phase(lr=0.005, momentum=0.95),
        weight_decay=1e-4,
    ),
    "three_step": lambda: tr.three_step(epochs=6, lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True),
    "staircase": lambda: tr.staircase(
        epochs=6, segments={0: (0.4, 5e-4), 2: 0.1, 5: tr.Phase(lr=1.0, optimizer="adadelta")}
    ),
    "cosine": lambda: tr.cosine(epochs=6, lr=0.1, warmup=1, momentum=0.9, decay="kernels", weight_decay=1e-4),
    "sgdr": lambda: tr.sgdr(epochs=6, lr=0.1, t_0=2, t_mult=2, optimizer="adam"),
    "exponential": lambda: tr.exponential(epochs=6, lr=0.1, gamma=0.8, clip_norm=1.0),
    "wsd": lambda: tr.wsd(epochs=6, lr=0.1, warmup=1, cooldown=2, optimizer="adamw", weight_decay=0.1),
    "one_cycle": lambda: tr.one_cycle(epochs=6, lr=0.1),
    "rescaled": lambda: families.rescaled(
        epochs=6, lr=0.4, weight_decay=5e-4, changes=[(0, 4, 1), (2, 0.5, 0.5), (5, 0.1, 0)]
    ),
    "labelled": lambda: families.labelled("wd_3_lr_0_0_5", epochs=6),
    "sde_then_flow": lambda: families.sde_then_flow(epochs=6, sde_epochs=4, intrinsic_lr=2e-4, lr=0.4),
    "exponential_equivalent": lambda: families.exponential_equivalent(
        tr.staircase(epochs=6, segments={0: (0.4, 0.05), 4: (0.1, 0.2)}), steps_per_epoch=3
    ),
}


@pytest.fixture(params=EXAMPLES)
def schedule(request: pytest.FixtureRequest) -> tr.Schedule:
    return EXAMPLES[request.param]()


def test_every_family_is_held_to_this_contract():
    assert set(EXAMPLES) == set(families.__all__)


def test_a_family_builds_as_many_epochs_as_asked_for(schedule):
    assert schedule.epochs == sum(phase.length for phase in schedule.phases) == 6


def test_the_phases_follow_each_other_without_gap(schedule):
    places = [schedule.phase_of(epoch) for epoch in range(schedule.epochs)]
    assert places == [(index, e) for index, phase in enumerate(schedule.phases) for e in range(phase.length)]
    assert schedule.transitions == tuple(epoch for epoch, (_, e) in enumerate(places) if epoch and e == 0)


def test_a_schedule_survives_json_and_pickle_and_can_be_a_dictionary_key(schedule):
    assert tr.Schedule.from_json(schedule.to_json()) == schedule
    assert tr.Schedule.from_dict(json.loads(json.dumps(schedule.to_dict()))) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert len({schedule, tr.Schedule.from_json(schedule.to_json())}) == 1


def test_a_schedule_that_went_through_json_has_the_same_keys(schedule):
    assert key_chain(ROOT, tr.Schedule.from_json(schedule.to_json()), 3) == key_chain(ROOT, schedule, 3)


@pytest.mark.parametrize("steps_per_epoch", [1, 2, 7])
def test_every_epoch_has_one_value_or_one_per_step(schedule, steps_per_epoch):
    for epoch in range(schedule.epochs):
        told = schedule.settings(epoch, steps_per_epoch)
        for value in (told.lr, told.momentum, told.weight_decay):
            assert isinstance(value, float) or len(value) == steps_per_epoch


def test_the_settings_of_every_epoch_survive_json(schedule):
    told = [schedule.settings(epoch, 3) for epoch in range(schedule.epochs)]
    assert [tr.Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) for settings in told] == told


def test_the_first_epoch_never_resets(schedule):
    assert not schedule.settings(0, 3).reset


def test_no_key_repeats_along_a_schedule(schedule):
    assert len(set(key_chain(ROOT, schedule, 3))) == schedule.epochs + 1


# A second, naive account of what training does with a schedule: step by step, what acts on the weights, and which
# history the buffers carry. Keys must be equal exactly as long as these traces are.

STEPS = 2
RATES = [0.1, 0.05, tr.Ramp("linear", 0.1, 0.1), tr.Ramp("linear", 0.1, 0.0), tr.Ramp("linear", 0.1, 0.0, per="epoch")]
MOMENTA = [0.0, 0.9, tr.Ramp("linear", 0.9, 0.9), tr.Ramp("linear", 0.0, 0.9), tr.Ramp("cosine", 0.9, 0.0)]
OWN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "sgd": {"nesterov": st.booleans()},
    "kfac": {"damping": st.sampled_from([0.01, 0.1]), "refresh": st.sampled_from([20, 5])},
    "lbfgs": {"history_size": st.sampled_from([10, 5]), "line_search": st.sampled_from(["none", "strong_wolfe"])},
}


@st.composite
def phases(draw: st.DrawFn, optimizer: str | None = None) -> tr.Phase:
    optimizer = optimizer or draw(st.sampled_from(["sgd", "sgd", "adam", "adamw", "adadelta", "muon", "kfac", "lbfgs"]))
    fields: dict[str, Any] = {name: draw(values) for name, values in OWN.get(optimizer, {}).items()}
    if optimizer not in ("adadelta", "lbfgs"):
        fields["momentum"] = draw(st.sampled_from(MOMENTA))
    return tr.Phase(
        lr=draw(st.sampled_from(RATES)),
        weight_decay=draw(st.sampled_from([0.0, 1e-4])),
        decay=draw(st.sampled_from(["all", "kernels"])),
        epochs=draw(st.integers(1, 2)),
        optimizer=optimizer,
        eps=draw(st.sampled_from([None, 1e-8, 1e-6])),
        rho=draw(st.sampled_from([0.9, 0.95])),
        momentum_rule=draw(st.sampled_from(["keep", "reset"])),
        name=draw(st.sampled_from(["", "large-step"])),
        batches_per_step=draw(st.sampled_from([1, 1, 2, 9])),
        **fields,
    )


@st.composite
def twins(draw: st.DrawFn) -> tuple[tr.Schedule, tr.Schedule]:
    """Draw a schedule and its twin, in which one field of one phase is drawn anew, or one phase altogether."""
    members = draw(st.lists(phases(), min_size=1, max_size=3))
    index = draw(st.integers(0, len(members) - 1))
    field = draw(st.sampled_from(["", "lr", "momentum", "decay", "eps", "rho", "nesterov", *["momentum_rule"] * 3]))
    fresh = draw(phases(members[index].optimizer if field else None))
    changed = replace(members[index], **{field: getattr(fresh, field)}) if field else fresh
    return tr.Schedule(tuple(members)), tr.Schedule((*members[:index], changed, *members[index + 1 :]))


def per_step(value: tr.Ramp | float, epoch: int, epochs: int) -> list[float]:
    resolved = resolve(value, epoch, epochs, STEPS)
    return list(resolved) if isinstance(resolved, tuple) else [resolved] * STEPS


def trace(schedule: tr.Schedule) -> list[Any]:
    """Return the history of the training state after 0, 1, ... epochs, as nested tuples."""
    state, buffers, kind = (), None, None
    states = [state]
    for phase in schedule.phases:
        family = OPTIMIZER_FAMILIES[phase.optimizer]
        if phase.momentum_rule == "reset" or family != kind:
            buffers, kind = None, family
        for epoch in range(phase.length):
            values = [per_step(value, epoch, phase.length) for value in (phase.lr, phase.beta1, phase.weight_decay)]
            group = min(phase.batches_per_step, STEPS)
            for lr, momentum, decay in list(zip(*values, strict=True))[::group]:
                event, buffers = step(phase, lr, momentum, decay, buffers, len(states))
                state = (hash((state, group, event)),)
            states.append(state)
    return states


def step(phase: tr.Phase, lr: float, momentum: float, decay: float, buffers: Any, epoch: int) -> tuple[Any, Any]:
    common = (phase.optimizer, lr, decay, phase.decay if decay else "")
    if phase.optimizer in ("sgd", "kfac"):
        velocity = hash((momentum, buffers, epoch)) if momentum else None
        own = (phase.damping, phase.refresh) if phase.optimizer == "kfac" else phase.nesterov and momentum > 0
        return (*common, momentum, own, velocity), velocity
    if phase.optimizer in ("muon", "lbfgs"):
        own = momentum if phase.optimizer == "muon" else (phase.history_size, phase.line_search)
        history = hash((own, buffers, epoch))
        return (*common, own, history), history
    default = 1e-6 if phase.optimizer == "adadelta" else 1e-8
    own = phase.rho if phase.optimizer == "adadelta" else (momentum, phase.beta2)
    moments = hash((own, buffers, epoch))
    return (*common, own, default if phase.eps is None else phase.eps, moments), moments


schedules = st.lists(phases(), min_size=1, max_size=3).map(lambda members: tr.Schedule(tuple(members)))


def assert_keys_follow_traces(one: tr.Schedule, other: tr.Schedule) -> None:
    epochs = min(one.epochs, other.epochs)
    chains = [key_chain(ROOT, schedule, STEPS, epochs) for schedule in (one, other)]
    traces = [trace(schedule)[: epochs + 1] for schedule in (one, other)]
    equal_keys = [a == b for a, b in zip(*chains, strict=True)]
    assert equal_keys == [a == b for a, b in zip(*traces, strict=True)]
    assert equal_keys == sorted(equal_keys, reverse=True), "keys that have parted never meet again"


@given(twins())
@settings(max_examples=150, deadline=None)
def test_keys_are_equal_exactly_as_long_as_what_training_does_is(pair):
    assert_keys_follow_traces(*pair)


KINDS = [
    *({"momentum": momentum, "nesterov": nesterov} for momentum in MOMENTA for nesterov in (False, True)),
    *({"optimizer": optimizer} for optimizer in ("adam", "adamw", "adadelta", "muon", "lbfgs")),
    *({"optimizer": "kfac", "momentum": momentum} for momentum in MOMENTA),
]


@pytest.mark.parametrize("before", KINDS, ids=str)
def test_keep_and_reset_have_one_key_exactly_where_there_is_no_buffer_to_drop(before):
    for after in KINDS:
        kept, dropped = (
            tr.Schedule((tr.Phase(lr=0.1, epochs=1, **before), tr.Phase(lr=0.1, epochs=2, momentum_rule=rule, **after)))
            for rule in ("keep", "reset")
        )
        assert_keys_follow_traces(kept, dropped)


@given(schedules)
@settings(max_examples=50, deadline=None)
def test_any_schedule_survives_json(schedule):
    assert tr.Schedule.from_json(schedule.to_json()) == schedule


@given(schedules)
@settings(max_examples=50, deadline=None)
def test_a_constant_phase_cut_in_two_that_keep_the_buffers_has_the_same_keys(schedule):
    cut = []
    for phase in schedule.phases:
        constant = phase.length > 1 and not any(isinstance(v, tr.Ramp) for v in (phase.lr, phase.beta1))
        cut += halves(phase) if constant else [phase]
    assert key_chain(ROOT, tr.Schedule(tuple(cut)), STEPS) == key_chain(ROOT, schedule, STEPS)


def halves(phase: tr.Phase) -> list[tr.Phase]:
    return [replace(phase, epochs=1), replace(phase, epochs=phase.length - 1, momentum_rule="keep")]


@given(st.floats(1e-8, 10), st.floats(0, 0.999), st.integers(1, 20), st.data())
@example(0.9236708571873865, 0.0, 1, None)
@settings(max_examples=50, deadline=None)
def test_two_phases_with_any_values_resolve_to_those_values_bit_for_bit(lr, momentum, epochs, data):
    transition = epochs if data is None else data.draw(st.integers(0, epochs))
    large, small = tr.Phase(lr=lr, momentum=momentum), tr.Phase(lr=lr / 7, momentum=momentum / 2)
    schedule = tr.two_phase(epochs=epochs, transition_epoch=transition, large=large, small=small)
    for epoch in range(epochs):
        told, phase = schedule.settings(epoch, 5), large if epoch < transition else small
        assert (told.lr, told.momentum) == (phase.lr, phase.momentum)
