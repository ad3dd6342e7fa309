"""How hard and where to run a study: options that change no result."""

from dataclasses import dataclass

from tune_regimes.errors import StudyError

DEFAULT_QUOTA = 20 * 10**9
RESOURCES = ("cpus_per_trial", "gpus_per_trial")


@dataclass(frozen=True)
class RunOptions:
    """Where and how hard to run: nothing here changes a result.

    Attributes:
        max_concurrent: Trials at once; None for as many as the cluster holds.
        cpus_per_trial: CPUs of one trial; its number of threads.
        gpus_per_trial: GPUs of one trial; a fraction lets trials share one.
        address: Address of an existing Ray cluster, or None.
        time_budget: Seconds after which the study stops, resumably; None for no limit.
        max_failures: How often a trial whose process died is started again.
        save_every: Seconds between two stored states of a trial.
        share: Whether trials inherit the epochs that they have in common.
        store: Folder or URI of states that several studies share; None for the study's own.
        quota: Bytes that the store may hold; None for no limit. States that no trial waits for go first.
        keep_every: Epochs between states that are kept for trials which are not known yet; None for a tenth of the
            schedule where later trials depend on earlier ones (a sequential searcher, adaptive schedules), else none.
    """

    max_concurrent: int | None = None
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    address: str | None = None
    time_budget: float | None = None
    max_failures: int = 3
    save_every: float = 30.0
    share: bool = True
    store: str | None = None
    quota: int | None = DEFAULT_QUOTA
    keep_every: int | None = None

    @property
    def device(self) -> str:
        """The kind of device that trials run on."""
        return "cuda" if self.gpus_per_trial > 0 else "cpu"

    @property
    def resources(self) -> dict[str, float]:
        """What a trial's values depend on, as ``study.json`` holds it: its threads and its device."""
        return {name: float(getattr(self, name)) for name in RESOURCES}

    def __post_init__(self) -> None:
        for name, least in (("cpus_per_trial", 0.0), ("gpus_per_trial", 0.0), ("max_failures", 0), ("save_every", 0.0)):
            if not getattr(self, name) >= least:
                raise StudyError(f"{name} must be at least {least:g}; got {getattr(self, name)!r}")
        for name in ("max_concurrent", "time_budget", "quota", "keep_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise StudyError(f"{name} must be positive, or None for no limit; got {value!r}")
