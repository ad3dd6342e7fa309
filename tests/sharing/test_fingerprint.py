"""Keys name histories: equal up to the first epoch that differs, different ever after."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Phase, Ramp, Schedule, Settings, exponential, staircase, three_step, two_phase
from tune_regimes.sharing import fingerprint, key_chain, next_key, root_key

ROOT = root_key({"task": "digits/mlp", "seed": 0})


def keys(*phases: Phase, steps_per_epoch: int = 3) -> list[str]:
    return key_chain(ROOT, Schedule(phases), steps_per_epoch)


def heavy(epochs: int, **fields: object) -> Phase:
    return Phase(**({"lr": 0.1, "momentum": 0.9, "epochs": epochs} | fields))


def test_keys_are_stable_over_versions():
    assert ROOT == "0d84d642ef3a1abfe5b351763ea8dfcdd556549e9173e364d8b76479a2a53fc0"
    assert (
        next_key(ROOT, Settings("sgd", lr=0.1, momentum=0.9))
        == "978d5f9c80f33052b22e822beca9ecbef19dd701e853c1aeacafd884507b1111"
    )


def test_the_root_depends_on_every_part_of_the_identity_and_not_on_its_order():
    assert root_key({"seed": 0, "task": "digits/mlp"}) == ROOT
    assert len({ROOT, root_key({"task": "digits/mlp", "seed": 1}), root_key({"task": "digits/mlp"})}) == 3


def test_the_version_of_a_library_that_computes_steps_counts_from_the_first_epoch_that_uses_it(monkeypatch):
    phases = (heavy(2), heavy(2, optimizer="kfac"), heavy(1))
    chains = []
    for version in ("3.0.1", "3.0.2"):
        monkeypatch.setattr("importlib.metadata.version", {"curvlinops-for-pytorch": version}.__getitem__)
        fingerprint._library.cache_clear()
        chains.append(keys(*phases))
    fingerprint._library.cache_clear()
    assert [a == b for a, b in zip(*chains, strict=True)] == [True] * 3 + [False] * 3


def test_a_root_of_what_is_no_json_is_refused():
    with pytest.raises(TypeError):
        root_key({"seed": object()})
    with pytest.raises(ValueError, match="not JSON compliant"):
        root_key({"lr": float("nan")})


def test_a_chain_has_one_key_before_each_epoch_and_one_at_the_end():
    chain = keys(heavy(5))
    assert (len(chain), chain[0], len(set(chain))) == (6, ROOT, 6)


def test_a_shorter_chain_is_the_beginning_of_a_longer_one():
    schedule = Schedule((heavy(5),))
    assert key_chain(ROOT, schedule, 3, epochs=2) == key_chain(ROOT, schedule, 3)[:3]
    assert key_chain(ROOT, schedule, 3, epochs=0) == [ROOT]


@pytest.mark.parametrize("epochs", [-1, 6, 2.0])
def test_a_chain_longer_than_its_schedule_is_refused(epochs):
    with pytest.raises(ScheduleError, match=r"epochs must be an integer in 0\.\.5: received .*\. Follow"):
        key_chain(ROOT, Schedule((heavy(5),)), 3, epochs=epochs)


def test_the_history_counts_and_not_only_the_last_settings():
    assert keys(heavy(1, lr=0.2), heavy(1))[2] != keys(heavy(2))[2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([heavy(4)], [heavy(1), heavy(3)]),
        ([heavy(4)], [heavy(4, name="large-step")]),
        ([heavy(4)], [heavy(4, momentum_rule="reset")]),
        ([heavy(4)], [heavy(4, lr=Ramp("cosine", 0.1, 0.1))]),
        ([heavy(4)], [heavy(4, momentum=Ramp("linear", 0.9, 0.9, per="epoch"))]),
        ([heavy(4)], [heavy(4, beta2=0.5, eps=1.0, rho=0.1)]),
        ([heavy(4)], [heavy(4, decay="kernels")]),
        ([heavy(4)], [heavy(4, weight_decay=0.0)]),
        ([heavy(4, momentum=0.0)], [heavy(4, momentum=0.0, nesterov=True)]),
        ([heavy(4, momentum=0.0)], [heavy(2, momentum=0.0), heavy(2, momentum=0.0, momentum_rule="reset")]),
        (
            [heavy(2), heavy(2, optimizer="adam")],
            [heavy(2), heavy(2, optimizer="adam", momentum_rule="reset")],
        ),
        ([heavy(4, optimizer="adam")], [heavy(4, optimizer="adam", eps=1e-8, momentum=None)]),
    ],
)
def test_two_spellings_of_one_curve_have_the_same_keys(one, other):
    assert keys(*one) == keys(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([heavy(2), heavy(2)], [heavy(2), heavy(2, momentum_rule="reset")]),
        ([heavy(2), heavy(2)], [heavy(2), heavy(2, lr=0.1 + 2**-56)]),
        ([heavy(2), heavy(2)], [heavy(2), heavy(2, nesterov=True)]),
        ([heavy(2), heavy(2)], [heavy(2), heavy(2, clip_norm=1.0)]),
        ([heavy(2), heavy(2, weight_decay=1e-4)], [heavy(2), heavy(2, weight_decay=1e-4, decay="kernels")]),
        ([heavy(2), heavy(2, optimizer="adam")], [heavy(2), heavy(2, optimizer="adamw")]),
        ([heavy(2), heavy(2, lr=Ramp("linear", 0.1, 0.0))], [heavy(2), heavy(2, lr=Ramp("linear", 0.1, 0.0, "epoch"))]),
    ],
)
def test_curves_that_part_share_their_keys_up_to_there_and_none_after(one, other):
    pairs = list(zip(keys(*one), keys(*other), strict=True))
    assert [a == b for a, b in pairs] == [True, True, True, False, False]


def test_families_that_draw_one_curve_have_the_same_keys():
    steps = three_step(epochs=4, lr=0.1, momentum=0.9)
    table = staircase(epochs=4, segments={0: 0.1, 2: 0.01, 3: 0.001}, momentum=0.9)
    assert key_chain(ROOT, steps, 3) == key_chain(ROOT, table, 3)
    halves = exponential(epochs=4, lr=0.1, gamma=0.5)
    typed = staircase(epochs=4, segments={0: 0.1, 1: 0.05, 2: 0.025, 3: 0.0125})
    assert key_chain(ROOT, halves, 3) == key_chain(ROOT, typed, 3)


@given(st.integers(0, 8), st.integers(0, 8))
@settings(max_examples=30)
def test_trials_with_different_transition_epochs_share_the_large_step_phase_up_to_the_earlier(one, other):
    def chain(epoch: int) -> list[str]:
        large, small = Phase(lr=1.0), Phase(lr=0.01, momentum=0.95)
        return key_chain(ROOT, two_phase(epochs=8, transition_epoch=epoch, large=large, small=small), 3)

    shared = sum(a == b for a, b in zip(chain(one), chain(other), strict=True))
    assert shared == (9 if one == other else min(one, other) + 1)


def test_the_steps_of_an_epoch_count_where_values_change_per_step():
    ramp = heavy(2, lr=Ramp("cosine", 0.1, 0.0))
    assert keys(ramp, steps_per_epoch=3)[1] != keys(ramp, steps_per_epoch=4)[1]
