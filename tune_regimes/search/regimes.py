"""What locating found: the regimes by momentum, what they mean at others, and the search space around them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from tune_regimes.errors import StudyError
from tune_regimes.results import Storage
from tune_regimes.results.regimes import FALLING, describe_runs, locate_regimes
from tune_regimes.search.locate_settings import LocateSettings
from tune_regimes.search.two_phase_study import TwoPhaseSpace
from tune_regimes.tasks import TaskSpec

USUAL = (0.0, 0.5, 0.9, 0.95, 0.99)
"""Momenta for which learning rates are converted."""


@dataclass(frozen=True, eq=False)
class Regimes:
    """The regimes of a task, as `locate` found them.

    Attributes:
        task: What was trained.
        trials: The trials table of all runs.
        epochs: The epochs table of all runs.
        settings: What was asked for.
        metric: What a study of the task would optimise, and whether "max" or "min" of it.
    """

    task: TaskSpec
    trials: pd.DataFrame
    epochs: pd.DataFrame
    settings: LocateSettings
    metric: tuple[str, str]

    @cached_property
    def table(self) -> pd.DataFrame:
        """The regimes by momentum: see `tune_regimes.results.regimes.locate_regimes`."""
        return locate_regimes(self.trials, self.epochs, self.settings.warm_up)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """What decided, by point: see `tune_regimes.results.regimes.describe_runs`."""
        return describe_runs(self.trials, self.epochs, self.settings.warm_up)

    def conversions(self, momenta: Sequence[float] = USUAL) -> pd.DataFrame:
        """The learning rates of both regimes by momentum; where one was not tried, lr = step size * (1 - momentum).

        The step size lr / (1 - momentum) is that of the momentum tried next to it, between two of them interpolated,
        both in logarithms of step size and 1 - momentum. In the large-step regime momentum does little else than
        multiply the step (Leclerc and Madry, 2020, Sec. 3.2 and App. B); in the small-step regime this extrapolates.

        Args:
            momenta: Momenta beside those that were tried.

        Returns:
            Columns ``momentum``, ``large_lr``, ``small_lr``, ``located`` (whether this momentum was tried).
        """
        located = set(self.table["momentum"])
        every = np.array(sorted({*momenta, *located}))
        large, small = (_converted(self.table, f"{name}_step_size", every) for name in ("large", "small"))
        tried = [momentum in located for momentum in every]
        return pd.DataFrame({"momentum": every, "large_lr": large, "small_lr": small, "located": tried})

    def space(self) -> TwoPhaseSpace:
        """The two-phase search space: large steps at the smallest momentum that was tried, small ones at the largest.

        Raises:
            StudyError: One of the two regimes was not found there.
        """
        first, last = self.table.iloc[0], self.table.iloc[-1]
        if np.isnan(last["small_lr"]):
            raise StudyError(self._no_small(float(last["momentum"])))
        return TwoPhaseSpace(
            task=self.task,
            large=(float(first["large_lr"]), float(first["momentum"])),
            small=(float(last["small_lr"]), float(last["momentum"])),
            warm_up=(self.settings.lowest, self.settings.warm_up),
            weight_decay=self.settings.weight_decay,
            metric=self.metric,
        )

    def write_study(self, path: str) -> None:
        """Write the search space as a Python file that ``tune-regimes run`` takes.

        Raises:
            StudyError: A regime was not found, or the task cannot be built from another file.
            StorageError: The file cannot be written.
        """
        folder, _, name = path.rpartition("/")
        Storage(folder or ".").write(name, self.space().source().encode())

    def _no_small(self, momentum: float) -> str:
        runs = self.runs[(self.runs["momentum"] == momentum) & ~self.runs["diverges"].astype(bool)]
        best = runs.iloc[int(runs["falling"].argmax())]
        return (
            f"a small-step phase needs a learning rate at which the loss falls in at least {FALLING:.0%} of the "
            f"epochs; with momentum {momentum:g} there is none from step size {self.settings.lowest:g} on, the nearest "
            f"is lr {best['lr']:.3g} with {best['falling']:.0%}: lower the range (lowest), give more seeds, or more "
            "training data, as the loss of few batches scatters"
        )


def _converted(table: pd.DataFrame, column: str, momenta: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Learning rates at those momenta from the step sizes that are known; NaN where none is."""
    known = table.dropna(subset=column)
    if known.empty:
        return np.full(len(momenta), np.nan)
    damped, steps = known["momentum"].to_numpy(float), known[column].to_numpy(float)
    converted = np.exp(np.interp(-np.log1p(-momenta), -np.log1p(-damped), np.log(steps))) * (1 - momenta)
    # Where a momentum was tried, its learning rate is given as it was.
    own = dict(zip(damped, known[column.replace("step_size", "lr")], strict=True))
    return np.array([own.get(momentum, lr) for momentum, lr in zip(momenta, converted, strict=True)])
