"""What is asked of a search for the regimes, checked."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tune_regimes.errors import StudyError
from tune_regimes.schedule import Phase, Schedule
from tune_regimes.search.bracketing import Bracketing
from tune_regimes.search.checks import check_count


@dataclass(frozen=True)
class LocateSettings:
    """What `tune_regimes.locate` takes beside the task: see there.

    Raises:
        StudyError: A value that cannot be used.
    """

    momenta: tuple[float, ...]
    epochs: int
    seeds: tuple[int, ...]
    warm_up: int
    weight_decay: float
    lowest: float
    highest: float
    resolution: float

    def __post_init__(self) -> None:
        momenta = [*self.momenta]
        if not momenta or len(set(momenta)) < len(momenta) or not all(0 <= momentum < 1 for momentum in momenta):
            raise StudyError(
                f"momenta must be distinct numbers in [0, 1), at least one; got {momenta}: at 1 the step size "
                "lr / (1 - momentum) is infinite"
            )
        if not isinstance(self.epochs, int) or isinstance(self.epochs, bool) or self.epochs < 2:
            raise StudyError(
                "epochs must be at least 2, so that there is a fall or a rise of the loss to see; got "
                f"{self.epochs!r}: give more"
            )
        if self.warm_up != 0:
            check_count("warm_up", self.warm_up)
        object.__setattr__(self, "momenta", tuple(sorted(momenta)))
        self.bracketing  # noqa: B018 (checks the range)

    @property
    def bracketing(self) -> Bracketing:
        """How step sizes are chosen."""
        return Bracketing(self.lowest, self.highest, self.resolution)

    @property
    def first_phase(self) -> Phase:
        """The warm-up: the lowest step size, without momentum."""
        return Phase(lr=self.lowest, weight_decay=self.weight_decay, epochs=self.warm_up, name="warm-up")

    def schedule(self, step_size: float, momentum: float) -> Schedule:
        """What a run follows: the warm-up, then lr = step_size * (1 - momentum)."""
        lr = float(f"{step_size * (1 - momentum):.12g}")
        run = Phase(lr=lr, momentum=momentum, weight_decay=self.weight_decay, epochs=self.epochs, name="constant")
        return Schedule((self.first_phase, run) if self.warm_up else (run,))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "momenta": list(self.momenta), "seeds": list(self.seeds)}


def listed_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """The seeds, where they may be a number of them.

    Raises:
        StudyError: There is none, or one twice.
    """
    found = tuple(seeds) if isinstance(seeds, Sequence) else tuple(range(check_count("seeds", seeds)))
    if not found or len(set(found)) < len(found):
        raise StudyError(f"seeds must be distinct and at least one; got {list(found)}")
    return found
