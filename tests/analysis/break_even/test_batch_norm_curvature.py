from collections.abc import Callable

import numpy as np
import pytest

from analysis.break_even.batch_norm_curvature import batch_claims, claims, first_scale, together
from analysis.break_even.curvature_runs import HESSIAN, LARGEST, RATIO, SCALE, SPAN
from analysis.verdicts import Verdict

LRS = [{"lr": lr} for lr in (1.0, 0.1, 0.01)]
TASK = {"options": {"width": 0.25}}
SHRINKING = {SCALE: lambda config, times: (5.0 if config["lr"] >= 0.1 else 6.0) + 0.01 * times}
FALLING = {LARGEST: -1.0, RATIO: 0.3, HESSIAN: -1.0, SPAN: 0.2}


def judge(verdicts: tuple) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in verdicts}


def normalised(curved: Callable, **options: object) -> tuple:
    """Tables in which lambda_K^1 is largest at the first look, but at the smallest learning rate."""
    given = {"powers": FALLING, "extra": SHRINKING, "top": lambda config: 18.0 if config["lr"] == 0.01 else 1.0}
    return curved(LRS, **(given | options))


def test_every_part_holds_where_the_paper_is_right(curved: Callable) -> None:
    plain = curved(LRS, stuck=lambda config: config["lr"] == 1.0)
    verdicts = judge(claims(*normalised(curved), TASK, plain))
    assert set(verdicts) == {"P3-14", *(f"P3-14{letter}" for letter in "bcdef"), "P3-15", "P3-15b"}
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == dict.fromkeys(verdicts, "holds")


def test_the_contrary_does_not_hold(curved: Callable) -> None:
    grows = {SCALE: lambda config, times: 6.0 + 0.1 * times}
    own = normalised(
        curved, powers={name: -power for name, power in FALLING.items()}, extra=grows, top=lambda config: 18.0
    )
    verdicts = judge(claims(*own, TASK, curved(LRS)))
    assert {claim for claim, verdict in verdicts.items() if verdict.verdict == "does not hold"} == set(verdicts)


def test_without_the_other_study_what_needs_it_is_undecided(curved: Callable) -> None:
    verdicts = judge(claims(*normalised(curved), TASK, None))
    assert {claim for claim, verdict in verdicts.items() if verdict.verdict == "undecided"} == {"P3-14f", "P3-15"}
    assert "no_batch_norm by --with" in verdicts["P3-15"].note


def test_nothing_that_learned_is_undecided(curved: Callable) -> None:
    own = normalised(curved, diverged=lambda config: True)
    verdicts = judge(claims(*own, TASK, None))
    assert {verdict.verdict for verdict in verdicts.values()} == {"undecided"}
    assert all(verdict.note for verdict in verdicts.values())


def test_the_scale_starts_at_the_root_of_its_length() -> None:
    assert first_scale({"options": {}}) == pytest.approx(np.sqrt(128))
    assert first_scale(TASK) == pytest.approx(np.sqrt(32))


def of_batches(curved: Callable, at_10: float = 0.3, **options: object) -> list[tuple]:
    """Studies of one batch size each; what acts as the learning rate is given by an lr that falls with it."""
    tables = []
    for size in (10, 32, 100, 320):
        trials, epochs = curved([{"lr": 1.0 / size}], **options)
        if size == 10:
            epochs[[RATIO, SPAN]] *= at_10
        tables.append((size, trials.assign(**{"config.lr": 0.05}), epochs))
    return tables


def test_batch_sizes_are_judged_as_one_study_with_its_exception(curved: Callable) -> None:
    both = together(of_batches(curved))
    assert both[0]["trial_id"].is_unique
    verdicts = judge(batch_claims(*both))
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == dict.fromkeys(verdicts, "holds")
    assert verdicts["P3-26"].n == {"runs": 12, "values": 4, "seeds": 3}
    assert verdicts["P3-26b"].n == {"runs": 9, "values": 3, "seeds": 3}, "the exception is not a run without learning"
    contrary = of_batches(curved, at_10=1.0, powers={LARGEST: 1.0, RATIO: -0.5, SPAN: 0.5})
    epochs_at_10 = contrary[0][2]
    epochs_at_10[[RATIO, SPAN]] *= 3.0
    verdicts = judge(batch_claims(*together(contrary)))
    assert {verdict.verdict for verdict in verdicts.values()} == {"does not hold"}


def test_one_batch_size_alone_is_undecided(curved: Callable) -> None:
    verdicts = judge(batch_claims(*together(of_batches(curved)[:1])))
    assert {verdict.verdict for verdict in verdicts.values()} == {"undecided"}
    assert all("--with" in verdict.note for verdict in verdicts.values())
