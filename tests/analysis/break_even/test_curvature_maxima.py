from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.break_even.curvature_maxima import (
    at_break_even,
    at_equal_accuracy,
    before_the_drop,
    conjectures,
    early,
    near_two_over_lr,
)
from analysis.break_even.curvature_runs import (
    HESSIAN,
    LARGEST,
    RATIO,
    STABILITY,
    TRACE,
    accuracy_threshold,
    describe_runs,
    looks,
    varied,
)

LRS = [{"lr": lr} for lr in (0.3, 0.1, 0.03)]
NUMBERS = {LARGEST: "P3-04", HESSIAN: "P3-04b", RATIO: "P3-05", TRACE: "P3-05b"}
SETTINGS = {
    "lr": LRS,
    "batch_size": [{"batch_size": size} for size in (10, 30, 100)],
    "momentum": [{"momentum": momentum} for momentum in (0.1, 0.5, 0.9)],
}
CONTRARY = {LARGEST: 0.5, TRACE: 0.5, HESSIAN: 0.5, RATIO: -0.5}


@pytest.mark.parametrize("setting", SETTINGS)
def test_both_conjectures_hold_where_the_paper_is_right(curved: Callable, setting: str) -> None:
    tables = curved(SETTINGS[setting])
    assert varied(tables[0]) == setting
    verdicts = conjectures(*tables, NUMBERS)
    assert {verdict.claim: verdict.verdict for verdict in verdicts} == dict.fromkeys(NUMBERS.values(), "holds")
    assert verdicts[0].n == {"runs": 9, "values": 3, "seeds": 3}


def test_the_slope_is_the_power_of_the_learning_rate(curved: Callable) -> None:
    found = {verdict.claim: verdict.statistics["slope"][0] for verdict in conjectures(*curved(LRS), NUMBERS)}
    assert found == pytest.approx({"P3-04": 1.0, "P3-04b": 1.0, "P3-05": 0.3, "P3-05b": 0.8}, abs=0.05)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_contrary_does_not_hold_and_seeds_that_disagree_are_undecided(curved: Callable, setting: str) -> None:
    for opposed, seeds, verdict in ((False, 3, "does not hold"), (True, 4, "undecided")):
        tables = curved(SETTINGS[setting], powers=CONTRARY, opposed=opposed, seeds=seeds)
        assert {each.verdict for each in conjectures(*tables, NUMBERS)} == {verdict}


def test_runs_that_diverged_or_learned_nothing_are_left_out_and_counted(curved: Callable) -> None:
    tables = curved(LRS, stuck=lambda config: config["lr"] == 0.3, diverged=lambda config: config["lr"] == 0.03)
    assert set(describe_runs(*tables)["arm"]) == {0.1}
    verdict = conjectures(*tables, NUMBERS)[0]
    assert verdict.verdict == "undecided"
    assert verdict.n["diverged, unfinished or without learning"] == 6
    assert verdict.note


def test_a_run_that_blew_up_at_first_and_answers_at_chance_did_not_learn(curved: Callable) -> None:
    trials, epochs = curved(LRS, stuck=lambda config: config["lr"] == 0.3)
    largest = epochs["trial_id"].isin(trials.loc[trials["config.lr"] == 0.3, "trial_id"])
    epochs.loc[largest & (epochs["epoch"] == 1), "train_loss"] = 1e32
    assert set(describe_runs(trials, epochs)["arm"]) == {0.1, 0.03}


def test_a_null_look_is_left_out_of_the_maximum(curved: Callable) -> None:
    trials, epochs = curved(LRS[:1], seeds=1, noise=0.0)
    whole = describe_runs(trials, epochs)
    missing = epochs.assign(**{HESSIAN: epochs[HESSIAN].where(epochs["epoch"] != 4)})
    part = describe_runs(trials, missing)
    assert whole[f"{HESSIAN}.epoch"].item() == 4
    assert part[HESSIAN].item() == pytest.approx(epochs[HESSIAN].nlargest(2).iloc[-1])
    nothing = describe_runs(trials, epochs.assign(**{HESSIAN: np.nan}))
    assert nothing[HESSIAN].isna().all()
    assert nothing[LARGEST].item() == whole[LARGEST].item()


def test_the_break_even_point_is_the_first_look_that_breaks_equation_1(curved: Callable) -> None:
    tables = curved(LRS, extra={STABILITY: lambda config, times: np.where(times >= 3, 1.2, 0.5)})
    runs = describe_runs(*tables)
    assert set(runs["even"]) == {3.0}
    third = tables[1][tables[1]["epoch"] == 3]
    assert runs[f"{LARGEST}.even"].tolist() == pytest.approx(third[LARGEST].tolist())
    assert [each.verdict for each in at_break_even({HESSIAN: "P3-02", LARGEST: "P3-02b"}, *tables)] == ["holds"] * 2


