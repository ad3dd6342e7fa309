"""What to apply when: settings, phases, ramps, the families of schedules, and policies. Standard library only."""

from tune_regimes.schedule.autodrop import AutoDrop
from tune_regimes.schedule.averaged import Averaged
from tune_regimes.schedule.equilibrium import Equilibrium
from tune_regimes.schedule.families import (
    cosine,
    exponential,
    exponential_equivalent,
    labelled,
    one_cycle,
    rescaled,
    sde_then_flow,
    sgdr,
    staircase,
    three_step,
    two_phase,
    wsd,
)
from tune_regimes.schedule.fork import Fork, forked
from tune_regimes.schedule.notation import phase_from_text, phase_to_text
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.plateau import Plateau
from tune_regimes.schedule.policy import Policy, policy_from_dict, policy_from_json, told
from tune_regimes.schedule.ramps import Ramp, Value
from tune_regimes.schedule.rates import equilibrium_epochs, intrinsic_lr, lr_for, weight_decay_for
from tune_regimes.schedule.saturation import SaturationDrop
from tune_regimes.schedule.schedule import Schedule
from tune_regimes.schedule.settings import PerStep, Settings, at_step
from tune_regimes.schedule.velocity_model import VelocityModelDrop

__all__ = [
    "AutoDrop",
    "Averaged",
    "Equilibrium",
    "Fork",
    "PerStep",
    "Phase",
    "Plateau",
    "Policy",
    "Ramp",
    "SaturationDrop",
    "Schedule",
    "Settings",
    "Value",
    "VelocityModelDrop",
    "at_step",
    "cosine",
    "equilibrium_epochs",
    "exponential",
    "exponential_equivalent",
    "forked",
    "intrinsic_lr",
    "labelled",
    "lr_for",
    "one_cycle",
    "phase_from_text",
    "phase_to_text",
    "policy_from_dict",
    "policy_from_json",
    "rescaled",
    "sde_then_flow",
    "sgdr",
    "staircase",
    "three_step",
    "told",
    "two_phase",
    "weight_decay_for",
    "wsd",
]
