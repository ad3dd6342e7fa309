"""One trajectory of training, one epoch at a time. Imports torch and never ray."""

from tune_regimes.training.moment import Record
from tune_regimes.training.numerics import Numerics
from tune_regimes.training.state import State, state_from_bytes, state_to_bytes
from tune_regimes.training.trajectory import Trajectory

__all__ = ["Numerics", "Record", "State", "Trajectory", "state_from_bytes", "state_to_bytes"]
