from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from analysis.intrinsic_lr.recovery import PREDICTED
from analysis.theory.settled_runs import MODEL, Settled, constant, settle
from analysis.theory.settling import (
    CHANGES,
    EXPERIMENTS,
    changed,
    effective_lr,
    follows_lemma,
    loss_rises_again,
    recovers,
    settles_at,
    square_root,
)
from tune_regimes.theory.effective_lr import equilibrium_effective_lr
from tune_regimes.theory.lr_changes import Change
from tune_regimes.theory.sphere_descent import SphereRun

LE = 0.004
RATES = (0.016, 0.008, 0.004)


@cache
def run(intrinsic_lr: float = LE, start: float = 1.0) -> SphereRun:
    return constant(intrinsic_lr, start, 40)


@cache
def back(intrinsic_lr: float) -> Settled:
    return settle(intrinsic_lr, Change(0.1, 10.0), 12)


@cache
def dropped() -> Settled:
    return settle(0.016, Change(lr=0.1), 12)


def levels(power: float, size: float = 1.0) -> dict[float, np.ndarray]:
    """Effective learning rates that grow as a power of the intrinsic one, the same root law in the middle."""
    middle = equilibrium_effective_lr(RATES[1], MODEL.sigma)
    noise = 1 + 0.002 * np.random.default_rng(0).standard_normal((len(RATES), 12))
    return {le: size * middle * (le / RATES[1]) ** power * each for le, each in zip(RATES, noise, strict=True)}


def test_gamma_follows_the_lemma_from_a_large_norm_and_not_with_other_noise() -> None:
    assert follows_lemma("P4-07", {100.0: run(0.002, 100.0)}, 0.002).verdict == "holds"
    other = replace(run(0.002, 1.0), norms_squared=1.2 * run(0.002, 1.0).norms_squared)
    drifting = replace(
        other, norms_squared=np.linspace(1.0, 2.0, len(other.norms_squared))[:, None] * other.norms_squared
    )
    assert follows_lemma("P4-07", {1.0: drifting}, 0.002).verdict == "does not hold"


def test_the_level_in_equilibrium_is_the_root_and_not_the_inverse_that_is_printed() -> None:
    right = levels(0.5)
    assert settles_at(right).verdict == "holds"
    assert settles_at(right, printed=True).verdict == "does not hold"
    assert settles_at(levels(0.5, size=1.2)).verdict == "does not hold"


def test_the_exponent_is_judged_whatever_the_level() -> None:
    assert square_root(levels(0.5, size=3.0)).verdict == "holds"
    assert square_root(levels(-0.5)).verdict == "does not hold"
    assert square_root(levels(-0.5)).statistics["slope"][0] == pytest.approx(-0.5, abs=0.01)


def test_each_change_is_held_against_its_own_factors() -> None:
    drop, back_again = dropped(), back(RATES[0])
    verdicts = changed({"lr / 10": drop, "wd / 10": replace(drop, change=Change(weight_decay=0.1)), "both": back_again})
    assert [verdict.claim for verdict in verdicts] == ["P4-16", "P4-16b", "P4-16c"]
    assert verdicts[0].statistics["in the end"][0] == pytest.approx(0.1**0.5, rel=0.04)
    assert verdicts[1].verdict == "does not hold", "the effective lr jumped, as with a drop of the lr"
    assert verdicts[2].statistics["in the end"][0] == pytest.approx(1.0, rel=0.04)


def test_the_loss_rises_again_after_a_drop_of_the_lr_and_not_where_it_only_falls() -> None:
    found = loss_rises_again(dropped())
    assert found.verdict == "holds"
    assert found.statistics["early"] < found.statistics["in the end"] < found.statistics["loss before"]
    falling = np.geomspace(1.0, 1e-3, len(dropped().after.losses))[:, None] * np.ones(12)
    falls = replace(dropped(), after=replace(dropped().after, losses=falling * (1 + 0.01 * np.arange(12))))
    assert loss_rises_again(falls).verdict == "does not hold"


def test_recovery_takes_as_long_as_the_lemma_says() -> None:
    found = recovers({le: back(le) for le in RATES})
    assert found.verdict != "does not hold"
    assert found.statistics["steps x le"][0] == pytest.approx(PREDICTED, rel=0.05)
    slower = {le: back(RATES[-1]) for le in RATES}
    assert recovers(slower).verdict == "does not hold"


def test_the_experiment_judges_every_claim_and_draws_three_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.theory.settling.SLOW", 0.01)
    monkeypatch.setattr("analysis.theory.settling.CHANGED", 0.02)
    monkeypatch.setattr("analysis.theory.norm_decay.END", 4)
    found = effective_lr(replicates=3, intrinsic_lrs=(0.02, 0.01))
    assert list(found.figures) == ["changes", "laws", "norms"]
    assert {verdict.claim[:5] for verdict in found.verdicts} == set(EXPERIMENTS[0].claims)
    legend = found.figures["changes"].axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list(CHANGES)
