"""What is measured along the way. A probe never changes the trajectory, bit for bit. Imports torch and never ray."""

from tune_regimes.probes.probe import Measured, Probe, ProbeColumn, When
from tune_regimes.probes.registry import PROBES, as_probes, parse_probe, probe_class, probe_from_dict
from tune_regimes.probes.watch import Watch

__all__ = [
    "PROBES",
    "Measured",
    "Probe",
    "ProbeColumn",
    "Watch",
    "When",
    "as_probes",
    "parse_probe",
    "probe_class",
    "probe_from_dict",
]
