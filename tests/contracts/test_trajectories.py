"""The one idea: the state after n epochs is a function of task, seed and the settings of those epochs, bit for bit."""

import math
import pickle
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tune_regimes.schedule import Phase, Ramp, Schedule, Settings
from tune_regimes.sharing import root_key
from tune_regimes.tasks import Augmentation, Data, Split, Task
from tune_regimes.training import Numerics, Record, State, Trajectory, state_from_bytes, state_to_bytes

ONE_THREAD = Numerics(threads=1)
EPOCHS = 5

FIRST_PHASES = {
    "sgd": Phase(lr=0.1),
    "sgd, kernels decay": Phase(lr=0.1, weight_decay=0.01, decay="kernels"),
    "heavy ball": Phase(lr=0.02, momentum=0.9, weight_decay=1e-3),
    "nesterov": Phase(lr=0.02, momentum=0.9, nesterov=True),
    "clipped": Phase(lr=0.05, momentum=0.5, clip_norm=0.2),
    "adam": Phase(lr=0.01, optimizer="adam", weight_decay=1e-3),
    "adamw": Phase(lr=0.01, optimizer="adamw", weight_decay=0.1, beta2=0.99),
    "adadelta": Phase(lr=1.0, optimizer="adadelta"),
    "ramps": Phase(
        lr=Ramp("cosine", 0.1, 0.01), momentum=Ramp("linear", 0.0, 0.9), weight_decay=Ramp("linear", 0.0, 0.01)
    ),
    "adam with ramps": Phase(lr=Ramp("linear", 0.0, 0.01), momentum=Ramp("linear", 0.95, 0.85), optimizer="adam"),
    "muon": Phase(lr=0.01, optimizer="muon", weight_decay=0.1),
    "lbfgs": Phase(lr=0.3, optimizer="lbfgs", weight_decay=1e-3, decay="kernels", history_size=3),
    "kfac": Phase(lr=Ramp("linear", 0.02, 0.01), momentum=0.5, optimizer="kfac", weight_decay=1e-3, refresh=4),
    "four batches in a step": Phase(lr=Ramp("linear", 0.1, 0.0), momentum=0.9, batches_per_step=4),
}
SECOND_PHASES = {
    "heavy ball, kept": Phase(lr=Ramp("linear", 0.01, 0.0), momentum=0.9),
    "nesterov, reset": Phase(lr=0.01, momentum=0.9, nesterov=True, momentum_rule="reset"),
    "adamw": Phase(lr=0.003, optimizer="adamw", weight_decay=0.1),
    "muon": Phase(lr=Ramp("linear", 0.01, 0.0), optimizer="muon", momentum=0.9),
    "lbfgs, full batch": Phase(lr=1.0, optimizer="lbfgs", line_search="strong_wolfe", batches_per_step=6),
    "kfac, two batches in a step": Phase(lr=0.01, optimizer="kfac", damping=0.1, batches_per_step=2),
}


def cnn(affine: bool) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4, affine=affine),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(64, 4),
    )


def split(count: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 8, 8, 3), dtype=torch.uint8, generator=generator)
    return Split(pixels, torch.randint(0, 4, (count,), generator=generator))


def task(affine: bool = True) -> Task:
    augmentation = Augmentation(flip=True, crop=2)
    return Task(
        partial(cnn, affine),
        Data(split(50, 1), split(21, 2), 4),
        batch_size=8,
        eval_batch_size=9,
        augmentation=augmentation,
    )


def trajectory(seed: int = 0, on: Task | None = None) -> Trajectory:
    return Trajectory(on or task(), seed=seed, numerics=ONE_THREAD)


def suited(plan: Schedule) -> Task:
    """A task that all phases can train: K-FAC does not know the scale and shift of BatchNorm."""
    return task(affine=all(phase.optimizer != "kfac" for phase in plan.phases))


