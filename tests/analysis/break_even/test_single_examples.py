from collections.abc import Callable

import numpy as np
import pytest

from analysis.break_even.curvature_runs import LARGEST
from analysis.break_even.single_examples import claims, paired

LRS = [{"lr": lr} for lr in (0.1, 0.01)]


def pairs_of(curved: Callable, size: int = 20, power: float = 1.0, noise: float = 0.05):
    rng = np.random.default_rng(6)
    trials, epochs = curved(LRS)
    single = epochs.assign(**{LARGEST: size * epochs[LARGEST] ** power * np.exp(noise * rng.normal(size=len(epochs)))})
    return paired((trials, single), (trials, epochs))


def test_looks_of_both_studies_pair_up_by_run_and_epoch(curved: Callable) -> None:
    trials, epochs = curved(LRS, seeds=2)
    pairs = paired((trials, epochs[epochs["epoch"] <= 7]), (trials, epochs))
    assert len(pairs) == 2 * 2 * 7
    assert (pairs["single"] == pairs["batches"]).all()


def test_both_parts_hold_for_a_noisy_proportion(curved: Callable) -> None:
    verdicts = claims(pairs_of(curved), 20)
    assert [verdict.verdict for verdict in verdicts] == ["holds", "holds"]
    assert verdicts[1].statistics["M lambda_K^M / lambda_K at 0.1"][0] == pytest.approx(1.0, abs=0.1)


def test_a_weak_correlation_and_another_proportion_do_not_hold(curved: Callable) -> None:
    rng = np.random.default_rng(8)
    pairs = pairs_of(curved).assign(single=lambda table: rng.permutation(table["single"].to_numpy()))
    correlated, _ = claims(pairs, 20)
    assert correlated.verdict == "does not hold"
    assert claims(pairs_of(curved), 100)[1].verdict == "does not hold"


def test_one_study_alone_is_undecided_and_says_what_to_add(curved: Callable) -> None:
    trials, epochs = curved(LRS)
    verdicts = claims(paired((trials, epochs), (trials.iloc[:0], epochs.iloc[:0])), 20)
    assert [verdict.verdict for verdict in verdicts] == ["undecided", "undecided"]
    assert all("--with" in verdict.note for verdict in verdicts)
