"""The trial that a fork goes on from: what of it can be forked, and how its tail is read."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tune_regimes.errors import StudyError
from tune_regimes.results import ENDED, observations, read_epoch_rows, read_trial
from tune_regimes.schedule import Phase, Policy, Settings, at_step, policy_from_json, told
from tune_regimes.schedule.optimizers import LIBRARIES
from tune_regimes.search.specification import versions
from tune_regimes.storage import Storage

NAME = "tail"
"""What the phases of a tail are called that have no name."""


class Original:
    """The trial that is forked.

    Args:
        folder: The study's folder.
        trial_id: The trial.

    Raises:
        StudyError: There is no such trial, or it has not ended.
    """

    def __init__(self, folder: Storage, trial_id: str) -> None:
        self.trial_id, self.row = trial_id, read_trial(folder, trial_id)
        if self.row["status"] not in ENDED:
            raise StudyError(
                f"a fork needs a trial that has ended; {trial_id} is {self.row['status']}: resume its study first"
            )
        self.rows = read_epoch_rows(folder, trial_id)
        self.policy: Policy = policy_from_json(self.row["schedule"])
        self.config: dict[str, Any] = json.loads(self.row["config"])
        self.seed = int(self.row["seed"])

    def check(self, at_epoch: int, device: str) -> None:
        """Refuse an epoch from which there is no way on, or another kind of device.

        Raises:
            StudyError: Saying which epochs there are.
        """
        last = len(self.rows) - (self.row["status"] == "diverged")
        ended = f"{self.trial_id} {self.row['status']}" + (f": {self.row['reason']}" if self.row["reason"] else "")
        if last == 0:
            raise StudyError(f"a fork needs an epoch to go on from; {ended}: choose another trial")
        if not isinstance(at_epoch, int) or isinstance(at_epoch, bool) or not 1 <= at_epoch <= last:
            start = "; a new start is a study of its own" if at_epoch == 0 else ""
            raise StudyError(
                f"a fork goes on after one of the epochs 1..{last} of its trial ({ended}); got {at_epoch!r}{start}"
            )
        if self.row["device"] not in (None, device):
            raise StudyError(
                f"a fork runs on the kind of device of its trial; {self.trial_id} ran on {self.row['device']}, this "
                f"would run on {device}: give as many gpus_per_trial as the study had"
            )

    def completed(self, tail: Sequence[Phase], at_epoch: int) -> list[Phase]:
        """The phases of a tail, with the weight decay that they leave open.

        Under the optimizer of the last epoch before the fork, that of this epoch goes on; there is none under another.

        Raises:
            StudyError: There is no phase, or something else.
        """
        if not isinstance(tail, list | tuple) or not tail or not all(isinstance(phase, Phase) for phase in tail):
            raise StudyError(f"the tail of a fork must be a list of one Phase or more, each with epochs; got {tail!r}")
        observed = observations(self.rows[:at_epoch])
        before = [settings for settings, _ in told(self.policy, observed, steps_per_epoch=1)][at_epoch - 1]
        return [_completed(phase, before) for phase in tail]

    def notes(self) -> list[str]:
        """What is to be said where its epochs cannot be inherited."""
        then, now = json.loads(self.row["versions"] or "{}"), versions()
        used = dict.fromkeys(LIBRARIES[row["optimizer"]] for row in self.rows if row["optimizer"] in LIBRARIES)
        deciding = ("tune-regimes", "torch", *used)
        changed = [name for name in deciding if then.get(name, now.get(name)) != now.get(name)]
        return [
            f"{self.trial_id} was trained with {name} {then[name]}, not {now.get(name)}: its epochs are trained again"
            for name in changed
        ]


def _completed(phase: Phase, before: Settings) -> Phase:
    phase = replace(phase, name=phase.name or NAME)
    if phase.weight_decay is not None or phase.optimizer != before.optimizer:
        return phase
    decay = before.decay if phase.decay == "all" else phase.decay
    return replace(phase, weight_decay=at_step(before.weight_decay, 0), decay=decay)
