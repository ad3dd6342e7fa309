from collections.abc import Callable

import numpy as np
import pytest

from analysis.autodrop.angular_velocity import claims, describe_saturation, saturation
from analysis.verdicts import Verdict


def judge(tables: tuple) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables)}


def grows(lr: float) -> float:
    """A quantity that is larger at a smaller learning rate."""
    return float(0.5 * (0.3 / lr) ** 0.4)


def test_every_part_holds_where_the_paper_is_right(velocity_tables: Callable) -> None:
    verdicts = judge(velocity_tables(noise=grows, time=lambda lr: 2 * grows(lr)))
    assert list(verdicts) == ["P1-07", "P1-07b", "P1-07c", "P1-07d", "P1-07e", "P1-07f"]
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == dict.fromkeys(verdicts, "holds")
    assert verdicts["P1-07"].n == {"runs": 15, "learning rates": 5, "seeds": 3}


def test_the_slope_of_the_level_is_in_degrees_per_decade(velocity_tables: Callable) -> None:
    assert judge(velocity_tables(noise=lambda lr: 0.1))["P1-07c"].statistics["slope"][0] == pytest.approx(10, abs=0.2)


def test_every_part_does_not_hold_where_the_contrary_is_true(velocity_tables: Callable) -> None:
    def shrinks(lr: float) -> float:
        return 1 / grows(lr)

    tables = velocity_tables(
        level=lambda lr: 110 - 10 * np.log10(lr / 0.03), noise=shrinks, time=lambda lr: 6 * shrinks(lr)
    )
    verdicts = judge(tables)
    assert [claim for claim, verdict in verdicts.items() if verdict.verdict == "does not hold"] == [
        "P1-07c",
        "P1-07d",
        "P1-07e",
        "P1-07f",
    ]


def test_a_straight_rise_does_not_saturate(velocity_tables: Callable) -> None:
    assert judge(velocity_tables(straight=True, noise=lambda lr: 0.1))["P1-07"].verdict == "does not hold"


def test_an_even_fall_of_the_loss_does_not_slow_down(velocity_tables: Callable) -> None:
    assert judge(velocity_tables(even=True))["P1-07b"].verdict != "holds"


def test_noise_alone_is_undecided(velocity_tables: Callable) -> None:
    verdicts = judge(velocity_tables(level=lambda lr: 90.0, noise=lambda lr: 8.0, seeds=2))
    assert {verdicts[claim].verdict for claim in ("P1-07c", "P1-07e", "P1-07f")} == {"undecided"}


@pytest.mark.parametrize("spoil", ["one seed", "few epochs", "no column", "none completed"])
def test_too_little_is_undecided_with_a_reason(velocity_tables: Callable, spoil: str) -> None:
    trials, epochs = velocity_tables(seeds=1 if spoil == "one seed" else 2, length=6 if spoil == "few epochs" else 40)
    epochs = epochs.drop(columns="angular_velocity") if spoil == "no column" else epochs
    trials = trials.assign(status="running") if spoil == "none completed" else trials
    for verdict in claims(trials, epochs):
        assert verdict.verdict == "undecided"
        assert verdict.note


def test_saturation_is_measured_exactly_on_a_known_curve() -> None:
    omega = np.array([np.nan, *[30.0, 60, 86, 90, 90, 90, 90, 90, 90, 90, 90, 90]])
    loss = np.array([2.0, 1.5, 1.0, 0.5, *[0.5] * 9])
    found = saturation(omega, loss)
    assert found["rise"] == 60
    assert found["late_rise"] == 0
    assert (found["level"], found["noise"], found["epoch"]) == (90, 0, 4)
    assert found["slowing"] == pytest.approx(0.5)


def test_a_run_that_diverged_is_left_out_and_counted(velocity_tables: Callable) -> None:
    trials, epochs = velocity_tables()
    trials.loc[0, "status"] = "diverged"
    assert describe_saturation(trials, epochs)["level"].count() == 14
    assert judge((trials, epochs))["P1-07"].n["runs left out"] == 1
