"""A phase resolves its values epoch by epoch and refuses what its optimizer cannot do."""

import json
import math

import pytest

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Phase, Ramp


def test_a_phase_tells_every_epoch_its_values():
    phase = Phase(lr=Ramp("linear", 0.4, 0.0), momentum=0.9, weight_decay=1e-4, epochs=2)
    told = phase.settings(1, steps_per_epoch=2)
    assert (told.lr, told.momentum, told.weight_decay) == ((0.2, 0.1), 0.9, 1e-4)


def test_weight_decay_can_ramp_too():
    phase = Phase(lr=0.1, weight_decay=Ramp("linear", 0.0, 1e-3), epochs=1)
    assert phase.settings(0, steps_per_epoch=2).weight_decay == (0.0, 5e-4)


@pytest.mark.parametrize(
    ("optimizer", "momentum"),
    [("sgd", 0.0), ("adam", 0.9), ("adamw", 0.9), ("adadelta", 0.0), ("muon", 0.95), ("lbfgs", 0.0), ("kfac", 0.0)],
)
def test_a_momentum_that_is_not_given_is_the_default_of_torch(optimizer, momentum):
    assert Phase(lr=0.1, optimizer=optimizer, epochs=1).settings(0, 1).momentum == momentum


def test_the_name_of_a_phase_is_no_part_of_its_settings():
    told = [Phase(lr=0.1, epochs=1, name=name).settings(0, 1) for name in ("", "large-step")]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": -0.1}, r"lr must be finite and at least 0: received -0\.1\. Give"),
        ({"lr": math.nan}, r"lr must be finite and at least 0: received nan\. Give"),
        ({"lr": math.inf}, r"lr must be finite and at least 0: received inf\. Give"),
        ({"lr": "0.1"}, r"lr must be a number: received '0\.1'\. Give"),
        ({"lr": Ramp("linear", 0.1, -0.1)}, r"lr at the end of its ramp must be .* received -0\.1\. Give"),
        ({"momentum": 1.0}, r"momentum must lie in \[0, 1\): received 1\.0\. Give"),
        ({"momentum": -0.1}, r"momentum must lie in \[0, 1\): received -0\.1\. Give"),
        ({"momentum": math.nan}, r"momentum must lie in \[0, 1\): received nan\. Give"),
        ({"momentum": Ramp("linear", 0.9, 1.0)}, r"momentum at the end of its ramp .* received 1\.0\. Give"),
        ({"weight_decay": -1e-4}, r"weight_decay must be finite and at least 0: received -0\.0001\. Give"),
        (
            {"epochs": 0},
            r"epochs of a phase must be an integer of at least 1: received 0\. Leave out a phase that is empty",
        ),
        ({"epochs": 2.5}, r"epochs of a phase must be an integer of at least 1: received 2\.5\."),
        ({"beta2": 1.0}, r"beta2 must lie in \[0, 1\): received 1\.0\. Give"),
        ({"rho": -0.5}, r"rho must lie in \[0, 1\): received -0\.5\. Give"),
        ({"eps": -1.0}, r"eps must be finite and at least 0: received -1\.0\. Give"),
        ({"clip_norm": 0}, r"clip_norm must be finite and above 0: received 0\.0\. Give"),
        (
            {"optimizer": "lamb"},
            "optimizer must be a known name: received 'lamb'. Choose one of: sgd, adam, adamw, adadelta",
        ),
        ({"momentum_rule": "drop"}, "momentum rule must be a known name: received 'drop'. Choose one of: keep, reset"),
        ({"decay": "bias"}, "decay must be a known name: received 'bias'. Choose one of: all, kernels"),
        ({"nesterov": "yes"}, "nesterov must be True or False: received 'yes'. Give"),
        (
            {"nesterov": True, "optimizer": "adam"},
            "belongs to sgd: received nesterov=True with optimizer='adam'. Leave",
        ),
        (
            {"momentum": 0.9, "optimizer": "adadelta"},
            "has no momentum: received momentum=0.9. Leave it out, or set rho",
        ),
        ({"momentum": 0.9, "optimizer": "lbfgs"}, r"lbfgs has no momentum: received momentum=0\.9\. Leave it out\.$"),
        (
            {"clip_norm": 1.0, "optimizer": "lbfgs"},
            r"needs the gradients of its objective as they are: received clip_norm=1\.0\. Leave clip_norm out, or use",
        ),
        ({"max_iter": 9}, "max_iter belongs to lbfgs: received max_iter=9 with optimizer='sgd'. Leave"),
        (
            {"damping": 0.1, "optimizer": "lbfgs"},
            "damping belongs to kfac: received damping=0.1 with optimizer='lbfgs'",
        ),
        ({"batches_per_step": 0}, "batches_per_step must be an integer of at least 1: received 0. A step"),
        ({"name": 1}, "name of a phase must be a string: received 1. Put it in quotes"),
    ],
)
def test_a_phase_that_cannot_be_trained_is_refused(fields, message):
    with pytest.raises(ScheduleError, match=message):
        Phase(**({"lr": 0.1} | fields))


