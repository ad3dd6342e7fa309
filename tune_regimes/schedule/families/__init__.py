"""Families: functions that build the schedules in common use, each with its source."""

from tune_regimes.schedule.families.annealed import cosine, exponential, sgdr
from tune_regimes.schedule.families.exponential_lr import exponential_equivalent
from tune_regimes.schedule.families.intrinsic_lr import labelled, rescaled, sde_then_flow
from tune_regimes.schedule.families.rising import one_cycle, wsd
from tune_regimes.schedule.families.stepped import staircase, three_step, two_phase

__all__ = [
    "cosine",
    "exponential",
    "exponential_equivalent",
    "labelled",
    "one_cycle",
    "rescaled",
    "sde_then_flow",
    "sgdr",
    "staircase",
    "three_step",
    "two_phase",
    "wsd",
]
