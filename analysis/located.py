"""What ``tune-regimes locate`` found, as a report: the regimes, their learning rates by momentum, and what to run next.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 3; the criteria are those of
:mod:`tune_regimes.results.regimes`.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.document import Document, Plate, bullets, inline
from analysis.figures.lr_momentum import located_regimes
from analysis.regimes import regime_lines
from tune_regimes.results.regimes import FALLING
from tune_regimes.search.regimes import Regimes

PICTURE = (
    "Last training loss, and share of epochs in which it falls, over the step size, by momentum; dashed: A, dotted: B, "
    "crosses: step sizes that diverge."
)


class Located(Document):
    """The report of a task's regimes: where they lie, what that means at other momenta, and what to do with it.

    Args:
        regimes: What was found.
        command: What runs the search space around them.
    """

    def __init__(self, regimes: Regimes, command: Sequence[str]) -> None:
        self.regimes, self.verdicts = regimes, ()
        picture = located_regimes(regimes.trials, regimes.epochs, regimes.settings.warm_up)
        self.plates = (Plate("located_regimes", picture, PICTURE),)
        self.sections = {
            "Where the regimes lie": regime_lines(regimes.table) + _notes(regimes),
            "Learning rates by momentum": [_rates(row) for _, row in regimes.conversions().iterrows()],
            "Next": [f"`{' '.join(command)}`"],
        }

    def head(self) -> list[str]:
        """The task, and how it was searched."""
        return [f"# The regimes of {self.regimes.task.name}", bullets(self.setup())]

    def setup(self) -> list[str]:
        """How it was searched, in words."""
        trials, asked = self.regimes.trials, self.regimes.settings
        given = {name: value for name, value in self.regimes.task.changed().items() if name != "data"}
        counts = f"{int(trials['epochs'].sum())} epochs in {len(trials)} runs of {trials['point'].nunique()} step sizes"
        return [
            f"Task: {self.regimes.task.name}" + (f" ({inline(given)})" if given else ""),
            f"Runs: {asked.epochs} epochs at a constant learning rate, after {asked.warm_up} of warm-up at "
            f"{asked.lowest:g}; seeds {', '.join(map(str, asked.seeds))}; weight decay {asked.weight_decay:g}",
            f"{counts}, of which {int(trials['epochs_inherited'].sum())} were inherited; "
            f"{trials['train_seconds'].sum():.0f} s of training",
            "A: the largest learning rate that does not diverge. B: the largest at which the training loss falls in at "
            f"least {FALLING:.0%} of the epochs",
        ]

    def content(self) -> dict[str, Any]:
        """The report as JSON."""
        found = self.regimes
        return {
            "task": found.task.name,
            "regimes": found.table.to_dict("records"),
            "conversions": found.conversions().to_dict("records"),
            "runs": found.runs.to_dict("records"),
        }


def _notes(regimes: Regimes) -> list[str]:
    """What keeps a regime from being told apart, in words."""
    table = regimes.table
    near = table["small_lr"] * regimes.settings.resolution >= table["large_lr"]
    notes = [
        f"momentum {mu:g}: B is at A, as the runs are too short for the loss to rise: give more epochs"
        for mu in table.loc[near, "momentum"]
    ]
    notes += [
        f"momentum {mu:g}: nothing diverges, so A is the largest that was tried: raise the highest step size"
        for mu in table.loc[table["diverging_lr"].isna(), "momentum"]
    ]
    return notes


def _rates(row: pd.Series) -> str:
    how = "" if row["located"] else " (converted by the step size, lr / (1 - momentum))"
    return f"momentum {row['momentum']:g}: A = {row['large_lr']:.3g}, B = {row['small_lr']:.3g}{how}"
