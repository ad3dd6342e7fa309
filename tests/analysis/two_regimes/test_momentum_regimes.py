import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.two_regimes.momentum_regimes import (
    ALIGNMENT,
    SCALE,
    claims,
    epochs_to,
    momentum_lines,
    scales,
    speed_lines,
)
from analysis.two_regimes.regime_courses import final_losses, rising_shares
from analysis.verdicts import Verdict

MOMENTA = (0.0, 0.5, 0.9)


def judge(tables: tuple, threshold: float = 0.03) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables, threshold)}


def final(large: tuple[float, ...], small: tuple[float, ...]) -> dict[tuple[str, float], float]:
    pairs = {"large": large, "small": small}
    return {(regime, mu): value for regime in pairs for mu, value in zip(MOMENTA, pairs[regime], strict=True)}


def test_every_claim_holds_where_the_regimes_are_as_printed(regime_tables: Callable) -> None:
    verdicts = judge(regime_tables())
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == dict.fromkeys(verdicts, "holds")
    assert list(verdicts) == [
        "P0-03",
        "P0-03b",
        "P0-04",
        "P0-04b",
        "P0-04c",
        "P0-05",
        "P0-10",
        "P0-10b",
        "P0-10c",
    ]


def test_no_claim_holds_where_the_regimes_are_the_other_way_round(regime_tables: Callable) -> None:
    tables = regime_tables(
        losses=final((0.1, 0.03, 0.001), (0.02, 0.2, 0.3)),
        swing={"small": 1.0},
        alignment={"large": 0.5, "small": 0.0},
        scale={"large": 6, "small": 2},
    )
    verdicts = judge(tables)
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == dict.fromkeys(verdicts, "does not hold")


def test_equal_regimes_are_undecided(regime_tables: Callable) -> None:
    tables = regime_tables(
        losses=dict.fromkeys(final(MOMENTA, MOMENTA), 0.02),
        swing={"large": 0.0, "small": 0.0},
        alignment={"large": 0.3, "small": 0.3},
        scale={"large": 3, "small": 3},
        noise=0.3,
        rng_seed=1,
    )
    verdicts = {claim: verdict.verdict for claim, verdict in judge(tables).items()}
    assert (verdicts.pop("P0-04c"), verdicts.pop("P0-10c")) == ("holds", "does not hold")
    assert set(verdicts.values()) == {"undecided"}


def test_a_larger_momentum_that_is_no_worse_than_the_middle_one_is_not_the_worst(regime_tables: Callable) -> None:
    verdict = judge(regime_tables(losses=final((0.02, 0.1, 0.05), (0.3, 0.1, 0.001))))["P0-03"]
    assert verdict.verdict == "does not hold"
    assert "0 - 0.9: holds; 0.5 - 0.9: does not hold" in verdict.note


def test_the_trend_is_pages_with_seeds_as_blocks(regime_tables: Callable) -> None:
    verdict = judge(regime_tables(noise=0.0))["P0-04"]
    # Of 6 orders of three momenta in each of 4 seeds, one is as decreasing as can be.
    assert verdict.p_values["falls"] == pytest.approx(6**-4)
    assert verdict.statistics == pytest.approx({"loss at 0": 0.3, "loss at 0.5": 0.1, "loss at 0.9": 0.001})


def test_shares_of_rising_epochs_are_counted_between_epochs(regime_tables: Callable) -> None:
    shares = rising_shares(*regime_tables(noise=0.0, swing={"large": 1.0, "small": 0.0}))
    assert (shares.loc["small"] == 0).all(axis=None)
    # Every other of the 19 differences, the last is above its way no more.
    assert (shares.loc["large"] == 9 / 19).all(axis=None)


def test_final_losses_are_those_of_the_last_epoch_and_infinite_where_a_run_diverged(regime_tables: Callable) -> None:
    losses = final_losses(*regime_tables(noise=0.0, diverged=(("large", 0.9, 1),)))
    assert losses.loc[("large", 0.9)].tolist() == pytest.approx([0.1, np.inf, 0.1, 0.1])
    assert losses.loc[("small", 0.5)].tolist() == pytest.approx([0.1] * 4)


def test_times_to_a_loss_are_epochs_and_infinite_where_it_is_not_reached(regime_tables: Callable) -> None:
    trials, epochs = regime_tables(noise=0.0, swing={}, diverged=(("small", 0.9, 2),))
    times = epochs_to(trials, epochs, 0.05)
    assert times.loc[("large", 0.9)].tolist() == [np.inf] * 4
    curve = epochs[epochs["trial_id"] == trials["trial_id"].iloc[-1]].set_index("epoch")["train_loss"]
    first = float(curve.index[curve <= 0.05][0])
    assert times.loc[("small", 0.9)].tolist() == [first, first, np.inf, first]


