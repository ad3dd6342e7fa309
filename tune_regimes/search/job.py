"""What travels from the driver to the workers as plain values: the study's side of a trial, and the trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tune_regimes.schedule import Policy, policy_from_json
from tune_regimes.search.rungs import Ladder
from tune_regimes.tasks import TaskSpec

if TYPE_CHECKING:
    from tune_regimes.probes import Probe


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
        store: URI of the folder of shared states.
        owner: Under what name the study claims entries of the store.
        quota: Bytes that the store may hold, or None.
        share: Whether trials inherit from each other.
        keep_every: Epochs between states that are kept for trials which are not known yet; 0 for none.
        repeat_own: Whether the scheduler bears it when a trial that is taken up again reports its first epochs again.
        ladder: Says which epochs of the last phase the scheduler can act on; None where it can act on all or on none.
        report_every: Seconds of training that one report to the scheduler may gather; 0 reports every epoch.
        versions: Package versions, for the trials table.
        probes: What looks at each training.
    """

    study: str
    task: TaskSpec
    storage: str
    metric: str
    mode: str
    device: str = "cpu"
    threads: int = 1
    save_every: float = 30.0
    store: str = ""
    owner: str = "study"
    quota: int | None = None
    share: bool = True
    keep_every: int = 0
    repeat_own: bool = True
    ladder: Ladder | None = None
    report_every: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    probes: "tuple[Probe, ...]" = ()


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
        schedule: The schedule or adaptive policy that the study made of the config.
        branches: Epochs after which other trials part from this one: their states are stored.
        ends: Epochs after which other trials end: their histories are stored.
    """

    point: int
    seed: int
    config: Mapping[str, Any]
    schedule: Policy
    branches: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()

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
            "branches": list(self.branches),
            "ends": list(self.ends),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "TrialSpec":
        """The inverse of `to_config`."""
        schedule = policy_from_json(config["schedule"])
        branches, ends = tuple(config["branches"]), tuple(config["ends"])
        return cls(config["point"], config["seed"], config["config"], schedule, branches, ends)
