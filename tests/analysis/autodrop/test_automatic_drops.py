from collections.abc import Callable

import numpy as np
import pytest

from analysis.autodrop.automatic_drops import (
    better_at_each_lr,
    complete_records,
    drop_lines,
    earlier,
    error_lines,
    imagenet_claim,
    less_spread,
    table_claims,
)
from analysis.verdicts import Verdict

LRS = (0.15, 0.1, 0.05, 0.03)
BETTER = {"rho 0.1": 0.01, "rho 0.2": -0.02, "rho 0.5": -0.01}
WORSE = {"rho 0.2": 0.02}


def judge(tables: tuple, task: str = "cifar10/resnet18") -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in table_claims({task: tables})}


@pytest.mark.parametrize(("effects", "verdict"), [(BETTER, "holds"), (WORSE, "does not hold"), ({}, "undecided")])
def test_a_row_of_table_1_is_judged_by_the_recommended_factor(
    method_tables: Callable, effects: dict, verdict: str
) -> None:
    found = judge(method_tables(effects=effects))["P1-17"]
    assert found.verdict == verdict
    assert found.n == {"seeds": 4}
    assert found.statistics["rho 0.2 - baseline"][0] == pytest.approx(effects.get("rho 0.2", 0.0), abs=0.002)


def test_a_row_says_which_factors_win_here_and_in_print(method_tables: Callable) -> None:
    note = judge(method_tables(effects=BETTER))["P1-17"].note
    assert note == "mean below the baseline: rho 0.2, rho 0.5; in Table 1: rho 0.2, rho 0.5"


def test_another_network_stands_for_a_row_in_small(method_tables: Callable) -> None:
    assert judge(method_tables(), "digits/mlp")["P1-17"].note.startswith("in small: digits/mlp; ")


def test_rows_that_were_not_run_say_how_to_run_them(method_tables: Callable) -> None:
    verdicts = judge(method_tables())
    assert list(verdicts) == ["P1-17", "P1-18", "P1-19", "P1-20", "P1-22b"]
    assert {verdicts[claim].verdict for claim in list(verdicts)[1:]} == {"undecided"}
    assert verdicts["P1-18"].note == "not run: run the study with --model cifar10/wrn28_10"


@pytest.mark.parametrize(("effect", "verdict"), [(-0.02, "holds"), (0.02, "does not hold"), (0.0, "undecided")])
def test_imagenet_is_judged_by_the_factor_of_its_baseline(method_tables: Callable, effect: float, verdict: str) -> None:
    trials, _ = method_tables(effects={"rho 0.1": effect, "rho 0.2": -effect})
    trials = trials[trials["config.method"].isin(["baseline", "rho 0.1"])]
    found = imagenet_claim(trials, "imagenet64/resnet18")
    assert (found.claim, found.verdict, found.n) == ("P1-21", verdict, {"seeds": 4})
    assert list(found.statistics) == ["rho 0.1 - baseline"]
    assert "in small: imagenet64/resnet18" in found.note
    assert found.note.endswith("in Table 1: rho 0.1")


def test_the_winner_on_every_task_needs_two_tasks(method_tables: Callable) -> None:
    better, worse = method_tables(effects=BETTER), method_tables(effects=WORSE)
    both = {"cifar10/resnet18": better, "cifar100/resnet34": better}
    assert [table_claims(both)[number].verdict for number in (0, 2, -1)] == ["holds"] * 3
    assert table_claims(both | {"cifar100/resnet34": worse})[-1].verdict == "does not hold"


def test_the_difference_between_seeds_is_not_taken_for_noise(method_tables: Callable) -> None:
    trials, epochs = method_tables(effects={"rho 0.2": -0.004})
    assert trials["final_test_accuracy"].std() > 0.015
    assert judge((trials, epochs))["P1-17"].verdict == "holds"


