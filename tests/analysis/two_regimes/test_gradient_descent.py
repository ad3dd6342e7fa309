from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.two_regimes.gradient_descent import claims, curve_distance
from analysis.verdicts import Verdict


def judge(tables: tuple) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables)}


def test_every_claim_holds_where_only_the_step_size_acts(descent_tables: Callable) -> None:
    verdicts = judge(descent_tables())
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == dict.fromkeys(verdicts, "holds")
    assert list(verdicts) == ["P0-11", "P0-11b", "P0-11c", "P0-12", "P0-12b"]
    assert all(verdict.statement.startswith("With full gradients: ") for verdict in verdicts.values())


def test_curves_over_step_size_are_no_closer_where_momentum_does_not_act(descent_tables: Callable) -> None:
    verdicts = judge(descent_tables(power=0.0))
    assert (verdicts["P0-12"].verdict, verdicts["P0-12b"].verdict) == ("does not hold", "does not hold")
    assert verdicts["P0-12b"].statistics["distance over step size / over lr"][0] > 1


def test_the_sweep_is_not_judged_as_a_regime_nor_the_regimes_as_points_of_the_sweep(descent_tables: Callable) -> None:
    verdicts = judge(descent_tables(points=7, seeds=5))
    assert verdicts["P0-12"].n == {"points at 0": 7, "points at 0.5": 7, "points at 0.9": 7}
    assert verdicts["P0-11"].n == {"seeds": 5, "comparisons": 2}


def test_noise_as_large_as_the_curves_is_undecided(descent_tables: Callable) -> None:
    assert judge(descent_tables(sweep_noise=0.5))["P0-12b"].verdict == "undecided"


def test_too_few_points_are_undecided_with_a_reason(descent_tables: Callable) -> None:
    verdicts = judge(descent_tables(points=3))
    for claim in ("P0-12", "P0-12b"):
        assert verdicts[claim].verdict == "undecided"
        assert verdicts[claim].note


def test_curves_without_a_common_range_have_no_distance() -> None:
    x, y = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.1])
    assert np.isnan(curve_distance([(x, y), (10 * x, y)]))


@given(shift=st.floats(-5, 5), scale=st.floats(0.5, 2.0), factor=st.floats(0.01, 100))
def test_the_distance_is_that_of_heights_whatever_the_unit(shift: float, scale: float, factor: float) -> None:
    x, y = np.geomspace(1e-3, 10, 9), np.array([1.0, 2, 4, 5, 9, 7, 3, 2, 1])
    assert curve_distance([(x, y), (x, y + shift)]) == pytest.approx(abs(shift))
    assert curve_distance([(factor * x, scale * y), (factor * x, scale * y + shift)]) == pytest.approx(abs(shift))
