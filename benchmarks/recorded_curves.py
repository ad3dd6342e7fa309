"""Recorded curves of a finished study: what each of its trials would have reported, epoch by epoch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

RECORDED = Path(__file__).parent / "results" / "transition_epoch-curves.parquet"
"""The replica of Fig. 7 in docs/replication: 43 points with 3 seeds, 20 epochs of VGG-11 on 2,000 CIFAR-10 images."""
_SETTINGS = ["optimizer", "lr", "momentum", "weight_decay"]


@dataclass(frozen=True)
class Curve:
    """A trial as it was recorded.

    Attributes:
        trial_id: Its name.
        point: Its config; seeds share it.
        values: The metric after every epoch; larger is better.
        begins: Epochs before its last phase.
        phases: Number of its phases.
        prefixes: What the state after every epoch depends on: trials with an equal one can share it.
    """

    trial_id: str
    point: str
    values: tuple[float, ...]
    begins: int
    phases: int
    prefixes: tuple[int, ...]

    @property
    def epochs(self) -> int:
        """Epochs of the whole schedule."""
        return len(self.values)

    def result(self, epoch: int) -> dict[str, float]:
        """What the trial reports after an epoch, counted from 1."""
        in_last = epoch > self.begins
        return {
            "metric": self.values[epoch - 1],
            "epoch": epoch,
            "epochs_ahead": self.epochs - epoch,
            "last_phase_epoch": epoch - self.begins if in_last else 0,
            "phase": self.phases if in_last else self.phases - 1,
        }


def load_curves(study: str | None = None) -> list[Curve]:
    """The curves of a study's folder, or the recorded ones."""
    return curves_of(pd.read_parquet(RECORDED) if study is None else frame_of(study))


def frame_of(study: str) -> pd.DataFrame:
    """The columns of a study's epochs that curves are made of, with the metric (larger is better) as ``metric``."""
    from tune_regimes.results import Results

    results = Results.load(study)
    completed = results.trials[results.trials.status == "completed"]
    frame = results.epochs.merge(completed[["trial_id", "point", "seed"]], on="trial_id")
    frame["metric"] = frame[results.metric] * (1 if results.mode == "max" else -1)
    columns = ["trial_id", "point", "seed", "epoch", "phase", *_SETTINGS, "metric"]
    return frame[columns].sort_values(["trial_id", "epoch"], ignore_index=True)


def curves_of(frame: pd.DataFrame) -> list[Curve]:
    """One curve for each trial of a frame."""
    return [_curve(str(name), rows.sort_values("epoch")) for name, rows in frame.groupby("trial_id")]


def _curve(trial_id: str, rows: pd.DataFrame) -> Curve:
    last = int(rows.phase.max())
    prefixes, key = [], hash(int(rows.seed.iloc[0]))
    for settings in rows[[*_SETTINGS, "phase"]].itertuples(index=False, name=None):
        key = hash((key, settings))
        prefixes.append(key)
    values = tuple(float(value) for value in np.asarray(rows.metric, dtype=float))
    return Curve(trial_id, str(rows.point.iloc[0]), values, int((rows.phase < last).sum()), last, tuple(prefixes))
