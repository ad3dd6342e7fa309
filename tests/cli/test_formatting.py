"""Numbers, times and schedules as a reader wants them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.cli import formatting
from tune_regimes.schedule import Phase, Plateau, Ramp, Schedule


@given(st.floats(0, 1e7))
def test_a_duration_says_at_most_two_units_and_is_near_the_truth(seconds):
    units = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    words = formatting.duration(seconds).split()
    assert len(words) in (2, 4)
    said = sum(float(number) * units[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    assert said == pytest.approx(seconds, rel=0.06, abs=0.51)


@pytest.mark.parametrize(("seconds", "text"), [(59.6, "1 min"), (3599.9, "1 h"), (7200, "2 h"), (math.nan, "-")])
def test_a_duration_rounds_into_the_next_unit(seconds, text):
    assert formatting.duration(seconds) == text


def test_a_metric_that_is_unknown_or_infinite_is_said_to_be():
    assert [formatting.metric(value) for value in (None, math.nan, math.inf)] == ["-", "-", "inf"]


def test_an_interval_of_one_seed_is_none():
    assert formatting.interval(0.5, math.nan, math.nan, 1) == "0.5000, n = 1: no interval"


@pytest.mark.parametrize(
    ("phase", "text"),
    [
        (Phase(lr=0.1), "sgd, lr 0.1"),
        (
            Phase(lr=0.1, weight_decay=1e-4, decay="kernels", clip_norm=1.0),
            "sgd, lr 0.1, weight decay 0.0001 on kernels, gradient norm at most 1",
        ),
        (Phase(lr=1e-3, optimizer="adamw"), "adamw, lr 0.001, beta1 0.9"),
        (Phase(lr=1e-3, optimizer="adam", beta2=0.99, eps=1e-6), "adam, lr 0.001, beta1 0.9, beta2 0.99, eps 1e-06"),
        (Phase(lr=1.0, optimizer="adadelta"), "adadelta, lr 1, rho 0.9"),
        (Phase(lr=Ramp("one_minus_sqrt", 0.4, 0.0, per="epoch")), "sgd, lr 0.4 to 0 (1-sqrt by epoch)"),
        (Phase(lr=0.1, momentum=Ramp("linear", 0.5, 0.9)), "sgd, lr 0.1, momentum 0.5 to 0.9 (linear)"),
    ],
)
def test_a_phase_is_told_by_what_acts_in_it(phase, text):
    assert formatting.phase_settings(phase) == text


def test_a_schedule_is_told_by_phases_with_their_epochs_from_1():
    schedule = Schedule((Phase(lr=0.9, epochs=1), Phase(lr=0.1, epochs=3, name="small-step")))
    assert formatting.schedule_rows(schedule) == [
        ("phase 1", "epoch 1", "sgd, lr 0.9"),
        ("small-step", "epochs 2-4", "sgd, lr 0.1"),
    ]


def test_an_adaptive_policy_is_shown_by_its_forecast_and_as_what_it_is():
    policy = Plateau(Phase(lr=0.1, epochs=9))
    assert formatting.schedule_rows(policy) == [
        ("phase 1", "epochs 1-9", "sgd, lr 0.1"),
        ("policy", "epochs 1-9", "plateau: observations change these settings"),
    ]


def test_a_phase_that_is_cut_says_how_long_its_ramps_are():
    phase = Phase(lr=Ramp("cosine", 0.1, 0.0), epochs=40).cut(10)
    assert formatting.phase_settings(phase) == (
        "sgd, lr 0.1 to 0 (cosine), ramps over 40 epochs, of which these are the first"
    )
