from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.sgdl.large_steps import claims, error_lines, errors, sgdl_errors, sweep_claims
from analysis.verdicts import Verdict

SWEEP = (0.2, 0.4, 0.6, 0.8, 1.0)


def judge(tables: tuple, task: str = "cifar10/resnet56") -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(tables[0], task)}


def sweep(rise: float, seeds: int = 3, noise: float = 0.002) -> pd.DataFrame:
    """Trials of ``lr_sweep`` whose accuracy rises by so much over the sweep."""
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "trial_id": f"{point:05d}-s{seed}",
            "point": point,
            "seed": seed,
            "config.lr": lr,
            "status": "completed",
            "final_test_accuracy": 0.6 + 0.02 * seed + rise * (lr - 0.2) / 0.8 + noise * rng.normal(),
        }
        for point, lr in enumerate(SWEEP)
        for seed in range(seeds)
    )


@pytest.mark.parametrize(("rise", "verdict"), [(0.05, "holds"), (-0.05, "does not hold"), (0.0, "undecided")])
def test_small_lrs_of_the_sweep_are_compared_with_the_others(rise: float, verdict: str) -> None:
    better, rises = sweep_claims(sweep(rise, noise=0.004))
    assert (better.claim, rises.claim) == ("P2-14", "P2-14b")
    assert (better.verdict, rises.verdict) == (verdict, verdict)
    assert rises.statistics["accuracy per unit of lr"][0] == pytest.approx(rise / 0.8, abs=0.01)


def test_a_sweep_that_diverges_at_the_large_lrs_alone_speaks_against_them() -> None:
    trials = sweep(0.05, seeds=4)
    trials.loc[trials["config.lr"] > 0.9, "status"] = "diverged"
    better, rises = sweep_claims(trials)
    assert (better.verdict, better.test) == ("does not hold", "Fisher's exact test")
    assert rises.verdict == "undecided"


@pytest.mark.parametrize(("effect", "verdict"), [(-0.02, "holds"), (0.0, "holds"), (0.03, "does not hold")])
def test_the_same_or_better_holds_for_equal_errors_too(optimizer_tables: Callable, effect: float, verdict: str) -> None:
    found = judge(optimizer_tables(effects={"SGDL": effect}))
    assert [found[claim].verdict for claim in ("P2-15", "P2-15b", "P2-15c")] == [verdict] * 3
    assert found["P2-15"].n == {"seeds": 3}


def test_noise_as_large_as_the_margin_is_undecided(optimizer_tables: Callable) -> None:
    found = judge(optimizer_tables(noise=0.03))
    assert (found["P2-15"].verdict, found["P2-15b"].verdict) == ("undecided", "undecided")


def test_one_optimizer_that_is_better_is_enough_against_the_claim_on_each(optimizer_tables: Callable) -> None:
    found = judge(optimizer_tables(effects={"Adam": -0.05}, noise=0.0005))["P2-15b"]
    assert found.verdict == "does not hold"
    assert "SGDL - Adam: does not hold" in found.note


def test_sgdl_is_at_least_ten_times_as_fast_as_what_sgdm_chose(optimizer_tables: Callable) -> None:
    tables = errors(optimizer_tables(best={"SGDM": 0.1, "SGDL": 1.0}, noise=0.0)[0])
    assert sgdl_errors(tables).tolist() == tables["SGDL"].loc[1.0].tolist()
    faster = {**tables, "SGDM": tables["SGDM"].set_axis([0.001, 0.01, 0.05, 0.12])}
    assert sgdl_errors(faster).tolist() == tables["SGDL"].loc[1.2].tolist()


def test_the_printed_learning_rates_follow_the_rule(optimizer_tables: Callable) -> None:
    found = judge(optimizer_tables())["P2-16"]
    assert found.verdict == "holds"
    assert found.statistics["cifar10/resnet56"] == 10.0
    assert found.statistics["cifar10/vgg16_bn"] == 24.0


@pytest.mark.parametrize(("best", "verdict"), [(0.001, "holds"), (0.01, "does not hold")])
def test_the_printed_lr_of_adam_is_compared_with_the_others(
    optimizer_tables: Callable, best: float, verdict: str
) -> None:
    assert judge(optimizer_tables(best={"Adam": best}))["P2-17"].verdict == verdict
    assert judge(optimizer_tables(best={"Adam": best}, slope=0.0, noise=0.02))["P2-17"].verdict == "undecided"


