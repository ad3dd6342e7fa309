"""The papers' closed forms and toy models, beside the simulations that they predict. NumPy only."""

from tune_regimes.theory.autodrop_bounds import ConvexProblem
from tune_regimes.theory.components import Components, least_squares
from tune_regimes.theory.heavy_ball import Quadratic
from tune_regimes.theory.lr_changes import Change, Settling
from tune_regimes.theory.noisy_quadratic import NoisyQuadratic, paper_quadratic
from tune_regimes.theory.saturation_rule import SaturationRule
from tune_regimes.theory.scale_invariant import SphereLoss
from tune_regimes.theory.velocity_model import VelocityModel, algorithm_2

__all__ = [
    "Change",
    "Components",
    "ConvexProblem",
    "NoisyQuadratic",
    "Quadratic",
    "SaturationRule",
    "Settling",
    "SphereLoss",
    "VelocityModel",
    "algorithm_2",
    "least_squares",
    "paper_quadratic",
]
