"""The papers' closed forms and toy models, beside the simulations that they predict. NumPy only."""

from tune_regimes.theory.autodrop_bounds import ConvexProblem
from tune_regimes.theory.noisy_quadratic import NoisyQuadratic, paper_quadratic
from tune_regimes.theory.saturation_rule import SaturationRule
from tune_regimes.theory.velocity_model import VelocityModel, algorithm_2

__all__ = [
    "ConvexProblem",
    "NoisyQuadratic",
    "SaturationRule",
    "VelocityModel",
    "algorithm_2",
    "paper_quadratic",
]
