"""wsd and one_cycle against the schedulers of torch and the published definitions."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Schedule, one_cycle, wsd
from tune_regimes.schedule.ramps import SHAPES

STEPS = 10


def steps_of(schedule: Schedule, name: str = "lr") -> list[float]:
    told = [getattr(schedule.settings(epoch, STEPS), name) for epoch in range(schedule.epochs)]
    return [value for values in told for value in (values if isinstance(values, tuple) else [values] * STEPS)]


def stepped(optimizer, scheduler, steps: int) -> tuple[list[float], list[float]]:
    rates, momenta = [], []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        momenta.append(float(optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        scheduler.step()
    return rates, momenta


def sgd(lr: float) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)


def test_wsd_with_a_linear_cooldown_agrees_with_a_sequence_of_linear_schedulers():
    warm, stable, cool = 2 * STEPS, 5 * STEPS, 3 * STEPS
    optimizer = sgd(0.4)
    parts = [
        lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=warm),
        lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=stable),
        lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.25, total_iters=cool),
    ]
    scheduler = lr_scheduler.SequentialLR(optimizer, parts, milestones=[warm, warm + stable])
    expected, _ = stepped(optimizer, scheduler, warm + stable + cool)
    schedule = wsd(epochs=10, lr=0.4, warmup=2, cooldown=3, shape="linear", warmup_start=0.04, final_lr=0.1)
    assert steps_of(schedule) == pytest.approx(expected, rel=1e-9)


def test_wsd_agrees_with_its_published_definition():
    total, warm, cool = 10 * STEPS, 1 * STEPS, 2 * STEPS
    expected = [
        0.4 * n / warm if n < warm else 0.4 if n <= total - cool else 0.4 * (1 - math.sqrt((n - (total - cool)) / cool))
        for n in range(total)
    ]
    assert steps_of(wsd(epochs=10, lr=0.4, warmup=0.1, cooldown=0.2)) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("shape", SHAPES)
def test_wsd_cools_down_in_any_shape_of_ramp(shape):
    schedule = wsd(epochs=4, lr=0.4, cooldown=2, shape=shape, final_lr=0.1)
    rates = steps_of(schedule)
    assert rates[: 2 * STEPS + 1] == [0.4] * (2 * STEPS + 1)
    assert all(
        0.1 < later < earlier for earlier, later in zip(rates[2 * STEPS :], rates[2 * STEPS + 1 :], strict=False)
    )


def test_wsd_shares_warmup_and_stable_phase_whatever_the_cooldown():
    short, long = wsd(epochs=8, lr=0.4, warmup=1, cooldown=2), wsd(epochs=12, lr=0.4, warmup=1, cooldown=6)
    assert [short.settings(e, STEPS) for e in range(6)] == [long.settings(e, STEPS) for e in range(6)]


def test_wsd_without_parts_has_no_phase_for_them():
    assert [phase.name for phase in wsd(epochs=4, lr=0.1, cooldown=4).phases] == ["cooldown"]
    assert [phase.name for phase in wsd(epochs=4, lr=0.1, warmup=1, cooldown=0).phases] == ["warmup", "stable"]


@pytest.mark.parametrize(("shape", "anneal"), [("cosine", "cos"), ("linear", "linear")])
def test_one_cycle_agrees_with_one_cycle_lr_whose_ends_lie_one_step_later(shape, anneal):
    """Ours peaks at step p N and would end at step N; torch's at pct T - 1 and T - 1: equal for T = N + 1."""
    total, peak = 10 * STEPS, 3 * STEPS
    optimizer = sgd(0.1)
    scheduler = lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=total + 1,
        pct_start=(peak + 1) / (total + 1),
        anneal_strategy=anneal,
        div_factor=20,
        final_div_factor=100,
    )
    rates, momenta = stepped(optimizer, scheduler, total)
    schedule = one_cycle(epochs=10, lr=1.0, div_factor=20, final_div_factor=100, shape=shape)
    assert steps_of(schedule) == pytest.approx(rates, rel=1e-9)
    assert steps_of(schedule, "momentum") == pytest.approx(momenta, rel=1e-9)


def test_one_cycle_is_within_one_step_of_one_cycle_lr_of_the_same_length():
    total, peak = 10 * STEPS, 3 * STEPS
    optimizer = sgd(0.1)
    rates, _ = stepped(optimizer, lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=total), total)
    steepest = math.pi / 2 / peak
    assert steps_of(one_cycle(epochs=10, lr=1.0)) == pytest.approx(rates, rel=0, abs=steepest)


def test_one_cycle_has_its_peak_and_its_smallest_momentum_right_after_the_rise():
    schedule = one_cycle(epochs=4, lr=0.8, warmup=1)
    rates, momenta = steps_of(schedule), steps_of(schedule, "momentum")
    assert rates.index(max(rates)) == momenta.index(min(momenta)) == STEPS
    assert (rates[0], rates[STEPS], momenta[0], momenta[STEPS]) == (0.032, 0.8, 0.95, 0.85)


def test_one_cycle_cycles_beta1_of_adam():
    schedule = one_cycle(epochs=4, lr=0.8, optimizer="adamw")
    assert schedule.settings(0, STEPS).to_dict()["momentum"][0] == 0.95


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: wsd(epochs=4, lr=0.1, warmup=3, cooldown=2), "must fit .* received 3 and 2 of 4 epochs. Shorten"),
        (lambda: wsd(epochs=4, lr=0.1, cooldown=5), r"cooldown must be an integer in 0\.\.4: received 5\. Give"),
        (
            lambda: wsd(epochs=4, lr=0.1, cooldown=1.0),
            r"cooldown as a fraction .* lie in \(0, 1\): received 1\.0\. Give",
        ),
        (lambda: wsd(epochs=2, lr=0.1), r"half an epoch or more: received 0\.2 of 2 epochs\. Give"),
        (lambda: wsd(epochs=9, lr=0.1, shape="step"), "received 'step'. Choose one of: linear, cosine, exponential"),
        (
            lambda: wsd(epochs=9, lr=0.1, shape="exponential"),
            "two positive ends: received 0.1 and 0.0. Use kind='linear'",
        ),
        (lambda: one_cycle(epochs=1, lr=0.1), r"half an epoch or more: received 0\.3 of 1 epochs\. Give"),
        (lambda: one_cycle(epochs=4, lr=0.1, warmup=0), r"warmup must be an integer in 1\.\.3: received 0\. Leave"),
        (lambda: one_cycle(epochs=4, lr=0.1, warmup=4), r"warmup must be an integer in 1\.\.3: received 4\. Leave"),
        (
            lambda: one_cycle(epochs=4, lr=0.1, max_momentum=1.0),
            r"momentum at the start .* \[0, 1\): received 1\.0\. Give",
        ),
        (
            lambda: one_cycle(epochs=4, lr=0.1, div_factor=0),
            "div_factor must be finite and above 0: received 0.0. Give",
        ),
        (lambda: one_cycle(epochs=4, lr=0.1, optimizer="adadelta"), "adadelta has no momentum: .* Leave it out"),
    ],
)
def test_rising_schedules_that_cannot_be_are_refused(make, message):
    with pytest.raises(ScheduleError, match=message):
        make()
