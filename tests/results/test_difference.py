"""Two trials side by side: fixed schedules are known whole, adaptive ones as far as they were followed."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from tune_regimes.errors import StudyError
from tune_regimes.results import difference, write_epochs, write_trial
from tune_regimes.schedule import Averaged, Phase, Plateau, Policy, Ramp, Schedule
from tune_regimes.storage import Storage

Write = Callable[..., str]


@pytest.fixture
def write(storage: Storage) -> Write:
    """Writes a trial of a policy that measured these losses, and returns its id."""

    def write_one(point: int, policy: Policy, losses: list[float], *, seed: int = 0, status: str = "completed") -> str:
        trial_id = f"{point:05d}-s{seed}"
        rows: list[dict[str, Any]] = [
            {"epoch": number, "phase": 1, "train_loss": loss, "test_loss": loss if math.isfinite(loss) else None}
            for number, loss in enumerate(losses, start=1)
        ]
        write_epochs(storage, trial_id, rows)
        row = {"study": "demo", "trial_id": trial_id, "point": point, "seed": seed, "status": status, "config": "{}"}
        write_trial(storage, {**row, "schedule": policy.to_json(), "epochs": len(losses)})
        return trial_id

    return write_one


def at(transition: int, **small: Any) -> Schedule:
    return Schedule((Phase(lr=0.1, epochs=transition), Phase(**({"lr": 0.01, "epochs": 6 - transition} | small))))


LOSSES = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]


def test_two_schedules_part_at_the_first_epoch_that_they_were_told_differently(storage: Storage, write: Write) -> None:
    one, other = write(0, at(2), LOSSES), write(1, at(4), [*LOSSES[:2], 0.3, 0.2, 0.1, 0.0])
    found = difference(storage, one, other)
    assert (found.alike, found.shared, found.equal) == (2, 2, 2)
    assert found.parting is not None
    assert (found.parting.epoch, found.parting.places) == (3, ((2, 1), (1, 3)))
    assert found.parting.settings == {"lr": (0.01, 0.1)}


def test_settings_that_only_one_has_are_named(storage: Storage, write: Write) -> None:
    one, other = write(0, at(2), LOSSES), write(1, at(2, optimizer="adam"), LOSSES)
    parting = difference(storage, one, other).parting
    assert parting is not None
    assert parting.settings["optimizer"] == ("sgd", "adam")
    assert parting.settings["beta2"] == (None, 0.999)


def test_schedules_that_differ_within_an_epoch_part_there(storage: Storage, write: Write) -> None:
    one, other = (write(point, at(2, lr=Ramp("linear", 0.05, end)), LOSSES) for point, end in enumerate((0.0, 0.01)))
    parting = difference(storage, one, other).parting
    assert parting is not None
    assert (parting.epoch, parting.settings) == (3, {})


@pytest.mark.parametrize("groups", [(1, 2), (10, 40), (100, 10**6)])
def test_numbers_of_batches_in_a_step_are_told_apart(storage: Storage, write: Write, groups: tuple[int, int]) -> None:
    one, other = (write(point, at(2, batches_per_step=group), LOSSES) for point, group in enumerate(groups))
    parting = difference(storage, one, other).parting
    assert parting is not None
    assert parting.epoch == 3
    first = None if groups[0] == 1 else groups[0]
    assert parting.settings == {"batches_per_step": (first, min(groups[1], 10_000))}


def test_what_enters_an_average_is_told_apart_with_all_that_it_says(storage: Storage, write: Write) -> None:
    plain = at(2)
    policies = [plain, Averaged(plain, last=2), Averaged(plain, last=2, rule="linear")]
    trials = [write(point, policy, LOSSES) for point, policy in enumerate(policies)]
    from_plain = difference(storage, trials[0], trials[1]).parting
    from_other = difference(storage, trials[1], trials[2]).parting
    assert from_plain is not None
    assert from_other is not None
    assert (from_plain.epoch, from_plain.settings) == (6, {"average": (None, (0.0, 1.0))})
    assert (from_other.epoch, from_other.settings) == (7, {"average": ((1.0, 1.0), (1.0, 2.0))})


def test_other_seeds_share_nothing(storage: Storage, write: Write) -> None:
    found = difference(storage, write(0, at(2), LOSSES), write(0, at(2), [2.0] * 6, seed=1))
    assert (found.parting, found.alike, found.shared, found.same_seed, found.equal) == (None, 6, 0, False, 0)


def test_a_pruned_trial_shares_what_it_went_through(storage: Storage, write: Write) -> None:
    found = difference(storage, write(0, at(4), LOSSES), write(1, at(4), LOSSES[:3], status="pruned"))
    assert (found.parting, found.alike, found.shared) == (None, 6, 3)


def test_a_schedule_that_ends_first_parts_there(storage: Storage, write: Write) -> None:
    found = difference(storage, write(0, at(2), LOSSES), write(1, at(2).first(4), LOSSES[:4]))
    assert found.parting is not None
    assert (found.parting.epoch, found.parting.places) == (5, ((2, 3), None))


def test_policies_part_where_they_were_told_differently_by_what_they_observed(storage: Storage, write: Write) -> None:
    losses = [1.0, 0.9, 0.9, 0.9]
    one, other = (
        write(p, Plateau(Phase(lr=0.1, epochs=4), patience=0, factor=f), losses) for p, f in ((0, 0.1), (1, 0.5))
    )
    found = difference(storage, one, other)
    assert found.parting is not None
    assert (found.parting.epoch, found.alike) == (4, 3)
    assert found.parting.settings["lr"] == (pytest.approx(0.01), 0.05)


def test_what_a_policy_would_have_been_told_is_not_guessed(storage: Storage, write: Write) -> None:
    policy = Plateau(Phase(lr=0.1, epochs=6), patience=9)
    found = difference(storage, write(0, policy, LOSSES), write(1, policy, LOSSES[:2], status="pruned"))
    assert (found.parting, found.alike, found.shared) == (None, 3, 2)


def test_the_epoch_in_which_a_policy_diverged_is_observed_by_nobody(storage: Storage, write: Write) -> None:
    policy = Plateau(Phase(lr=0.1, epochs=6), metric="test_loss")
    one = write(0, policy, [1.0, 0.9, math.nan], status="diverged")
    found = difference(storage, one, write(1, policy, [1.0, 0.9, math.nan], status="diverged"))
    assert (found.parting, found.alike, found.equal) == (None, 3, 3)


def test_a_trial_that_is_not_there_is_named(storage: Storage, write: Write) -> None:
    with pytest.raises(StudyError, match="got '00009-s0'; known: 00000-s0"):
        difference(storage, write(0, at(2), LOSSES), "00009-s0")
