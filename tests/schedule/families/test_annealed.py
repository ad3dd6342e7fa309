"""cosine, sgdr and exponential against the schedulers of torch, stepping a real optimizer."""

import math
from collections.abc import Callable

import pytest
import torch
from torch.optim import lr_scheduler

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Schedule, cosine, exponential, sgdr

STEPS = 5


def torch_rates(
    make: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], steps: int, lr: float
) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def step_rates(schedule: Schedule) -> list[float]:
    told = [schedule.settings(epoch, STEPS).lr for epoch in range(schedule.epochs)]
    return [rate for rates in told for rate in (rates if isinstance(rates, tuple) else [rates] * STEPS)]


def epoch_rates(schedule: Schedule) -> list[float]:
    return step_rates(schedule)[::STEPS]


def test_cosine_per_epoch_agrees_with_cosine_annealing_lr():
    expected = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=30, eta_min=1e-3), 30, lr=0.4)
    assert epoch_rates(cosine(epochs=30, lr=0.4, min_lr=1e-3, per="epoch")) == pytest.approx(expected, rel=1e-9)


def test_cosine_per_step_agrees_with_cosine_annealing_lr():
    expected = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=6 * STEPS), 6 * STEPS, lr=0.4)
    assert step_rates(cosine(epochs=6, lr=0.4)) == pytest.approx(expected, rel=1e-9)


def test_cosine_after_a_warmup_agrees_with_a_sequence_of_schedulers():
    def make(optimizer):
        warm = lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=2 * STEPS)
        fall = lr_scheduler.CosineAnnealingLR(optimizer, T_max=4 * STEPS)
        return lr_scheduler.SequentialLR(optimizer, [warm, fall], milestones=[2 * STEPS])

    schedule = cosine(epochs=6, lr=0.4, warmup=2, warmup_start=0.1)
    assert step_rates(schedule) == pytest.approx(torch_rates(make, 6 * STEPS, lr=0.4), rel=1e-9)


@pytest.mark.parametrize(("t_0", "t_mult", "epochs"), [(3, 1, 9), (2, 2, 14), (1, 3, 13), (4, 2, 4)])
def test_sgdr_per_epoch_agrees_with_cosine_annealing_warm_restarts(t_0, t_mult, epochs):
    expected = torch_rates(
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=t_0, T_mult=t_mult, eta_min=1e-4), epochs, lr=0.2
    )
    schedule = sgdr(epochs=epochs, lr=0.2, t_0=t_0, t_mult=t_mult, min_lr=1e-4, per="epoch")
    assert epoch_rates(schedule) == pytest.approx(expected, rel=1e-9)


def test_sgdr_per_step_agrees_with_the_paper():
    expected = [
        0.01 + 0.5 * (0.2 - 0.01) * (1 + math.cos(math.pi * (step / STEPS) / length))
        for length in (1, 2, 4)
        for step in range(length * STEPS)
    ]
    assert step_rates(sgdr(epochs=7, lr=0.2, t_0=1, t_mult=2, min_lr=0.01)) == pytest.approx(expected, rel=1e-9)


def test_sgdr_keeps_the_momentum_buffers_over_a_restart_unless_told():
    restart = {"epochs": 4, "lr": 0.2, "t_0": 2, "momentum": 0.9}
    assert not sgdr(**restart).settings(2, STEPS).reset
    assert sgdr(**restart, momentum_rule="reset").settings(2, STEPS).reset


@pytest.mark.parametrize("gamma", [0.9, 0.5, 1.2])
def test_exponential_agrees_with_exponential_lr(gamma):
    expected = torch_rates(lambda o: lr_scheduler.ExponentialLR(o, gamma=gamma), 40, lr=0.1)
    assert epoch_rates(exponential(epochs=40, lr=0.1, gamma=gamma)) == pytest.approx(expected, rel=1e-9)


def test_exponential_per_step_takes_the_root_of_the_factor():
    expected = torch_rates(lambda o: lr_scheduler.ExponentialLR(o, gamma=0.5 ** (1 / STEPS)), 3 * STEPS, lr=0.1)
    assert step_rates(exponential(epochs=3, lr=0.1, gamma=0.5, per="step")) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cosine(epochs=0, lr=0.1), "epochs must be an integer of at least 1: received 0. Train"),
        (
            lambda: cosine(epochs=4, lr=-0.1),
            "lr at the start of its ramp must be finite and at least 0: received -0.1. Give",
        ),
        (
            lambda: cosine(epochs=4, lr=0.1, warmup=4),
            r"warmup must be an integer in 0\.\.3: received 4\. Leave an epoch",
        ),
        (lambda: cosine(epochs=4, lr=0.1, warmup=0.1), r"half an epoch or more: received 0\.1 of 4 epochs\. Give"),
        (lambda: sgdr(epochs=10, lr=0.1, t_0=4), "epochs must end a cycle: received 10 with t_0=4 .* Choose 8 or 12"),
        (lambda: sgdr(epochs=3, lr=0.1, t_0=4), "epochs must end a cycle: received 3 .* Choose 4"),
        (
            lambda: sgdr(epochs=3, lr=0.1, t_0=0),
            "t_0 must be an integer of at least 1: received 0. Give the first cycle",
        ),
        (lambda: sgdr(epochs=3, lr=0.1, t_0=1, t_mult=0), "t_mult must be .* at least 1: received 0. Use 1"),
        (lambda: exponential(epochs=3, lr=0.1, gamma=0.0), "gamma must be finite and above 0: received 0.0. Give"),
        (lambda: exponential(epochs=3, lr=0.0, gamma=0.5), "lr must be finite and above 0: received 0.0. Give"),
        (
            lambda: exponential(epochs=400, lr=0.1, gamma=0.1),
            r"positive float: received 0\.0 .* Bring gamma nearer to 1",
        ),
        (lambda: exponential(epochs=400, lr=0.1, gamma=10), r"positive float: received inf .* Bring gamma nearer to 1"),
    ],
)
def test_annealing_that_cannot_be_is_refused(make, message):
    with pytest.raises(ScheduleError, match=message):
        make()
