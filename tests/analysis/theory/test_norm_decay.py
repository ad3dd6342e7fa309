import numpy as np
import pytest

from analysis.theory import norm_decay
from analysis.theory.norm_decay import (
    DROP,
    EPOCH,
    FACTOR,
    decay_courses,
    norm_recursion,
    only_the_ratio,
    slopes_of_figure_8,
    stage_times,
    two_stages,
    two_stages_shorten,
)
from analysis.theory.settled_runs import constant


def test_the_recursion_is_exact_at_its_own_intrinsic_lr_only() -> None:
    run = constant(0.02, 10.0, 3)
    assert norm_recursion(run, 0.02).verdict == "holds"
    assert norm_recursion(run, 0.021).verdict == "does not hold"


def test_weights_and_lr_may_be_scaled_together() -> None:
    assert only_the_ratio(0.02, 3).verdict == "holds"


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_slopes_are_as_1_to_10_to_5_to_50(momentum: float) -> None:
    found = slopes_of_figure_8(steps=300, momentum=momentum)
    assert found.verdict == "holds"
    assert found.statistics["first slope per step"] == pytest.approx(-2e-6 / (1 - momentum), rel=0.01)


def test_a_gradient_that_is_not_negligible_bends_the_slopes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm_decay, "HUGE", 1.0)
    assert slopes_of_figure_8(steps=300).verdict == "does not hold"


def test_both_processes_take_the_steps_of_the_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    found = two_stages()
    assert found.verdict == "holds"
    assert found.statistics["ratio of growths"] == pytest.approx(FACTOR, rel=0.05)
    monkeypatch.setattr(norm_decay, "TIME_ERROR", 1e-9)
    assert two_stages().verdict == "does not hold", "steps are whole numbers"


def test_a_first_stage_pays_above_k_for_k_of_ten_and_not_of_two() -> None:
    found = two_stages_shorten()
    assert found.verdict == "holds"
    assert found.statistics["saved at 0.01 (x le)"] < 0
    assert two_stages_shorten(2.0).verdict == "does not hold"


def test_the_time_of_two_stages_depends_on_the_start_k_times_less() -> None:
    starts, times = stage_times()
    growth = {k: values[-1] - values[30] for k, values in times.items()}
    assert growth[1.0] == pytest.approx(np.log(starts[-1] / starts[30]) / 4, rel=1e-3)
    assert growth[1.0] / growth[FACTOR] == pytest.approx(FACTOR, rel=1e-2)


def test_a_tiny_norm_leaps_to_a_huge_one_in_the_first_step() -> None:
    tiny = [course for course in decay_courses(epochs=1, every=1) if course.scale.endswith("0.001")]
    assert len(tiny) == 4
    assert all(course.norms_squared[1] > 1e6 * course.norms_squared[0] for course in tiny)


def test_the_lr_drops_where_figure_8_says() -> None:
    huge, *_ = (course for course in decay_courses(epochs=DROP + 20, every=EPOCH) if course.lr == 0.1)
    slopes = np.diff(np.log(huge.norms_squared))
    assert slopes[DROP - 2] / slopes[DROP + 1] == pytest.approx(FACTOR, rel=0.01)
