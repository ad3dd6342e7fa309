"""A policy followed epoch by epoch: what comes next, in which phase, and under which key."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from tune_regimes.schedule import Policy, Settings
from tune_regimes.sharing.fingerprint import next_key


class Course:
    """Where a training stands in its policy. Immutable: `after` gives the next.

    The key chain is that of the settings as they were applied, so two policies share all epochs that they were told
    alike, however they came to it.

    Args:
        policy: What is followed.
        key: Key before the next epoch.
        steps_per_epoch: Batches of an epoch; each is a step unless `batches_per_step` says otherwise.
        state: State of the policy before the next epoch; None for its first.
        epoch: Epochs completed.

    Examples:
        >>> from tune_regimes.schedule import Phase, Plateau
        >>> one = Course(Plateau(Phase(lr=0.1, epochs=9), patience=0, factor=0.1), "root", 10)
        >>> other = Course(Plateau(Phase(lr=0.1, epochs=9), patience=0, factor=0.5), "root", 10)
        >>> for loss in (1.0, 1.0):
        ...     print(one.next_key == other.next_key)
        ...     one, other = one.after({"train_loss": loss}), other.after({"train_loss": loss})
        True
        True
        >>> one.next_key == other.next_key
        False
    """

    def __init__(self, policy: Policy, key: str, steps_per_epoch: int, state: Any = None, epoch: int = 0) -> None:
        self.policy, self.key, self.steps_per_epoch, self.epoch = policy, key, steps_per_epoch, epoch
        self._state = policy.start() if state is None else state

    @cached_property
    def settings(self) -> Settings:
        """What the next epoch is told."""
        return self.policy.settings(self._state, self.steps_per_epoch)

    @cached_property
    def next_key(self) -> str:
        """The key after the next epoch."""
        return next_key(self.key, self.settings)

    @property
    def phase(self) -> tuple[int, int]:
        """Index of the next epoch's phase, and the epoch within it, both from 0."""
        return self.policy.phase_of(self._state)

    @property
    def over(self) -> bool:
        """Whether all epochs are completed."""
        return self.epoch == self.policy.epochs

    def after(self, record: Mapping[str, float]) -> "Course":
        """The course after an epoch in which that was measured."""
        state = self.policy.observe(self._state, record)
        return Course(self.policy, self.next_key, self.steps_per_epoch, state, self.epoch + 1)


def has_diverged(record: Mapping[str, float]) -> bool:
    """Whether a trajectory ended with the epoch of which this is the record: there is no way on from there."""
    return not math.isfinite(record["test_loss"])
