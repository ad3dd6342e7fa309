"""What to apply when: pure values and pure functions of the standard library."""

from tune_regimes.schedule.families import three_step, two_phase
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.ramps import Ramp, Value
from tune_regimes.schedule.schedule import Schedule
from tune_regimes.schedule.settings import PerStep, Settings, at_step

__all__ = ["PerStep", "Phase", "Ramp", "Schedule", "Settings", "Value", "at_step", "three_step", "two_phase"]
