from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.sgdl.imagenet32 import claims, error_lines
from analysis.verdicts import Verdict
from search_spaces.sgdl import IMAGENET32


@pytest.fixture
def trials(optimizer_tables: Callable) -> Callable[..., pd.DataFrame]:
    """Trials of ``imagenet32``, whose error is lowest before the end; ``effects`` are those of the lowest errors."""

    def make(task_noise: float = 0.001, seeds: int = 3, **effects: float) -> pd.DataFrame:
        table = optimizer_tables(noise=task_noise, seeds=seeds, slope=0.0, effects=effects)[0]
        pairs = zip(table["config.method.optimizer"], table["config.method.lr"], strict=True)
        table = table[[lr == IMAGENET32[optimizer] for optimizer, lr in pairs]]
        return table.rename(columns={"final_test_accuracy": "best_test_accuracy"}).assign(final_test_accuracy=0.1)

    return make


def judge(trials: pd.DataFrame, task: str = "imagenet32/resnet56") -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(trials, task)}


@pytest.mark.parametrize(("effect", "verdict"), [(-0.01, "holds"), (0.01, "does not hold"), (0.0, "undecided")])
def test_the_lowest_errors_of_sgdl_and_sgdm_are_compared(trials: Callable, effect: float, verdict: str) -> None:
    found = judge(trials(SGDL=effect))["P2-18"]
    assert (found.verdict, found.n) == (verdict, {"seeds": 3})
    assert found.statistics["SGDL - SGDM"][0] == pytest.approx(effect, abs=0.002)
    assert found.note == "printed: about 0.5%"


@pytest.mark.parametrize(("effect", "verdict"), [(0.0, "holds"), (0.03, "does not hold")])
def test_plain_sgd_may_be_as_good_as_sgdm(trials: Callable, effect: float, verdict: str) -> None:
    assert judge(trials(SGD=effect))["P2-18b"].verdict == verdict


@pytest.mark.parametrize(("adadelta", "verdict"), [(0.02, "holds"), (-0.02, "does not hold")])
def test_both_adaptive_methods_must_be_worse(trials: Callable, adadelta: float, verdict: str) -> None:
    found = judge(trials(Adam=0.02, AdaDelta=adadelta))["P2-18c"]
    assert (found.verdict, found.n["comparisons"]) == (verdict, 2)


def test_another_task_is_said_to_stand_for_imagenet32(trials: Callable) -> None:
    found = judge(trials(), "cifar10/resnet20")
    assert found["P2-18"].note == "in small: cifar10/resnet20; printed: about 0.5%"
    assert found["P2-18b"].note == "in small: cifar10/resnet20"


@pytest.mark.parametrize("spoil", ["one seed", "no SGDM", "none completed"])
def test_too_little_is_undecided_with_a_reason(trials: Callable, spoil: str) -> None:
    table = trials(seeds=1 if spoil == "one seed" else 3)
    table = table[table["config.method.optimizer"] != "SGDM"] if spoil == "no SGDM" else table
    table = table.assign(status="running", best_test_accuracy=np.nan) if spoil == "none completed" else table
    found = judge(table)["P2-18"]
    assert found.verdict == "undecided"
    assert "seeds completed with both methods" in found.note


def test_divergence_of_sgdl_alone_speaks_against_it(trials: Callable) -> None:
    table = trials(seeds=4)
    lost = table["config.method.optimizer"] == "SGDL"
    table.loc[lost, "status"] = "diverged"
    found = judge(table)["P2-18"]
    assert (found.verdict, found.test) == ("does not hold", "Fisher's exact test")


def test_errors_are_told_in_words(trials: Callable) -> None:
    lines = error_lines(trials(task_noise=0.0, SGDL=-0.05))
    assert lines[2] == "SGDL: 27.00 % (n 3)"
    assert len(lines) == 5
