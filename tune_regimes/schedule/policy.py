"""Policies: what a trial follows, epoch by epoch. A fixed schedule is a policy that ignores observations."""

import abc
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tune_regimes.schedule.checks import check_choice, decode_json
from tune_regimes.schedule.settings import Settings

if TYPE_CHECKING:
    from tune_regimes.schedule.schedule import Schedule

KIND = "policy"
"""The field of a policy's JSON object that names its kind; the object of a `Schedule` has none."""


class Policy(abc.ABC):
    """Decides the settings of each epoch from what was observed in the epochs before.

    A policy is a frozen value, and its state is one too: `start` gives the first state, `observe` the next, so that a
    state is restored exactly by observing the stored records again. Nothing but the records may enter a decision:
    then equal records mean equal settings, and trials share all epochs up to the first at which they were told
    differently.
    """

    @property
    def adaptive(self) -> bool:
        """Whether observations change the settings."""
        return True

    @property
    def averages_until(self) -> int:
        """Epochs, from the first on, in which the policy may use the running average of the weights."""
        return 0

    @property
    @abc.abstractmethod
    def epochs(self) -> int:
        """Epochs of the whole training, at most."""

    @property
    @abc.abstractmethod
    def last_phase(self) -> int | None:
        """Index of the last phase from 0; None where it depends on observations."""

    @abc.abstractmethod
    def start(self) -> Any:
        """The state before the first epoch."""

    @abc.abstractmethod
    def settings(self, state: Any, steps_per_epoch: int) -> Settings:
        """What the next epoch is told.

        Args:
            state: The state before that epoch.
            steps_per_epoch: Batches of an epoch; each is a step unless `batches_per_step` says otherwise.
        """

    @abc.abstractmethod
    def phase_of(self, state: Any) -> tuple[int, int]:
        """Index of the next epoch's phase, and the epoch within it, both from 0."""

    @abc.abstractmethod
    def observe(self, state: Any, record: Mapping[str, float]) -> Any:
        """The state after an epoch.

        Args:
            state: The state before the epoch.
            record: What was measured, as `Trajectory.advance` returns it.
        """

    @abc.abstractmethod
    def forecast(self) -> "Schedule":
        """The schedule that is followed if no observation changes anything: what a plan can know beforehand."""

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The policy as a JSON object."""

    def to_json(self) -> str:
        """The policy as JSON text; `policy_from_json` gives an equal one back."""
        return json.dumps(self.to_dict(), allow_nan=False)


def policy_from_json(text: str) -> Policy:
    """The schedule or adaptive policy that JSON text describes.

    Raises:
        ScheduleError: The text is not JSON, or describes neither.

    Examples:
        >>> from tune_regimes.schedule import Phase, Plateau, Schedule
        >>> policy = Plateau(Phase(lr=0.1, epochs=20), patience=2)
        >>> policy_from_json(policy.to_json()) == policy
        True
        >>> type(policy_from_json(policy.forecast().to_json())).__name__
        'Schedule'
    """
    return policy_from_dict(decode_json(text))


def policy_from_dict(received: object) -> Policy:
    """The schedule or adaptive policy that a JSON object describes.

    Raises:
        ScheduleError: It describes neither.
    """
    from tune_regimes.schedule import autodrop, averaged, equilibrium, fork, plateau, saturation, velocity_model
    from tune_regimes.schedule.schedule import Schedule

    if not isinstance(received, dict) or KIND not in received:
        return Schedule.from_dict(received)
    kinds: dict[str, Any] = {
        kind.kind: kind
        for kind in (
            plateau.Plateau,
            autodrop.AutoDrop,
            velocity_model.VelocityModelDrop,
            saturation.SaturationDrop,
            equilibrium.Equilibrium,
            averaged.Averaged,
            fork.Fork,
        )
    }
    check_choice("policy", received[KIND], kinds)
    policy: Policy = kinds[received[KIND]].from_dict(received)
    return policy


def told(
    policy: Policy, records: Iterable[Mapping[str, float]], steps_per_epoch: int
) -> Iterator[tuple[Settings, Any]]:
    """What each epoch is told, and the policy's state before it: as far as that is known.

    Args:
        policy: What is followed.
        records: What its first epochs measured, in order; a policy that ignores observations needs none.
        steps_per_epoch: Batches of an epoch; each is a step unless `batches_per_step` says otherwise.

    Examples:
        >>> from tune_regimes.schedule import Phase, Plateau
        >>> policy = Plateau(Phase(lr=0.2, epochs=9), patience=0, factor=0.5)
        >>> [settings.lr for settings, _ in told(policy, [{"train_loss": 1.0}, {"train_loss": 1.0}], 5)]
        [0.2, 0.2, 0.1]
    """
    state, measured = policy.start(), iter(records)
    for epoch in range(policy.epochs):
        yield policy.settings(state, steps_per_epoch), state
        record = next(measured, None)
        if record is None and policy.adaptive:
            return
        if epoch + 1 < policy.epochs:
            state = policy.observe(state, record or {})
