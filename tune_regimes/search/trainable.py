"""The one Trainable: a Ray actor that is reused from trial to trial and loads its task once."""

from typing import TYPE_CHECKING, Any

from ray import tune

from tune_regimes.errors import UsageError
from tune_regimes.search.job import Job, TrialSpec

if TYPE_CHECKING:
    from tune_regimes.search.workplace import Workplace


class ScheduleTrainable(tune.Trainable):
    """Trains one schedule after another on one task.

    A mistake that only a worker can see (missing data, a full disk) ends the study with its message instead of being
    retried: it is reported as status ``fatal``.

    Torch is imported by the worker alone: whoever starts a study waits for no import of it.
    """

    def setup(self, config: dict[str, Any], job: Job | None = None) -> None:
        """Load torch and the task once, then begin the first trial."""
        assert job is not None
        self._job = job
        self._place: Workplace | None = None
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Leave the present trial and begin another in the same process."""
        self._leave()
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        from tune_regimes.search.trial import TrialRun
        from tune_regimes.search.workplace import Workplace

        self._run: TrialRun | None = None
        self._mistake: UsageError | None = None
        try:
            if self._place is None:
                self._place = Workplace(self._job)
            self._run = TrialRun(self._place, TrialSpec.from_config(config))
        except UsageError as error:
            self._mistake = error

    def step(self) -> dict[str, Any]:
        """Advance the trial by at least one epoch and report it."""
        try:
            if self._run is not None:
                return self._run.advance()
        except UsageError as error:
            self._mistake, self._run = error, None
        assert self._mistake is not None
        return {
            "epoch": 0,
            "last_phase_epoch": 0,
            "epochs_ahead": 0,
            self._job.metric: 0.0,
            "status": "fatal",
            "error": type(self._mistake).__name__,
            "reason": str(self._mistake),
            "done": True,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Store the trial's state; Ray's checkpoint only names the epoch, since the key finds the state."""
        del checkpoint_dir
        if self._run is None:
            return {"epoch": 0}
        self._run.leave()
        return {"epoch": self._run.epochs_reported}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Go on reporting where the trial was paused; it found its stored state when it began."""
        if self._run is not None and checkpoint:
            self._run.skip(checkpoint["epoch"])

    def cleanup(self) -> None:
        """Store what is unfinished before the process ends."""
        self._leave()

    def _leave(self) -> None:
        try:
            if self._run is not None:
                self._run.leave()
        except UsageError:
            # The study is already being stopped for the same reason; what was stored before stays readable.
            pass
        self._run = None