def test_an_epoch_outside_the_phase_is_refused():
    with pytest.raises(ScheduleError, match=r"epoch of a phase must be an integer in 0\.\.1: received 2\. Ask"):
        Phase(lr=0.1, epochs=2).settings(2, 1)


def test_a_phase_without_a_length_has_no_settings():
    with pytest.raises(
        ScheduleError, match=r"must have a length: received epochs=None\. Give epochs=, or use a family"
    ):
        Phase(lr=0.1).settings(0, 1)


def test_a_zero_learning_rate_is_allowed():
    assert Phase(lr=0, epochs=1).settings(0, 1).lr == 0.0


@pytest.mark.parametrize(
    ("received", "message"),
    [
        ({"momentum": 0.9}, r"a phase needs lr: .* Add lr\."),
        ({"lr": 0.1, "mu": 0.9}, "a phase has only the fields lr, momentum, .* received 'mu'. Remove"),
        ({"lr": {"kind": "linear"}}, r"a ramp needs kind, start, end: .* Add start, end\."),
        ({"lr": 0.1, "epochs": {}}, r"epochs of a phase must be an integer of at least 1: received \{\}"),
        ("phase", "a phase must be a JSON object: received 'phase'. Write it with to_json"),
    ],
)
def test_json_that_is_no_phase_is_refused(received, message):
    with pytest.raises(ScheduleError, match=message):
        Phase.from_dict(received)


def test_a_phase_that_is_cut_goes_on_as_it_was():
    phase = Phase(lr=Ramp("cosine", 0.4, 0.0), momentum=0.9, epochs=10)
    cut = phase.cut(4)
    assert [cut.settings(e, 3) for e in range(4)] == [phase.settings(e, 3) for e in range(4)]
    assert (cut.length, cut.ramp_epochs) == (4, 10)
    assert cut.cut(4) == cut
    assert cut.cut(2).ramp_epochs == 10


def test_a_phase_without_ramps_is_only_shorter():
    assert Phase(lr=0.1, epochs=10).cut(4) == Phase(lr=0.1, epochs=4)


def test_ramps_end_with_the_phase_or_after_it():
    with pytest.raises(ScheduleError, match="ramp_epochs must be an integer of at least 5: received 4"):
        Phase(lr=Ramp("linear", 0.1, 0.0), epochs=5, ramp_epochs=4)


def test_as_many_batches_per_step_as_an_epoch_has_or_more_are_the_same_full_batch():
    told = [Phase(lr=Ramp("linear", 0.4, 0.0), epochs=2, batches_per_step=n).settings(1, 4) for n in (4, 9)]
    assert told[0] == told[1]
    assert (told[0].lr, told[0].batches_per_step) == (0.2, 4)


@pytest.mark.parametrize(
    "phase",
    [
        Phase(lr=1.0, optimizer="lbfgs", history_size=5, max_iter=9, line_search="strong_wolfe", batches_per_step=8),
        Phase(lr=0.1, optimizer="kfac", momentum=0.9, damping=1e-3, refresh=5, epochs=3),
        Phase(lr=0.02, optimizer="muon", weight_decay=0.1),
    ],
)
def test_a_phase_of_the_small_step_optimizers_survives_json(phase):
    assert Phase.from_dict(json.loads(json.dumps(phase.to_dict()))) == phase


def test_a_phase_that_uses_nothing_new_is_written_as_it_always_was():
    assert list(Phase(lr=0.1).to_dict())[-1] == "ramp_epochs"
