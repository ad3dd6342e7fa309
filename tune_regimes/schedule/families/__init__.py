"""Families: functions that build the schedules that are used and published."""

from tune_regimes.schedule.families.stepped import three_step, two_phase

__all__ = ["three_step", "two_phase"]
