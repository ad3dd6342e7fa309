"""Several probes that look at one training: which of them when, and what came of it."""

import math
import time
from collections.abc import Sequence
from typing import Any

import torch

from tune_regimes.errors import UsageError
from tune_regimes.probes.isolation import put_back
from tune_regimes.probes.probe import Probe
from tune_regimes.training.exhaustion import enough_memory
from tune_regimes.training.lookout import steps_of
from tune_regimes.training.moment import Moment, Reading, Record

SECONDS = "probe_seconds"
"""Column: seconds that the probes took in an epoch."""


class Watch:
    """What the probes of a study see of one training.

    Args:
        probes: Which; two must not write the same column.

    Raises:
        UsageError: If two probes would write the same column.
    """

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = tuple(probes)
        self._columns = [column.name for probe in self._probes for column in probe.columns()]
        if twice := sorted({name for name in self._columns if self._columns.count(name) > 1}):
            raise UsageError(
                f"probes must write columns of their own, got {', '.join(twice)} more than once; give each probe once"
            )
        self._readings: list[Reading] = []
        self._seconds = 0.0

    def identity(self) -> list[dict[str, Any]]:
        """What is watched, as JSON values: part of the root key, since records are stored under it."""
        return [probe.to_dict() for probe in self._probes]

    def wants(self, epoch: int, step: int | None) -> bool:
        """Whether a probe looks after a step of an epoch, or after the epoch where the step is None."""
        return bool(self._due(epoch, step))

    def look(self, moment: Moment) -> None:
        """Let every probe look that is due: after an epoch where all of its steps are made."""
        began = time.perf_counter()
        over = moment.step == steps_of(moment.task, moment.settings)
        due = self._due(moment.epoch, None if over else moment.step)
        finite = all(bool(torch.isfinite(parameter).all()) for parameter in moment.model.parameters())
        parts = [self._measured(probe, moment) if finite else _nothing(probe) for probe in due]
        values = {name: value for part in parts for name, value in part[0].items()}
        spectra = {name: numbers for part in parts for name, numbers in part[1].items()}
        self._readings.append({"step": moment.step, "values": values, "spectra": spectra})
        self._seconds += time.perf_counter() - began

    def finished(self, epoch: int) -> tuple[Record, list[Reading]]:
        """The columns of an epoch that is over, each from its last reading, NaN for none; and every reading."""
        record = dict.fromkeys(self._columns, math.nan)
        for reading in self._readings:
            record.update(reading["values"])
        readings, seconds = self._readings, self._seconds
        self._readings, self._seconds = [], 0.0
        return record | {SECONDS: seconds}, readings

    def _due(self, epoch: int, step: int | None) -> list[Probe]:
        if step is None:
            return [probe for probe in self._probes if probe.when.after_epoch(epoch)]
        return [probe for probe in self._probes if probe.when.after_step(epoch, step)]

    def _measured(self, probe: Probe, moment: Moment) -> tuple[dict[str, float], dict[str, list[float]]]:
        what = f"probe {probe.name} with a batch size"
        remedy = "give it fewer or smaller batches, or a smaller subset"
        with (
            enough_memory(moment.device, what, moment.batch_size, remedy),
            put_back(moment.model, moment.device, moment.seed, "probe", probe.name, moment.epoch, moment.step),
        ):
            found = probe.measure(moment)
        values = {name: float(value) for name, value in found.values.items()}
        return values, {name: [float(number) for number in numbers] for name, numbers in found.spectra.items()}


def _nothing(probe: Probe) -> tuple[dict[str, float], dict[str, list[float]]]:
    """What a probe says of weights that are not finite."""
    return {column.name: math.nan for column in probe.columns()}, {}
