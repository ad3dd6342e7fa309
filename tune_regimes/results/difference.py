"""Two trials side by side: where their schedules part, what they share, and how they ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_regimes.results.tables import observations, read_epoch_rows, read_trial
from tune_regimes.schedule import Policy, Settings, at_step, policy_from_json, told
from tune_regimes.schedule.settings import PER_STEP
from tune_regimes.sharing.tree import STEPS
from tune_regimes.storage import Storage

Row = Mapping[str, Any]
_MOST_STEPS = 10_000
"""Batches of an epoch beyond which all groups of batches are compared as the full batch."""

Place = tuple[int, int]
"""Number of a phase and of the epoch within it, both from 1."""


@dataclass(frozen=True)
class Parting:
    """The first epoch that two trials were told differently.

    Attributes:
        epoch: Its number, from 1.
        places: Phase and epoch within it, of each trial; None where its schedule has ended.
        settings: What differs, by name: the values at the first step of the epoch, None where a trial has none.
            Empty where they differ later in the epoch only.
    """

    epoch: int
    places: tuple[Place | None, Place | None]
    settings: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Difference:
    """Two trials side by side.

    Attributes:
        first: Row of the trials table of the one.
        second: Row of the other.
        parting: Where they part; None where nothing that is known parts them.
        alike: Epochs from the first on that both were told alike, as far as that is known.
        equal: Epochs from the first on in which both measured the same values.
    """

    first: Row
    second: Row
    parting: Parting | None
    alike: int
    equal: int

    @property
    def same_seed(self) -> bool:
        """Whether they have one seed; if not they share nothing, whatever they were told."""
        return bool(self.first["seed"] == self.second["seed"])

    @property
    def shared(self) -> int:
        """Epochs from the first on that are one training: told alike, under one seed, and gone through by both."""
        trained = min(self.first["epochs"] or 0, self.second["epochs"] or 0)
        return min(self.alike, trained) if self.same_seed else 0


def difference(storage: Storage, first: str, second: str) -> Difference:
    """Compare two trials of a study.

    What an adaptive policy is told is known as far as its trial has come; of a fixed schedule all is.

    Args:
        storage: The study's folder.
        first: The one trial.
        second: The other.

    Raises:
        StudyError: The study has no such trial.
    """
    trials = [read_trial(storage, trial_id) for trial_id in (first, second)]
    policies = [policy_from_json(trial["schedule"]) for trial in trials]
    steps = _steps(policies)
    sides = [_Side.read(storage, *known, steps) for known in zip(trials, policies, strict=True)]
    parting, alike = _parting(*sides)
    return Difference(sides[0].trial, sides[1].trial, parting, alike, _equal(sides[0].rows, sides[1].rows))


@dataclass(frozen=True)
class _Side:
    """One of the two: its row, its epochs, its policy, and what that says before each epoch."""

    trial: Row
    rows: Sequence[Row]
    policy: Policy
    path: Sequence[tuple[Settings, Any]]

    @classmethod
    def read(cls, storage: Storage, trial: Row, policy: Policy, steps: int) -> "_Side":
        rows = read_epoch_rows(storage, trial["trial_id"])
        observed = rows[:-1] if trial["status"] == "diverged" else rows
        return cls(trial, rows, policy, list(told(policy, observations(observed), steps)))

    def knows(self, epoch: int) -> bool:
        """Whether it is known what this epoch, from 0, is told, or that there is none."""
        return epoch < len(self.path) or len(self.path) == self.policy.epochs

    def settings(self, epoch: int) -> Settings | None:
        return self.path[epoch][0] if epoch < len(self.path) else None

    def place(self, epoch: int) -> Place | None:
        if epoch >= len(self.path):
            return None
        phase, epoch_in_phase = self.policy.phase_of(self.path[epoch][1])
        return phase + 1, epoch_in_phase + 1


def _steps(policies: Sequence[Policy]) -> int:
    """Batches of an epoch to compare by: their number is not known here, and a step can take as many as there are."""
    groups = [phase.batches_per_step for policy in policies for phase in policy.forecast().phases]
    return min(max(STEPS, *groups), _MOST_STEPS)


def _parting(one: _Side, other: _Side) -> tuple[Parting | None, int]:
    """Where they part, and how many epochs they were told alike before."""
    for epoch in range(max(len(one.path), len(other.path))):
        if not one.knows(epoch) or not other.knows(epoch):
            return None, epoch
        mine, theirs = one.settings(epoch), other.settings(epoch)
        if mine != theirs:
            return Parting(epoch + 1, (one.place(epoch), other.place(epoch)), _differing(mine, theirs)), epoch
    return None, len(one.path)


def _differing(mine: Settings | None, theirs: Settings | None) -> dict[str, tuple[Any, Any]]:
    left, right = _first_step(mine), _first_step(theirs)
    names = dict.fromkeys([*left, *right])
    pairs = {name: (left.get(name), right.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and not _is_off(pair)}


def _is_off(pair: tuple[Any, Any]) -> bool:
    """Whether one side has a switch that is off, which the other does not have."""
    return None in pair and any(value is False for value in pair)


def _first_step(settings: Settings | None) -> dict[str, Any]:
    values = {} if settings is None else {name: getattr(settings, name) for name in settings.to_dict()}
    return {name: at_step(value, 0) if name in PER_STEP else value for name, value in values.items()}


def _equal(mine: Sequence[Row], theirs: Sequence[Row]) -> int:
    measured = [name for name in (mine[0] if mine else {}) if name.startswith(("train_", "test_"))]
    for number, (left, right) in enumerate(zip(mine, theirs, strict=False)):
        # As text nan equals nan, which it is to be here.
        if any(repr(left[name]) != repr(right.get(name)) for name in measured):
            return number
    return min(len(mine), len(theirs))
