from collections.abc import Callable

import numpy as np
import pytest

from analysis.tables import seed_distance
from analysis.two_regimes.lr_momentum import (
    BASELINE,
    MATCHED_LR,
    best_curves_alike,
    linear_matches,
    matched_baseline,
    on_architectures,
    same_best_step_size,
    sound_sweeps,
    sweep_table,
)
from analysis.verdicts import Verdict


def judge(tables: tuple) -> dict[str, Verdict]:
    trials, epochs = tables
    table, curves, yardstick = sweep_table(trials, epochs), sound_sweeps(trials, epochs), seed_distance(trials, epochs)
    verdicts = (
        same_best_step_size(table),
        best_curves_alike(table, curves, yardstick),
        linear_matches(curves, yardstick),
        matched_baseline(curves, MATCHED_LR, BASELINE),
    )
    return {verdict.claim: verdict for verdict in verdicts}


def test_every_claim_holds_where_only_the_step_size_acts(sweep_tables: Callable) -> None:
    verdicts = judge(sweep_tables())
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == dict.fromkeys(verdicts, "holds")
    assert verdicts["P0-16"].statistics["match / lr at 0.9"][0] == pytest.approx(0.1, rel=0.15)


def test_the_claims_on_step_sizes_do_not_hold_where_momentum_does_not_act(sweep_tables: Callable) -> None:
    verdicts = judge(sweep_tables(power=0.0, momenta=(0.0, 0.9)))
    assert verdicts["P0-13"].verdict == "does not hold"
    assert verdicts["P0-16"].verdict == "does not hold"
    assert verdicts["P0-17"].verdict == "does not hold"


def test_curves_that_are_no_more_alike_than_others_do_not_hold(sweep_tables: Callable) -> None:
    trials, epochs = sweep_tables(momenta=(0.0, 0.9))
    best = trials.index[(trials["config.momentum"] == 0.9) & (trials["config.step_size"] < 1.3e-3)]
    trials.loc[best, "final_test_accuracy"] = 0.99
    assert judge((trials, epochs))["P0-14"].verdict == "does not hold"


def test_a_constant_that_differs_in_the_last_bit_does_not_hold(sweep_tables: Callable) -> None:
    verdict = matched_baseline(sound_sweeps(*sweep_tables()), np.nextafter(MATCHED_LR, 1.0))
    assert (verdict.verdict, verdict.note) == ("does not hold", "the preset differs")


def test_another_architecture_is_needed() -> None:
    holds = Verdict("P0-13", "", "holds", "")
    assert on_architectures({"digits/mlp": holds}).verdict == "undecided"
    assert on_architectures({"digits/mlp": holds, "digits/resnet20": holds}).verdict == "holds"


@pytest.mark.parametrize("points", [1, 3])
def test_too_few_points_are_undecided_with_a_reason(sweep_tables: Callable, points: int) -> None:
    for verdict in judge(sweep_tables(points=points, seeds=1)).values():
        assert verdict.verdict == "undecided"
        assert verdict.note


def test_all_diverged_is_undecided_with_a_reason(sweep_tables: Callable) -> None:
    trials, epochs = sweep_tables()
    for verdict in judge((trials.assign(status="diverged", final_test_accuracy=np.nan), epochs)).values():
        assert verdict.verdict == "undecided"
        assert verdict.note


def test_one_momentum_is_undecided_with_a_reason(sweep_tables: Callable) -> None:
    for verdict in judge(sweep_tables(momenta=(0.9,))).values():
        assert verdict.verdict == "undecided"
        assert verdict.note
