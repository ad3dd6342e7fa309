"""Phases as a line of text: what is read is what was written, and what cannot be read is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Phase, Ramp, phase_from_text, phase_to_text

NUMBERS = st.floats(0, 0.99)
PHASES = st.builds(
    Phase,
    lr=st.one_of(NUMBERS, st.builds(Ramp, st.just("cosine"), NUMBERS, NUMBERS, st.sampled_from(["step", "epoch"]))),
    momentum=st.one_of(st.none(), NUMBERS),
    weight_decay=st.one_of(st.none(), NUMBERS),
    epochs=st.integers(1, 99),
    optimizer=st.sampled_from(["sgd", "adam", "adamw", "muon"]),
    momentum_rule=st.sampled_from(["keep", "reset"]),
    decay=st.sampled_from(["all", "kernels"]),
    clip_norm=st.one_of(st.none(), st.floats(0.1, 10)),
)

SECOND_ORDER = st.one_of(
    st.builds(
        Phase,
        lr=NUMBERS,
        optimizer=st.just("lbfgs"),
        history_size=st.integers(1, 20),
        max_iter=st.integers(1, 20),
        line_search=st.sampled_from(["none", "strong_wolfe"]),
        batches_per_step=st.integers(1, 400),
    ),
    st.builds(
        Phase,
        lr=NUMBERS,
        momentum=NUMBERS,
        optimizer=st.just("kfac"),
        damping=st.floats(1e-6, 1),
        refresh=st.integers(1, 99),
    ),
)


@given(st.one_of(PHASES, SECOND_ORDER))
def test_what_is_written_is_read_back_equal(phase):
    assert phase_from_text(phase_to_text(phase)) == phase


def test_a_line_may_have_spaces_and_every_field():
    phase = phase_from_text(" lr = 1e-3, momentum=0.9 ,epochs=2,nesterov=true,name=tail,eps=1e-6,rho=0.5,beta2=0.9")
    assert (phase.lr, phase.momentum, phase.epochs, phase.nesterov, phase.name) == (1e-3, 0.9, 2, True, "tail")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a phase is written as lr=1e-3,momentum=0.99,epochs=20: received ''"),
        ("lr", "Give each field as name=value"),
        ("lr=", "Give each field as name=value"),
        ("lr=0.1,mu=0.9", "only the fields lr, .* received 'mu'"),
        ("lr=0.1,lr=0.2", "received lr twice"),
        ("epochs=3", "a phase needs lr: received 'epochs=3'"),
        ("lr=fast", "lr must be a number: received 'fast'"),
        ("lr=nan", "lr must be a number: received 'nan'"),
        ("lr=0.1,epochs=2.5", "epochs must be a whole number: received '2.5'"),
        ("lr=0.1,epochs=0", "epochs of a phase must be an integer of at least 1"),
        ("lr=0.1,optimizer=lbfgs,max_iter=few", "max_iter must be a whole number: received 'few'"),
        ("lr=0.1,optimizer=kfac,damping=some", "damping must be a number: received 'some'"),
        ("lr=0.1,nesterov=yes", "nesterov must be true or false: received 'yes'"),
        ("lr=cosine:0.1", "a ramp is written as cosine:0.1:0: received lr=cosine:0.1"),
        ("lr=round:0.1:0", "kind of ramp must be a known name: received 'round'"),
        ("lr=-1", "lr must be finite and at least 0"),
    ],
)
def test_a_line_that_is_no_phase_is_refused(text, message):
    with pytest.raises(ScheduleError, match=message):
        phase_from_text(text)
