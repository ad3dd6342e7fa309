from functools import cache

import numpy as np
import pytest

from analysis.theory.toy_loss import (
    EXPERIMENTS,
    LR,
    Pair,
    flow_converges,
    flow_ratios,
    leaves_again,
    part,
    stays_without_decay,
    toy_loss,
)
from tune_regimes.theory.toy_loss import flow


@cache
def pair(gap: float = 1e-6, weight_decay: float = 0.5, steps: int = 300) -> Pair:
    return Pair(gap, weight_decay, steps)


def test_the_loss_falls_to_2e_minus_21_and_rises_above_one_half() -> None:
    found = leaves_again(pair())
    assert found.verdict == "holds"
    assert found.statistics["lowest loss"] == pytest.approx(2e-21, rel=0.01)
    assert found.statistics["highest after it"] > 0.5
    assert leaves_again(pair(steps=30)).verdict == "does not hold"
    assert leaves_again(pair(weight_decay=0.0)).verdict == "does not hold"


def test_starts_a_millionth_apart_part_at_step_91_and_nearer_ones_later() -> None:
    found = part({gap: pair(gap) for gap in (1e-6, 1e-9)})
    assert found.verdict == "holds"
    assert found.statistics["from step, 1e-06 apart"] == 91
    assert found.statistics["from step, 1e-09 apart"] > 91


def test_starts_that_never_part_are_found() -> None:
    found = part({1e-6: pair(), 1e-9: pair(1e-9, weight_decay=0.0)})
    assert found.verdict == "does not hold"
    assert found.statistics["from step, 1e-09 apart"] == np.inf


def test_gradient_flow_converges_where_descent_does_not() -> None:
    assert flow_converges().verdict == "holds"
    assert flow_converges(weight_decay=0.0).verdict == "holds"


def test_the_closed_form_of_the_flow_is_its_integral() -> None:
    times = LR * np.arange(21)
    path = flow([(0.1, 1.0)], times=times, weight_decay=0.3, substeps=50)[:, 0]
    np.testing.assert_allclose(flow_ratios(times, 0.3), path[:, 0] / path[:, 1], rtol=1e-5)


def test_without_weight_decay_nothing_is_amplified() -> None:
    found = stays_without_decay()
    assert found.verdict == "holds"
    assert found.statistics["largest difference"] < 1e-6


def test_starts_that_are_far_apart_have_parted_at_once() -> None:
    assert pair(0.5, weight_decay=0.0).parted == 0


def test_the_experiment_draws_both_figures() -> None:
    found = toy_loss()
    assert list(found.figures) == ["losses", "paths"]
    assert {verdict.claim[:5] for verdict in found.verdicts} == set(EXPERIMENTS[0].claims)
    legend = found.figures["losses"].axes[1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["1e-06 apart", "1e-09 apart", "1e-12 apart"]
