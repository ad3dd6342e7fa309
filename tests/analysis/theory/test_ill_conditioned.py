from dataclasses import dataclass, replace

import numpy as np
import pytest

from analysis.figures.ill_conditioned import courses, grid_map
from analysis.theory.ill_conditioned import Runs, aligns, divergence_edge, momentum_helps, scales
from tune_regimes.theory.heavy_ball import conditioned
from tune_regimes.theory.quadratic_grid import lr_grid, momentum_grid


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs(conditioned(6), np.random.default_rng(0).standard_normal(6), points=12)


@dataclass(frozen=True)
class Made:
    """A trace with chosen values."""

    losses: np.ndarray
    alignments: np.ndarray
    scales: np.ndarray


def made(runs: Runs, **values: float) -> Runs:
    """Runs whose traces end as told, but for those of momentum 0."""
    chosen = replace(runs)
    rest = {"losses": 1.0, "alignments": 1.0, "scales": 1.0}
    traces = {}
    for number, mu in enumerate((0.0, 0.5, 0.9, 0.95)):
        ends = rest | {"scales": 1 / (1 - mu), "losses": 10.0**-number} | (values if number else {})
        traces[mu] = Made(**{name: np.array([value]) for name, value in ends.items()})
    chosen.__dict__["traces"] = traces
    return chosen


def test_larger_momentum_wins_and_the_scale_meets_its_limit(runs: Runs) -> None:
    assert momentum_helps(runs).verdict == "holds"
    assert scales(runs).statistics["scale (1 - mu), momentum 0"] == pytest.approx(1, abs=1e-3)


def test_without_momentum_the_alignment_stays_below_one(runs: Runs) -> None:
    verdict = aligns(runs)
    values = list(verdict.statistics.values())
    assert values == sorted(values)
    assert verdict.note.endswith("tends to -1")


def test_the_map_has_its_edge_where_the_formula_says(runs: Runs) -> None:
    verdict = divergence_edge(runs)
    assert verdict.verdict == "holds"
    assert verdict.statistics["settings on the wrong side"] == 0
    assert verdict.note == "C.3 prints learning rates up to 500000; the largest stable one is 2e-05"


def test_a_map_that_is_wrong_in_one_setting_does_not_hold(runs: Runs) -> None:
    wrong = replace(runs)
    wrong.__dict__["grid"] = np.where(np.arange(144).reshape(12, 12) == 0, np.inf, runs.grid)
    assert divergence_edge(wrong).verdict == "does not hold"


def test_each_claim_is_found_out_on_runs_made_so(runs: Runs) -> None:
    assert [judge(made(runs)).verdict for judge in (aligns, scales, momentum_helps)] == ["holds"] * 3
    assert aligns(made(runs, alignments=0.5)).verdict == "does not hold"
    assert scales(made(runs, scales=1.0)).verdict == "does not hold"
    assert momentum_helps(made(runs, losses=2.0)).verdict == "does not hold"


def test_the_figures_are_drawn(runs: Runs) -> None:
    courses(runs.traces).draw_without_rendering()
    grid_map(lr_grid(12), momentum_grid(12), runs.grid, runs.edge).draw_without_rendering()