def test_the_speed_is_the_ratio_of_epochs_at_the_fastest_momentum(regime_tables: Callable) -> None:
    tables = regime_tables(noise=0.0, swing={})
    times = epochs_to(*tables, 0.03)
    fastest = times.groupby("regime").min()[0]
    verdict = judge(tables)["P0-05"]
    assert verdict.statistics["epochs in A / in B"] == pytest.approx((fastest["large"] / fastest["small"],) * 3)
    assert verdict.statistics["as printed"] == 2.0


def test_a_regime_that_never_reaches_the_loss_is_later(regime_tables: Callable) -> None:
    verdict = judge(regime_tables(), threshold=0.005)["P0-05"]
    assert verdict.verdict == "holds"
    assert verdict.n == {"seeds": 4, "reached in A": 0, "reached in B": 4}
    assert verdict.note == "a regime that never reaches it counts as one epoch late"


def test_a_loss_that_neither_regime_reaches_is_undecided(regime_tables: Callable) -> None:
    verdict = judge(regime_tables(), threshold=1e-9)["P0-05"]
    assert (verdict.verdict, verdict.note) == ("undecided", "0 seeds reach it in either regime, at least 2 are needed")


def test_the_speed_is_told_at_other_losses_too(regime_tables: Callable) -> None:
    lines = speed_lines(*regime_tables(), 0.1)
    assert [line.split(":")[0] for line in lines] == ["loss 1", "loss 0.3", "loss 0.1", "loss 0.05", "loss 0.02"]
    assert all("epochs in A / in B" in line and "seeds 4" in line for line in lines)


def test_runs_that_diverge_are_worse(regime_tables: Callable) -> None:
    every = tuple(("large", 0.9, seed) for seed in range(5))
    verdicts = judge(regime_tables(diverged=every, seeds=5))
    assert verdicts["P0-03"].verdict == "holds"
    assert "diverged" in verdicts["P0-03"].note
    assert verdicts["P0-10"].verdict == "undecided"


def test_one_epoch_with_next_to_no_gradient_does_not_make_the_scale(regime_tables: Callable) -> None:
    trials, epochs = regime_tables(noise=0.0)
    before = scales(trials, epochs)
    epochs.loc[0, SCALE] *= 1000
    after = scales(trials, epochs)
    assert after.loc[("large", 0.0), 0] == pytest.approx(1000 ** (1 / 20) * before.loc[("large", 0.0), 0])


def test_alignment_and_scale_are_told_beside_their_limits(regime_tables: Callable) -> None:
    lines = momentum_lines(*regime_tables())
    words = (
        r"alignment 0\.\d{3}, scale \d\.\d{3}; 10 if successive gradients were equal, 2.29 if they were uncorrelated"
    )
    assert len(lines) == 6
    assert re.fullmatch(f"regime B, momentum 0.9: {words}", lines[-1])


def test_a_study_without_the_probe_says_so(regime_tables: Callable) -> None:
    trials, epochs = regime_tables()
    bare = epochs.drop(columns=[ALIGNMENT, SCALE])
    assert {judge((trials, bare))[claim].verdict for claim in ("P0-10", "P0-10b", "P0-10c")} == {"undecided"}
    assert judge((trials, bare))["P0-04"].verdict == "holds"
    assert momentum_lines(trials, bare) == ["the momentum probe did not look"]


ALONE = {"large": {"P0-03", "P0-10c"}, "small": {"P0-04", "P0-04c"}}
"""Claims that one regime decides."""


@pytest.mark.parametrize("regime", ALONE)
def test_one_regime_alone_decides_what_is_about_it(regime_tables: Callable, regime: str) -> None:
    trials, epochs = regime_tables()
    verdicts = judge((trials[trials["config.regime"] == regime], epochs))
    assert {claim for claim, verdict in verdicts.items() if verdict.verdict == "holds"} == ALONE[regime]
    assert all(verdict.note for verdict in verdicts.values() if verdict.verdict == "undecided")


@pytest.mark.parametrize("spoil", ["one seed", "none completed"])
def test_too_little_is_undecided_with_a_reason(regime_tables: Callable, spoil: str) -> None:
    trials, epochs = regime_tables(seeds=1 if spoil == "one seed" else 4)
    if spoil == "none completed":
        trials = trials.assign(status="running", final_test_accuracy=np.nan)
    verdicts = judge((trials, epochs)).values()
    assert {verdict.verdict for verdict in verdicts} == {"undecided"}
    assert all(verdict.note for verdict in verdicts)


def test_tables_have_every_arm_and_seed(regime_tables: Callable) -> None:
    losses = final_losses(*regime_tables(seeds=3))
    assert losses.shape == (6, 3)
    assert isinstance(losses.index, pd.MultiIndex)