def schedule(first: str, second: str) -> Schedule:
    phases = (FIRST_PHASES[first], 2), (SECOND_PHASES[second], 2), (FIRST_PHASES[first], 1)
    return Schedule(tuple(Phase(**(vars(phase) | {"epochs": epochs})) for phase, epochs in phases))


def comparable(record: Record) -> Record:
    """A record without the seconds, in which the angle that the first epoch has not equals itself."""
    angle = record["angular_velocity"]
    return {**record, "seconds": 0.0, "angular_velocity": -1.0 if math.isnan(angle) else angle}


def advance(trained: Trajectory, plan: Schedule, epochs: int = EPOCHS) -> list[Record]:
    """Train up to `epochs` and return the records, without the seconds."""
    records = []
    while trained.epoch < epochs:
        record = trained.advance(plan.settings(trained.epoch, trained.steps_per_epoch))
        records.append(comparable(record))
    return records


def bits(value: Any) -> Any:
    """A nested state with every tensor as (dtype, shape, bytes), so that == means equal bit for bit."""
    if isinstance(value, Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().numpy().tobytes()
    if isinstance(value, list):
        return [bits(part) for part in value]
    return {key: bits(part) for key, part in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("second", SECOND_PHASES)
@pytest.mark.parametrize("first", FIRST_PHASES)
def test_a_training_cut_in_two_equals_the_uncut_one(first: str, second: str) -> None:
    plan = schedule(first, second)
    shared = suited(plan)
    whole = trajectory(on=shared)
    states, records = [whole.capture()], []
    for epoch in range(EPOCHS):
        records += advance(whole, plan, epoch + 1)
        states.append(whole.capture())
    for cut in (1, 2, 3, 4):
        resumed = trajectory(on=shared)
        resumed.restore(states[cut])
        assert advance(resumed, plan) == records[cut:]
        assert bits(resumed.capture()) == bits(states[EPOCHS])


HEAVY = Settings("sgd", lr=0.05, momentum=0.9)
AVERAGING = {
    "drops with linear weights": [
        replace(HEAVY, average=average, adopt=adopt, lr=lr)
        for average, adopt, lr in [
            (None, 0.0, 0.05), ((0.0, 1.0), 0.0, 0.05), ((1.0, 2.0), 0.0, 0.05), ((1.0, 3.0), 1.0, 0.01),
            ((0.0, 1.0), 0.0, 0.01), ((1.0, 2.0), 4 / 3, 0.002), (None, 0.0, 0.002),
        ]
    ],
    "equal weights under adam": [
        Settings("adam", lr=lr, momentum=0.9, average=average, adopt=adopt)
        for average, adopt, lr in [
            (None, 0.0, 0.01), ((0.0, 1.0), 0.0, 0.01), ((1.0, 1.0), 0.0, 0.01), ((1.0, 1.0), 1.0, 0.0),
        ]
    ],
    "a moving average that is adopted on the way": [
        Settings("sgd", lr=lr, average=average, adopt=adopt, batches_per_step=2)
        for average, adopt, lr in [
            ((0.0, 1.0), 0.0, 0.1), ((0.9, 0.1), 0.0, 0.1), (None, 0.0, 0.05), ((0.9, 0.1), 1.0, 0.05), (None, 0.0, 0.1)
        ]
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", AVERAGING)
def test_a_training_cut_anywhere_in_an_averaging_window_equals_the_uncut_one(name: str) -> None:
    told, whole = AVERAGING[name], trajectory()
    states, records = [state_to_bytes(whole.capture())], []
    for settings in told:
        records.append(comparable(whole.advance(settings)))
        states.append(state_to_bytes(whole.capture()))
    assert any(state_from_bytes(state)["average"] for state in states)
    resumed = trajectory()
    for cut, state in enumerate(states):
        resumed.restore(state_from_bytes(state))
        assert [comparable(resumed.advance(settings)) for settings in told[cut:]] == records[cut:]
        assert bits(resumed.capture()) == bits(whole.capture())


def finish(state: bytes, plan: Schedule) -> tuple[list[Record], State]:
    """Restore a state in this process and train to the end."""
    resumed = trajectory(on=suited(plan))
    resumed.restore(state_from_bytes(state))
    return advance(resumed, plan), resumed.capture()


def test_a_training_continued_in_a_fresh_process_equals_the_uncut_one(tmp_path: Path) -> None:
    pairs = (
        ("ramps", "adamw"), ("adam", "heavy ball, kept"), ("clipped", "nesterov, reset"),
        ("lbfgs", "lbfgs, full batch"), ("kfac", "muon"), ("muon", "kfac, two batches in a step"),
    )  # fmt: skip
    plans = [schedule(*pair) for pair in pairs]
    job, done = tmp_path / "job", tmp_path / "done"
    starts = []
    for plan in plans:
        start = trajectory(on=suited(plan))
        advance(start, plan, 3)
        starts.append(state_to_bytes(start.capture()))
    job.write_bytes(pickle.dumps((starts, [plan.to_json() for plan in plans])))
    subprocess.run([sys.executable, __file__, job, done], check=True, timeout=120)
    for plan, (records, state) in zip(plans, pickle.loads(done.read_bytes()), strict=True):
        whole = trajectory(on=suited(plan))
        assert advance(whole, plan)[3:] == records
        assert bits(whole.capture()) == bits(state_from_bytes(state))


def test_a_training_depends_on_no_generator_of_the_caller_and_leaves_it_alone() -> None:
    plan, expected = schedule("heavy ball", "adamw"), trajectory()
    records = advance(expected, plan)
    torch.manual_seed(1234)
    before = torch.random.get_rng_state()
    disturbed = trajectory()
    assert advance(disturbed, plan, 2) == records[:2]
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(100)
    assert advance(disturbed, plan) == records[2:]
    assert bits(disturbed.capture()) == bits(expected.capture())


def test_trainings_that_take_turns_equal_trainings_one_after_another() -> None:
    plan, shared = schedule("heavy ball", "adamw"), task()
    alone = [advance(trajectory(seed), plan) for seed in (0, 1)]
    pair = [trajectory(seed, shared) for seed in (0, 1)]
    turns = [[advance(one, plan, epoch + 1)[0] for one in pair] for epoch in range(EPOCHS)]
    assert [list(records) for records in zip(*turns, strict=True)] == alone


def test_the_settings_of_later_epochs_do_not_reach_back() -> None:
    one, other = schedule("heavy ball", "adamw"), schedule("heavy ball", "nesterov, reset")
    first, second = trajectory(), trajectory()
    assert advance(first, one, 2) == advance(second, other, 2)
    assert bits(first.capture()) == bits(second.capture())


def test_equal_curves_spelled_differently_train_equally() -> None:
    constant = Schedule((Phase(lr=0.1, momentum=0.5, epochs=3),))
    cut = Schedule((Phase(lr=0.1, momentum=0.5, epochs=1), Phase(lr=Ramp("linear", 0.1, 0.1), momentum=0.5, epochs=2)))
    first, second = trajectory(), trajectory()
    assert advance(first, constant, 3) == advance(second, cut, 3)
    assert bits(first.capture()) == bits(second.capture())


def test_an_identity_makes_a_root_key_that_is_the_same_for_equal_trainings_only() -> None:
    keys = [root_key(trajectory(seed).identity()) for seed in (0, 0, 1)]
    assert keys[0] == keys[1] != keys[2]


if __name__ == "__main__":
    job, done = (Path(name) for name in sys.argv[1:])
    unfinished = zip(*pickle.loads(job.read_bytes()), strict=True)
    ended = [finish(state, Schedule.from_json(text)) for state, text in unfinished]
    done.write_bytes(pickle.dumps([(records, state_to_bytes(state)) for records, state in ended]))
