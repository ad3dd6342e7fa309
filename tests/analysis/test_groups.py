import numpy as np
import pytest
from scipy import stats

from analysis.groups import all_alike, sign_test, slope_effect, together
from analysis.verdicts import Verdict


def groups(means: list[float], spread: float, n: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {str(number): mean + spread * rng.normal(size=n) for number, mean in enumerate(means)}


def test_groups_within_the_margin_are_shown_to_be_alike() -> None:
    verdict = all_alike("P4-09", "", groups([0.9, 0.9, 0.901], 0.001), 0.01, "accuracy")
    assert verdict.verdict == "holds"
    assert verdict.p_values["TOST"] < 0.05
    assert verdict.n == {"0": 5, "1": 5, "2": 5}


def test_one_group_apart_is_enough() -> None:
    verdict = all_alike("P4-09", "", groups([0.9, 0.9, 0.95], 0.001), 0.01, "accuracy")
    assert verdict.verdict == "does not hold"
    assert abs(next(iter(verdict.statistics.values()))[0]) == pytest.approx(0.05, abs=0.002)


def test_noise_is_no_proof_of_likeness() -> None:
    assert all_alike("P4-09", "", groups([0.9, 0.9], 0.05), 0.01, "accuracy").verdict == "undecided"


def test_groups_that_do_not_vary_are_judged_by_their_difference() -> None:
    same = {"a": np.full(3, 0.9), "b": np.full(3, 0.9)}
    assert all_alike("P4-09", "", same, 0.01, "accuracy").verdict == "holds"
    assert all_alike("P4-09", "", same | {"b": np.full(3, 0.8)}, 0.01, "accuracy").verdict == "does not hold"


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"a": np.ones(3)}, "1 groups completed"), ({"a": np.ones(3), "b": np.ones(1)}, "1 runs of b")],
)
def test_too_few_runs_are_undecided_with_a_reason(given: dict, reason: str) -> None:
    verdict = all_alike("P4-09", "", given, 0.01, "accuracy")
    assert verdict.verdict == "undecided"
    assert reason in verdict.note


def test_the_slope_and_its_error_are_those_of_linear_regression() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=12)
    y = 2 * x + rng.normal(size=12)
    effect, expected = slope_effect(x, y), stats.linregress(x, y)
    assert (effect.difference, effect.error, effect.dof) == pytest.approx((expected.slope, expected.stderr, 10))


def test_five_of_five_decide_and_four_of_five_do_not() -> None:
    assert [sign_test(k, 5)[0] for k in (5, 4, 1, 0)] == ["holds", "undecided", "undecided", "does not hold"]
    assert sign_test(5, 5)[1] == pytest.approx(1 / 32)
    assert sign_test(0, 0)[0] == "undecided"


def test_a_claim_of_several_names_its_parts() -> None:
    parts = {name: Verdict(name, "", verdict, "") for name, verdict in (("a", "holds"), ("b", "undecided"))}
    joint = together("P4-01", "all", parts)
    assert (joint.verdict, joint.note) == ("undecided", "a: holds; b: undecided")
