from dataclasses import dataclass

import numpy as np
import pytest

from analysis.theory.velocity_model import (
    LRS,
    MODEL,
    drops_in_closed_form,
    gaps_bounded,
    gaps_bounded_printed,
    iterations_bounded,
    like_the_quadratic,
    limits,
    printed_order,
    three_faces,
)
from tune_regimes.theory.velocity_model import VelocityModel


@dataclass(frozen=True)
class Wrong(VelocityModel):
    """A model whose derivative and gaps are not those of its velocity."""

    def derivative(self, lr, t):
        return 1.1 * super().derivative(lr, t)

    def gap(self, lr, tau_0):
        return 2.0 * super().gap(lr, tau_0) + 100.0


WRONG = Wrong(epsilon=0.6, gamma=0.05)


def test_the_papers_claims_hold_as_corrected() -> None:
    verdicts = [
        limits(MODEL, LRS),
        like_the_quadratic(MODEL, LRS),
        drops_in_closed_form(MODEL, count=40),
        gaps_bounded(MODEL, count=40),
        iterations_bounded(MODEL, count=40),
        three_faces(),
    ]
    assert [verdict.verdict for verdict in verdicts] == ["holds"] * 6


def test_what_is_printed_otherwise_does_not_hold() -> None:
    assert gaps_bounded_printed(MODEL, count=40).verdict == "does not hold"
    order = printed_order(MODEL, count=40)
    assert (order.verdict, order.statistics["T - t_n"]) == ("does not hold", 1)


def test_a_model_that_contradicts_itself_is_found_out() -> None:
    judged = (
        limits(WRONG, LRS),
        drops_in_closed_form(WRONG, 10),
        gaps_bounded(WRONG, 10),
        iterations_bounded(WRONG, 10),
    )
    assert [verdict.verdict for verdict in judged] == ["does not hold"] * 4


def test_levels_that_do_not_fall_with_the_lr_are_found_out() -> None:
    assert like_the_quadratic(MODEL, LRS[::-1]).verdict == "does not hold"


def test_the_faces_of_unified_momentum_are_equal_to_rounding() -> None:
    assert max(three_faces().statistics.values()) < 1e-13
    assert np.isfinite(list(three_faces(momentum=0.0).statistics.values())).all()


def test_the_levels_are_those_of_the_formula() -> None:
    assert like_the_quadratic(MODEL, LRS).statistics["level at 0.5 (degrees)"] == pytest.approx(90 * 1.3)
