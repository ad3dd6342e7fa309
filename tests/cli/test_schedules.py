"""Schedules and policies as a reader wants them: every setting that acts, and what observations change."""

import pytest

from tune_regimes.cli.schedules import phase_settings, schedule_rows
from tune_regimes.schedule import (
    AutoDrop,
    Averaged,
    Equilibrium,
    Phase,
    Plateau,
    Ramp,
    SaturationDrop,
    Schedule,
    VelocityModelDrop,
    forked,
)


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
        (Phase(lr=0.02, optimizer="muon", batches_per_step=4), "muon, lr 0.02, momentum 0.95, batches per step 4"),
        (
            Phase(lr=0.1, momentum=0.9, optimizer="kfac", damping=0.03, weight_decay=1e-4),
            "kfac, lr 0.1, momentum 0.9, damping 0.03, refresh 20, weight decay 0.0001",
        ),
        (
            Phase(lr=1.0, optimizer="lbfgs", line_search="strong_wolfe", batches_per_step=1000),
            "lbfgs, lr 1, history size 10, max iter 4, line search strong_wolfe, batches per step 1000",
        ),
    ],
)
def test_a_phase_is_told_by_what_acts_in_it(phase, text):
    assert phase_settings(phase) == text


def test_a_schedule_is_told_by_phases_with_their_epochs_from_1():
    schedule = Schedule((Phase(lr=0.9, epochs=1), Phase(lr=0.1, epochs=3, name="small-step")))
    assert schedule_rows(schedule) == [
        ("phase 1", "epoch 1", "sgd, lr 0.9"),
        ("small-step", "epochs 2-4", "sgd, lr 0.1"),
    ]


def test_an_adaptive_policy_is_shown_by_its_forecast_and_as_what_it_is():
    policy = Plateau(Phase(lr=0.1, epochs=9))
    assert schedule_rows(policy) == [
        ("phase 1", "epochs 1-9", "sgd, lr 0.1"),
        (
            "policy",
            "epochs 1-9",
            "plateau: metric train_loss, factor 0.1, patience 10; observations change these settings",
        ),
    ]


PHASE = Phase(lr=0.1, epochs=9)
NOISY = Phase(lr=0.8, weight_decay=5e-4, epochs=8)
CHANGES = "; observations change these settings"


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (AutoDrop(PHASE, rho=0.5, delay=3), f"autodrop: rho 0.5, delay 3, threshold 0.01, min lr 0.0001{CHANGES}"),
        (
            AutoDrop(PHASE, at_floor="hold", literal=True),
            f"autodrop: rho 0.2, delay 20, threshold 0.01, min lr 0.0001, at floor hold, literal{CHANGES}",
        ),
        (VelocityModelDrop(PHASE), "velocity model: gamma 0.05, epsilon 0.6, tau 1, unit epoch"),
        (
            VelocityModelDrop(PHASE, unit="step", factor=0.5),
            f"velocity model: gamma 0.05, epsilon 0.6, tau 1, unit step, factor 0.5{CHANGES}",
        ),
        (SaturationDrop(PHASE), f"saturation: factor 0.5, window 20, threshold 0.01, min lr 0.001{CHANGES}"),
        (Equilibrium((NOISY, PHASE)), f"equilibrium: tolerance 0.05, window 1{CHANGES}"),
        (
            Averaged(Schedule((PHASE,)), last=3, rule="ema", decay=0.5),
            "averaged: rule ema, last 3, decay 0.5; one more epoch, with lr 0, adopts the average",
        ),
    ],
)
def test_a_policy_is_told_by_what_decides_when_it_acts(policy, text):
    name, _, settings = schedule_rows(policy)[-1]
    assert (name, settings) == ("policy", text)


def test_policies_within_others_are_shown_with_the_epochs_that_they_tell():
    rows = schedule_rows(Averaged(Plateau(PHASE), last=2))
    assert [(name, epochs) for name, epochs, _ in rows] == [
        ("phase 1", "epochs 1-10"),
        ("policy", "epochs 1-10"),
        ("policy", "epochs 1-9"),
    ]
    assert rows[0][2] == "sgd, lr 0.1, weights averaged"
    forked_rows = schedule_rows(forked(AutoDrop(PHASE), 4, [Phase(lr=0.01, epochs=2)]))
    assert [(name, epochs) for name, epochs, _ in forked_rows] == [
        ("phase 1", "epochs 1-4"),
        ("phase 2", "epochs 5-6"),
        ("policy", "epochs 1-4"),
    ]
    assert forked_rows[-1][2].startswith("autodrop: rho 0.2")


def test_a_phase_that_is_cut_says_how_long_its_ramps_are():
    phase = Phase(lr=Ramp("cosine", 0.1, 0.0), epochs=40).cut(10)
    assert phase_settings(phase) == ("sgd, lr 0.1 to 0 (cosine), ramps over 40 epochs, of which these are the first")
