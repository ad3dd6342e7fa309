"""Going on from an epoch of a schedule with another tail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count, check_fields
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.policy import KIND, Policy, policy_from_dict
from tune_regimes.schedule.schedule import Schedule, entered
from tune_regimes.schedule.settings import Settings


def forked(policy: Policy, at: int, tail: Sequence[Phase]) -> Policy:
    """The policy that does what another does for its first epochs, and then follows a tail.

    The first ``at`` epochs are told exactly what they were told before, ramps included, so they have the same keys.

    Args:
        policy: What is forked.
        at: Epochs that stay as they are.
        tail: The phases that follow, each with its length.

    Returns:
        A `Schedule` where the policy is one, else a `Fork`.

    Raises:
        ScheduleError: The policy has fewer epochs, none is to stay, or the tail has none.

    Examples:
        >>> from tune_regimes.schedule import Ramp
        >>> ramped = Schedule((Phase(lr=Ramp("linear", 0.4, 0.0, per="epoch"), epochs=4),))
        >>> schedule = forked(ramped, 2, [Phase(lr=1, epochs=1)])
        >>> [schedule.settings(epoch, steps_per_epoch=5).lr for epoch in range(3)]
        [0.4, 0.3, 1.0]
    """
    check_count("the epoch of a fork", at, high=policy.epochs, remedy="Fork after one of the epochs of the schedule.")
    follows = Schedule(tuple(tail))
    if isinstance(policy, Fork):
        kept = policy.tail.first(at - policy.at).phases if at > policy.at else ()
        return Fork(policy.head, min(at, policy.at), Schedule((*kept, *follows.phases)))
    if isinstance(policy, Schedule):
        return Schedule((*policy.first(at).phases, *follows.phases))
    return Fork(policy, at, follows)


@dataclass(frozen=True)
class ForkState:
    """Where a `Fork` stands before an epoch.

    Args:
        epoch: Epochs completed.
        head: State of the head, which is observed to its end and not beyond.
        before: State of the head before its latest epoch; None before the first.
    """

    epoch: int
    head: Any
    before: Any = None


@dataclass(frozen=True)
class Fork(Policy):
    """A policy that observes for some epochs, followed by a fixed tail; `forked` makes it.

    Args:
        head: What the first epochs follow, no `Fork` itself.
        at: How many epochs that are.
        tail: What the others follow; its first phase begins a phase, under its own momentum rule.

    Raises:
        ScheduleError: The head has fewer epochs.
    """

    kind: ClassVar[str] = "fork"

    head: Policy
    at: int
    tail: Schedule

    def __post_init__(self) -> None:
        check_count("at", self.at, high=self.head.epochs, remedy="Fork after one of the epochs of the head.")

    @property
    def epochs(self) -> int:
        """Epochs of head and tail."""
        return self.at + self.tail.epochs

    @property
    def last_phase(self) -> int | None:
        """None: how many phases the head has depends on observations."""
        return None

    @property
    def averages_until(self) -> int:
        """As long as the head may average."""
        return min(self.at, self.head.averages_until)

    def start(self) -> ForkState:
        """The state before the first epoch."""
        return ForkState(0, self.head.start())

    def settings(self, state: ForkState, steps_per_epoch: int) -> Settings:
        """What the head says, then what the tail says."""
        if state.epoch < self.at:
            return self.head.settings(state.head, steps_per_epoch)
        if state.epoch > self.at:
            return self.tail.settings(state.epoch - self.at, steps_per_epoch)
        return entered(self.tail.phases[0], self.head.settings(state.before, steps_per_epoch), steps_per_epoch)

    def phase_of(self, state: ForkState) -> tuple[int, int]:
        """The phase of the head; those of the tail are counted on from there."""
        if state.epoch < self.at:
            return self.head.phase_of(state.head)
        index, epoch = self.tail.phase_of(state.epoch - self.at)
        return self.head.phase_of(state.before)[0] + 1 + index, epoch

    def observe(self, state: ForkState, record: Mapping[str, float]) -> ForkState:
        """The state after an epoch; the tail observes nothing."""
        if state.epoch >= self.at:
            return replace(state, epoch=state.epoch + 1)
        return ForkState(state.epoch + 1, self.head.observe(state.head, record), state.head)

    def forecast(self) -> Schedule:
        """What is followed if no observation changes the head."""
        return Schedule((*self.head.forecast().first(self.at).phases, *self.tail.phases))

    def to_dict(self) -> dict[str, Any]:
        """The policy as a JSON object."""
        return {KIND: self.kind, "head": self.head.to_dict(), "at": self.at, "tail": self.tail.to_dict()}

    @classmethod
    def from_dict(cls, received: object) -> "Fork":
        """The policy that a JSON object describes.

        Raises:
            ScheduleError: The object does not describe a fork.
        """
        names = ("head", "at", "tail")
        known = check_fields("a fork", received, known=[KIND, *names], required=names)
        head = policy_from_dict(known["head"])
        if isinstance(head, Fork):
            raise ScheduleError(f"the head of a fork must be no fork: received {known['head']!r}. Make it by forked().")
        return cls(head, known["at"], Schedule.from_dict(known["tail"]))
