from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis.break_even.curvature_runs import looks
from analysis.break_even.early_phase import detailed
from analysis.break_even.prediction_map import prediction_map


def test_looks_are_placed_with_their_own_predictions(curved: Callable, looked: Callable) -> None:
    tables = curved([{"lr": 0.1}], seeds=2)
    measurements, spectra = looked(tables)
    seen = looks(tables[0], detailed(*tables, measurements))
    placed = prediction_map(seen, spectra)
    assert len(placed) == len(seen)
    groups = placed.groupby(placed["epoch"] % 3)[["x", "y"]].agg(lambda values: np.ptp(values))
    assert np.allclose(groups, 0.0, atol=1e-6)


def test_without_predictions_there_is_no_place(curved: Callable, looked: Callable) -> None:
    tables = curved([{"lr": 0.1}], seeds=1)
    measurements, spectra = looked(tables)
    seen = looks(tables[0], detailed(*tables, measurements))
    assert prediction_map(seen, spectra[spectra["name"] != "predicted_class"]).empty
    assert prediction_map(seen, pd.DataFrame()).empty
