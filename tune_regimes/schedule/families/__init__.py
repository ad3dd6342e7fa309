"""Families: functions that build the schedules in common use, each with its source."""

from tune_regimes.schedule.families.annealed import cosine, exponential, sgdr
from tune_regimes.schedule.families.rising import one_cycle, wsd
from tune_regimes.schedule.families.stepped import staircase, three_step, two_phase

__all__ = ["cosine", "exponential", "one_cycle", "sgdr", "staircase", "three_step", "two_phase", "wsd"]