@pytest.mark.parametrize(("method", "verdict"), [("rho 0.2", "does not hold"), ("baseline", "holds")])
def test_divergence_of_one_method_alone_decides(method_tables: Callable, method: str, verdict: str) -> None:
    found = judge(method_tables(diverged={method: 4}))["P1-17"]
    assert (found.verdict, found.test) == (verdict, "Fisher's exact test")
    assert found.p_values["rho 0.2"] == pytest.approx(1 / 35)


def test_one_diverged_run_is_undecided(method_tables: Callable) -> None:
    found = judge(method_tables(effects=BETTER, diverged={"rho 0.2": 1}))["P1-17"]
    assert found.verdict == "undecided"
    assert "1 runs of rho 0.2 and 0 of baseline diverged" in found.note


@pytest.mark.parametrize(("effects", "verdict"), [(BETTER, "holds"), (WORSE, "does not hold"), ({}, "undecided")])
def test_table_2_is_judged_at_every_initial_lr(method_tables: Callable, effects: dict, verdict: str) -> None:
    found = better_at_each_lr(method_tables(effects=effects, lrs=LRS, noise=0.003)[0])
    assert found.verdict == verdict
    assert list(found.statistics) == ["lr 0.03", "lr 0.05", "lr 0.1", "lr 0.15"]


@pytest.mark.parametrize(("method", "verdict"), [("baseline", "holds"), ("rho 0.2", "does not hold")])
def test_robustness_is_the_range_over_initial_lrs(method_tables: Callable, method: str, verdict: str) -> None:
    tables = method_tables(lrs=LRS, lr_effect={method: 0.05})
    assert less_spread(tables[0]).verdict == verdict


@pytest.mark.parametrize(("epochs", "verdict"), [((6, 10), "holds"), ((10, 6), "does not hold"), ((8, 8), "undecided")])
def test_the_epoch_of_the_lowest_error_is_compared(method_tables: Callable, epochs: tuple, verdict: str) -> None:
    tables = method_tables(lowest=dict(zip(("rho 0.2", "baseline"), epochs, strict=True)))
    found = earlier(*tables)
    assert found.verdict == verdict
    assert found.statistics["rho 0.2 - baseline"][0] == epochs[0] - epochs[1]


def test_the_epoch_of_the_lowest_error_is_compared_at_every_initial_lr(method_tables: Callable) -> None:
    tables = method_tables(lowest={"rho 0.2": 6, "baseline": 9}, lrs=LRS)
    assert (earlier(*tables).verdict, earlier(*tables).n) == ("holds", {"seeds": 4, "comparisons": 4})


def test_records_are_complete_but_for_the_first_angle(method_tables: Callable) -> None:
    _, epochs = method_tables()
    assert complete_records(epochs).verdict == "holds"
    assert complete_records(epochs.drop(columns="angular_velocity")).verdict == "does not hold"
    assert complete_records(epochs.assign(angular_velocity=np.nan)).verdict == "does not hold"
    assert complete_records(epochs.iloc[:0]).verdict == "undecided"


@pytest.mark.parametrize("spoil", ["one seed", "no baseline", "none completed"])
def test_too_little_is_undecided_with_a_reason(method_tables: Callable, spoil: str) -> None:
    trials, epochs = method_tables(seeds=1 if spoil == "one seed" else 4)
    trials = trials[trials["config.method"] != "baseline"] if spoil == "no baseline" else trials
    if spoil == "none completed":
        trials = trials.assign(status="running", final_test_accuracy=np.nan)
    for verdict in (*judge((trials, epochs)).values(), earlier(trials, epochs)):
        assert verdict.verdict == "undecided"
        assert verdict.note


def test_drops_are_told_seed_by_seed(method_tables: Callable) -> None:
    lines = drop_lines(*method_tables(seeds=2))
    assert lines[0] == "baseline: after epochs 6, 6; last lr 0.01"


def test_errors_are_told_as_the_tables_print_them(method_tables: Callable) -> None:
    lines = error_lines(method_tables(lrs=(0.1, 0.03), noise=0.0)[0])
    assert lines[0] == "lr 0.03, baseline: 33.00 ± 2.58 % (n 4)"
    assert len(lines) == 4