def test_the_printed_lr_of_sgdm_is_that_of_the_network(optimizer_tables: Callable) -> None:
    tables = optimizer_tables(best={"SGDM": 0.05})
    assert judge(tables, "cifar10/vgg16_bn")["P2-17b"].verdict == "holds"
    assert judge(tables, "cifar10/resnet56")["P2-17b"].verdict == "does not hold"
    assert judge(tables, "digits/mlp")["P2-17b"].statement.startswith("SGDM ends at a lower test error at lr 0.1 ")


@pytest.mark.parametrize(("effect", "verdict"), [(0.05, "holds"), (-0.05, "does not hold"), (0.0, "undecided")])
def test_plain_sgd_at_small_lrs_is_compared_with_larger_ones(
    optimizer_tables: Callable, effect: float, verdict: str
) -> None:
    found = judge(optimizer_tables(effects={"SGD": effect}, noise=0.004))
    assert [found[claim].verdict for claim in ("P2-21", "P2-22", "P2-22b")] == [verdict] * 3
    assert found["P2-21"].statistics["best lr of SGDM"] == 0.1


def test_plain_sgd_is_taken_at_the_lr_of_momentum(optimizer_tables: Callable) -> None:
    found = judge(optimizer_tables(best={"SGD": 0.1, "SGDM": 0.01}, slope=0.1, noise=0.0))
    assert found["P2-22"].statistics["SGDM - SGD at SGDM's lr"][0] == pytest.approx(-0.1)
    assert found["P2-21"].statistics["SGDL - smaller lr"][0] == pytest.approx(-0.1 * np.log10(2))


def test_the_rule_may_choose_from_the_grid_of_plain_sgd(optimizer_tables: Callable) -> None:
    effects = {"SGDL": 0.2}
    small = judge(optimizer_tables(best={"SGD": 0.1, "SGDM": 0.01}, effects=effects, noise=0.0))
    large = judge(optimizer_tables(best={"SGD": 0.1, "SGDM": 0.1}, effects=effects))
    assert (small["P2-15"].verdict, large["P2-15"].verdict) == ("holds", "does not hold")
    assert (small["P2-15c"].verdict, large["P2-15c"].verdict) == ("does not hold", "does not hold")
    assert small["P2-21"].statistics["best lr of plain SGD"] == 0.1


def test_an_optimizer_that_diverges_is_worse(optimizer_tables: Callable) -> None:
    every = [("SGDL", lr) for lr in (1.0, 1.1, 1.2, 1.3)]
    found = judge(optimizer_tables(diverged=every, seeds=4))["P2-15"]
    assert (found.verdict, found.test) == ("does not hold", "Fisher's exact test")
    one = judge(optimizer_tables(diverged=[("SGDL", 1.3)]))["P2-15"]
    assert one.verdict == "holds"


@pytest.mark.parametrize("spoil", ["one seed", "SGDL alone", "none completed"])
def test_too_little_is_undecided_with_a_reason(optimizer_tables: Callable, spoil: str) -> None:
    trials, epochs = optimizer_tables(seeds=1 if spoil == "one seed" else 3)
    trials = trials[trials["config.method.optimizer"] == "SGDL"] if spoil == "SGDL alone" else trials
    if spoil == "none completed":
        trials = trials.assign(status="running", final_test_accuracy=np.nan)
    found = judge((trials, epochs))
    assert {verdict.verdict for claim, verdict in found.items() if claim != "P2-16"} == {"undecided"}
    assert all(verdict.note for claim, verdict in found.items() if claim != "P2-16")
    assert error_lines(errors(trials))


def test_errors_are_told_with_the_lr_of_each_optimizer(optimizer_tables: Callable) -> None:
    tables = errors(optimizer_tables(noise=0.0)[0])
    lines = error_lines(tables)
    assert lines[-1] == "SGDL by the rule of Table 1: lr 1/1/1 of plain SGD"
    assert error_lines({"SGDL": tables["SGDL"]})[-1].endswith("no learning rate follows it")
    assert lines[1] == "SGDM: best at lr 0.1, 32.00 ± 2.00 % (n 3); chosen on the other seeds: 0.1/0.1/0.1"
    assert len(lines) == 6
