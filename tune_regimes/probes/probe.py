"""What a probe is: options and columns, and one measurement of a training between two steps.

A probe is stateless, so that a training can be resumed or branch off anywhere: what it measures depends on the moment
that it looks at, on its own options, and on random numbers that come from the seed, the epoch, the step and the probe's
name alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from tune_regimes.errors import UsageError
from tune_regimes.training.moment import Moment


@dataclass(frozen=True)
class When:
    """When a probe looks.

    Args:
        every: After the first epoch and every so many epochs from there on.
        at: After these epochs, from 1, in place of `every`.
        steps: In the epochs in which it looks, also after every so many steps.

    Raises:
        UsageError: A number below 1.

    Examples:
        >>> [epoch for epoch in range(1, 9) if When(every=3).after_epoch(epoch)]
        [1, 4, 7]
        >>> [epoch for epoch in range(1, 9) if When(at=(2, 8)).after_epoch(epoch)]
        [2, 8]
        >>> [step for step in range(1, 11) if When(at=(2,), steps=4).after_step(2, step)]
        [4, 8]
    """

    every: int = 1
    at: tuple[int, ...] = ()
    steps: int | None = None

    def __post_init__(self) -> None:
        """Refuse what names no epoch or step."""
        given = {"every": (self.every,), "at": self.at, "steps": () if self.steps is None else (self.steps,)}
        for name, numbers in given.items():
            if any(not isinstance(number, int) or number < 1 for number in numbers):
                raise UsageError(
                    f"{name} of a probe must be whole numbers from 1, got {getattr(self, name)!r}; epochs count from 1"
                )

    def after_epoch(self, epoch: int) -> bool:
        """Whether it looks after an epoch, from 1."""
        return epoch in self.at if self.at else (epoch - 1) % self.every == 0

    def after_step(self, epoch: int, step: int) -> bool:
        """Whether it looks after a step, from 1, of an epoch in progress."""
        return self.steps is not None and step % self.steps == 0 and self.after_epoch(epoch)


@dataclass(frozen=True)
class ProbeColumn:
    """A column that a probe writes: ``unit`` is "" where there is none."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Measured:
    """What one look gave.

    Args:
        values: A number for each column; NaN where there is none.
        spectra: Lists of numbers by name.
    """

    values: Mapping[str, float]
    spectra: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe(ABC):
    """A way to look at a training; its options are its fields.

    To add one, subclass it as a frozen dataclass, and enter it in `tune_regimes.probes.registry`, or pass it to a
    `Study` as it is.

    Args:
        when: When it looks.

    Attributes:
        name: What it is called in a study's specification and on the command line.
    """

    name: ClassVar[str]
    when: When = When()

    def ahead(self, epochs: int) -> Sequence[int]:
        """After which epochs of a schedule of so many it needs the weights beforehand, as `Moment.ahead`.

        Where it needs any, the training is made twice, and shares its states with no other schedule.
        """
        del epochs
        return ()

    @abstractmethod
    def columns(self) -> tuple[ProbeColumn, ...]:
        """The columns that it always writes."""

    @abstractmethod
    def measure(self, moment: Moment) -> Measured:
        """Look once. The caller puts back whatever this changes in the model, and seeds torch's global generators."""

    def to_dict(self) -> dict[str, Any]:
        """Name and options as JSON values; ``from_dict`` of the registry gives the probe back."""
        options = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "when"}
        when = {"every": self.when.every, "at": list(self.when.at), "steps": self.when.steps}
        return {"probe": self.name, **when, **options}
