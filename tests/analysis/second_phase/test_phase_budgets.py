from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.second_phase.phase_budgets import (
    claims,
    epoch_seconds,
    epochs_in_time,
    errors_in_time,
    final_errors,
    second_phase_curves,
    some_better,
    summary,
    summary_cells,
)
from analysis.verdicts import Verdict

ALL_WORSE = {"AdamW": 0.05, "Muon": 0.05, "K-FAC": 0.05, "L-BFGS": 0.05}
ALL_BETTER = {name: -effect for name, effect in ALL_WORSE.items()}


def judge(tables: tuple) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables)}


@pytest.mark.parametrize(
    ("effects", "verdict"), [(ALL_BETTER, "holds"), (ALL_WORSE, "does not hold"), ({}, "undecided")]
)
def test_the_question_is_answered_in_either_budget(second_phase_tables: Callable, effects: dict, verdict: str) -> None:
    found = judge(second_phase_tables(effects=effects, noise=0.003))
    assert list(found) == ["P0-23b", "P0-23c", "P0-23d", "P0-23e"]
    assert {each.verdict for each in found.values()} == {verdict}
    assert found["P0-23b"].n == {"seeds": 3, "optimizers": 2}
    difference = found["P0-23b"].statistics["K-FAC - SGD with momentum"]
    assert difference[0] == pytest.approx(effects.get("K-FAC", 0.0), abs=0.005)


def test_one_optimizer_that_is_better_is_enough(second_phase_tables: Callable) -> None:
    found = judge(second_phase_tables(effects={**ALL_WORSE, "L-BFGS": -0.05}))
    assert found["P0-23b"].verdict == "holds"
    assert found["P0-23b"].note == "K-FAC: does not hold; L-BFGS: holds"
    assert found["P0-23d"].verdict == "does not hold"


def test_one_that_is_worse_is_not_enough_for_the_contrary(second_phase_tables: Callable) -> None:
    found = judge(second_phase_tables(effects={"K-FAC": 0.05}, noise=0.003))["P0-23b"]
    assert (found.verdict, found.note) == ("undecided", "K-FAC: does not hold; L-BFGS: undecided")


def test_several_chances_to_be_better_are_paid_for() -> None:
    steps = pd.DataFrame([[0.40, 0.40, 0.40, 0.40]], index=[0.1])
    tables = {"SGD with momentum": steps, "K-FAC": steps - [0.01, 0.02, 0.03, 0.06], "L-BFGS": steps + 0.01}
    alone = some_better("P0-23b", tables, ["K-FAC"], "epochs")
    both = some_better("P0-23b", tables, ["K-FAC", "L-BFGS"], "epochs")
    assert 0.025 < alone.p_values["K-FAC"] < 0.05
    assert (alone.verdict, both.verdict) == ("holds", "undecided")


def test_better_in_equal_epochs_is_not_better_in_equal_seconds(second_phase_tables: Callable) -> None:
    found = judge(second_phase_tables(effects=ALL_BETTER, costs={"K-FAC": 6.0, "L-BFGS": 6.0}))
    assert found["P0-23b"].verdict == "holds"
    assert found["P0-23c"].verdict == "does not hold"
    assert found["P0-23e"].verdict == "holds"


def test_seconds_buy_whole_epochs_and_no_more_than_were_trained(second_phase_tables: Callable) -> None:
    costs = {"SGD with momentum": 1.0, "K-FAC": 1.9, "L-BFGS": 2.0, "Muon": 0.5, "AdamW": 7.0}
    trials, epochs = second_phase_tables(costs=costs)
    assert epoch_seconds(trials, epochs) == costs
    assert epochs_in_time(trials, epochs) == {
        "SGD with momentum": 6,
        "AdamW": 0,
        "Muon": 6,
        "K-FAC": 3,
        "L-BFGS": 3,
    }


def test_a_few_slow_epochs_do_not_change_the_budget(second_phase_tables: Callable) -> None:
    trials, epochs = second_phase_tables(costs={"K-FAC": 2.0})
    epochs.loc[::7, "seconds"] *= 30
    assert epochs_in_time(trials, epochs)["K-FAC"] == 3


def test_what_is_reached_in_time_is_the_lowest_error_since_the_transition(second_phase_tables: Callable) -> None:
    trials, epochs = second_phase_tables(costs={"K-FAC": 3.0, "AdamW": 7.0}, noise=0.0, lr_effect=0.0)
    found = errors_in_time(trials, epochs)
    cut = {"SGD with momentum": 6, "K-FAC": 2, "AdamW": 0}
    for name, count in cut.items():
        assert found[name].to_numpy()[0] == pytest.approx(np.array([0.3, 0.32, 0.34]) + 0.2 * (0.5**count - 0.5**6))
    whole = final_errors(trials)["SGD with momentum"]
    assert found["SGD with momentum"].to_numpy() == pytest.approx(whole.to_numpy())
    best_early = epochs["epoch"] == 8
    epochs.loc[best_early, "test_accuracy"] = 0.99
    assert errors_in_time(trials, epochs)["K-FAC"].to_numpy() == pytest.approx(0.01)


def test_curves_begin_with_the_last_epoch_of_the_first_phase(second_phase_tables: Callable) -> None:
    trials, epochs = second_phase_tables()
    assert second_phase_curves(trials, epochs).columns.tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_an_optimizer_that_diverges_everywhere_is_worse(second_phase_tables: Callable) -> None:
    found = judge(second_phase_tables(diverged=["K-FAC", "L-BFGS"], seeds=4))
    for claim in ("P0-23b", "P0-23c"):
        assert found[claim].verdict == "does not hold"
        assert found[claim].p_values["K-FAC"] == pytest.approx(1 / 35)


@pytest.mark.parametrize("spoil", ["one seed", "no SGD", "none completed"])
def test_too_little_is_undecided_with_a_reason(second_phase_tables: Callable, spoil: str) -> None:
    trials, epochs = second_phase_tables(seeds=1 if spoil == "one seed" else 3)
    trials = trials[trials["config.second.optimizer"] != "SGD with momentum"] if spoil == "no SGD" else trials
    if spoil == "none completed":
        trials = trials.assign(status="running", final_test_accuracy=np.nan)
    for verdict in claims(trials, epochs):
        assert verdict.verdict == "undecided"
        assert "seeds completed with both methods" in verdict.note
    assert summary_cells(summary(trials, epochs))


def test_the_summary_says_what_each_optimizer_reaches(second_phase_tables: Callable) -> None:
    table = summary(*second_phase_tables(effects={"Muon": -0.1}, costs={"Muon": 3.0}, noise=0.0))
    muon = table.loc["Muon"]
    assert (muon["lr"], muon["epochs_in_time"], muon["seconds"], muon["diverged"]) == (0.01, 2, 3.0, 0)
    assert muon["error"] == pytest.approx(0.22)
    assert muon["error_in_time"] == pytest.approx(0.22 + 0.2 * (0.25 - 0.5**6))
    head, rows = summary_cells(table)
    assert len(head) == len(rows[2])
    assert rows[2] == ["Muon", "0.01", "22.00", "1.200", "0.01", "26.69", "2", "3.00", "0"]