def test_runs_that_never_reach_it_are_said(curved: Callable) -> None:
    tables = curved(LRS, extra={STABILITY: lambda config, times: np.full_like(times, 0.5)})
    verdict = at_break_even({HESSIAN: "P3-02"}, *tables)[0]
    assert (verdict.verdict, "9 of 9 runs never reach it" in verdict.note) == ("undecided", True)
    tables = curved(
        LRS, extra={STABILITY: lambda config, times: np.where((config["lr"] < 0.3) & (times > 2), 2.0, 0.5)}
    )
    verdict = at_break_even({HESSIAN: "P3-02"}, *tables)[0]
    assert (verdict.verdict, verdict.note) == ("holds", "3 of 9 runs never reach it at a look")


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "holds"), (1.6, "holds"), (5.0, "does not hold")])
def test_the_largest_curvature_is_compared_with_two_over_lr(curved: Callable, factor: float, verdict: str) -> None:
    trials, epochs = curved(LRS)
    epochs[HESSIAN] *= factor
    first = near_two_over_lr(trials, epochs)[0]
    assert first.verdict == verdict
    assert first.statistics["lambda_H^1 lr / 2 at 0.1"][0] == pytest.approx(factor, rel=0.1)


def test_for_batch_sizes_the_largest_alone_is_compared(curved: Callable) -> None:
    powers = {LARGEST: -1.0, TRACE: -1.0, RATIO: 0.1, HESSIAN: -1.0}
    trials, epochs = curved([{"batch_size": size} for size in (1, 20)], powers=powers, lr=0.05)
    verdict = near_two_over_lr(trials, epochs)[0]
    assert (verdict.verdict, verdict.n) == ("holds", {"runs": 3, "values": 1, "seeds": 3})


def test_the_median_behind_the_break_even_point_is_measured(curved: Callable) -> None:
    level = {HESSIAN: lambda config, times: np.where(times > 2, 2.2, 0.5) / config["lr"]}
    stable = {STABILITY: lambda config, times: np.where(times > 2, 1.4, 0.5)}
    verdict = near_two_over_lr(*curved(LRS, extra=level | stable))[1]
    assert verdict.verdict == "holds"
    assert verdict.statistics["lambda_H^1 lr / 2 at 0.3"][0] == pytest.approx(1.1)


def test_early_maxima_hold_and_late_ones_do_not(curved: Callable) -> None:
    assert [each.verdict for each in early(*curved(LRS))] == ["holds", "holds"]
    late = early(*curved(LRS, top=lambda config: 20.0))
    assert [each.verdict for each in late] == ["does not hold", "does not hold"]
    assert late[0].note == "at the last look in 9 of 9 runs"
    assert before_the_drop(*curved(LRS)).verdict == "holds"
    assert before_the_drop(*curved(LRS, top=lambda config: 18.0)).verdict == "does not hold"


def test_runs_are_compared_where_they_are_equally_accurate(curved: Callable) -> None:
    trials, epochs = curved(LRS)
    verdicts = at_equal_accuracy({LARGEST: "P3-09", RATIO: "P3-09b"}, trials, epochs)
    assert [each.verdict for each in verdicts] == ["holds", "holds"]
    assert "65%" in verdicts[0].statement
    slow = epochs["lr"] == 0.03
    epochs.loc[slow, "train_accuracy"] *= 0.5
    assert accuracy_threshold(looks(trials, epochs)) == pytest.approx(0.45)


def test_epochs_without_a_look_are_passed_over(curved: Callable) -> None:
    trials, epochs = curved(LRS, top=lambda config: 20.0)
    seldom = epochs["epoch"] % 2 == 1
    measured = [LARGEST, RATIO, TRACE, HESSIAN, STABILITY]
    epochs[measured] = epochs[measured].where(seldom)
    assert set(describe_runs(trials, epochs)["looked"]) == {19.0}
    assert conjectures(trials, epochs, NUMBERS)[0].note == "at the last look in 9 of 9 runs"
    verdict = at_equal_accuracy({LARGEST: "P3-09"}, trials, epochs)[0]
    assert (verdict.verdict, verdict.n["runs"]) == ("holds", 9)


def test_tables_without_runs_are_undecided(curved: Callable) -> None:
    trials, epochs = curved(LRS, diverged=lambda config: True)
    every = [
        *conjectures(trials, epochs, NUMBERS),
        *at_equal_accuracy({LARGEST: "P3-09"}, trials, epochs),
        *at_break_even({LARGEST: "P3-02"}, trials, epochs),
        *near_two_over_lr(trials, epochs),
        *early(trials, epochs),
    ]
    assert {verdict.verdict for verdict in every} == {"undecided"}
    assert all(verdict.note for verdict in every)
    assert isinstance(looks(trials, epochs.drop(columns=LARGEST)), pd.DataFrame)
