"""What travels from the driver to the workers as plain values: the study's side of a trial, and the trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tune_regimes.schedule import Schedule
from tune_regimes.tasks import TaskSpec


@dataclass(frozen=True)
class Job:
    """What all trials of a study share.

    Attributes:
        study: The study's name, a column of the trials table.
        task: What is trained.
        storage: URI of the study's folder.
        metric: The column that the study optimises.
        mode: ``"max"`` or ``"min"``.
        device: ``"cpu"`` or ``"cuda"``.
        threads: CPU threads of one trial; part of its numerics.
        save_every: Seconds between two stored states of a trial.
        report_every: Seconds of training that one report to the scheduler may gather; 0 reports every epoch.
        versions: Package versions, for the trials table.
    """

    study: str
    task: TaskSpec
    storage: str
    metric: str
    mode: str
    device: str = "cpu"
    threads: int = 1
    save_every: float = 30.0
    report_every: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)


def trial_id(point: int, seed: int) -> str:
    """The name of a trial in every table, file and display.

    >>> trial_id(7, 2)
    '00007-s2'
    """
    return f"{point:05d}-s{seed}"


@dataclass(frozen=True)
class TrialSpec:
    """One trial: a point of the space with one seed.

    Attributes:
        point: Number of the config within the study; its seeds share it.
        seed: Seed of initialisation, data order, augmentation and dropout.
        config: The config as the space produced it.
        schedule: The schedule that the study made of the config.
    """

    point: int
    seed: int
    config: Mapping[str, Any]
    schedule: Schedule

    @property
    def trial_id(self) -> str:
        """See `trial_id`."""
        return trial_id(self.point, self.seed)

    def to_config(self) -> dict[str, Any]:
        """The trial as a config of Ray Tune."""
        return {
            "point": self.point,
            "seed": self.seed,
            "config": dict(self.config),
            "schedule": self.schedule.to_json(),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "TrialSpec":
        """The inverse of `to_config`."""
        return cls(config["point"], config["seed"], config["config"], Schedule.from_json(config["schedule"]))
