"""Where runs go in the space of their predictions: two coordinates for the predictions of each run after each epoch.

Principal components are taken of the predictions as indicators, one for each test example and class: the squared
distance of two rows is then twice the number of examples on which they disagree. UMAP, which Break-Even Point uses,
takes the share of these examples as its distance; it needs the extra ``embedding``.

Source: The Break-Even Point on Optimization Trajectories of Deep Neural Networks, 2020, figure 1.
"""

import warnings
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from analysis.intrinsic_lr.predictions import SPECTRUM
from analysis.statistics import Array, IntArray
from tune_regimes.errors import UsageError

METHODS = ("pca", "umap")
EXTRA = "pip install 'tune-regimes[embedding]'"


@dataclass(frozen=True)
class PredictionRows:
    """Predictions of runs after epochs.

    Args:
        table: One row for each, with ``trial_id`` and ``epoch``.
        classes: Predicted classes, shape [rows, examples], in the order of the table; -1 where there is none.
    """

    table: pd.DataFrame
    classes: IntArray


def prediction_rows(spectra: pd.DataFrame) -> PredictionRows:
    """What the probe ``predictions`` left in a study's spectra.

    Within an epoch the last look counts. Runs that diverged have no spectra of the epochs after it.

    Args:
        spectra: ``Results.spectra``: columns ``trial_id``, ``epoch``, ``step``, ``name``, ``index``, ``value``.

    Raises:
        UsageError: No predictions, or of different numbers of examples.
    """
    own = spectra[spectra["name"] == SPECTRUM]
    if not len(own):
        raise UsageError(
            f"an embedding needs the spectrum {SPECTRUM}, got none: run the study with --probe predictions"
        )
    last = own[own["step"] == own.groupby(["trial_id", "epoch"])["step"].transform("max")]
    wide = last.pivot(index=["trial_id", "epoch"], columns="index", values="value").sort_index()
    counts = last.groupby(["trial_id", "epoch"]).size()
    if counts.nunique() > 1:
        raise UsageError(f"all runs must predict the same examples, got {counts.min()} to {counts.max()} of them")
    return PredictionRows(wide.index.to_frame(index=False), wide.fillna(-1).to_numpy(np.int64))


def embed(predictions: PredictionRows, method: str = "pca", seed: int = 0) -> pd.DataFrame:
    """Two coordinates for each row.

    Args:
        predictions: Two rows or more.
        method: "pca" or "umap".
        seed: Of UMAP.

    Returns:
        The table with columns ``x`` and ``y``.

    Raises:
        UsageError: An unknown method, fewer rows than it needs, or UMAP is not installed.
    """
    if method not in METHODS:
        raise UsageError(f"an embedding must be one of {', '.join(METHODS)}, got {method!r}")
    least = 2 if method == "pca" else 5
    if len(predictions.classes) < least:
        raise UsageError(f"{method} needs the predictions of {least} epochs or more, got {len(predictions.classes)}")
    found = principal_components(predictions.classes) if method == "pca" else _umap(predictions.classes, seed)
    return predictions.table.assign(x=found[:, 0], y=found[:, 1])


def principal_components(classes: IntArray, count: int = 2) -> Array:
    """The first principal components of predictions as indicators, from the numbers of examples on which rows agree.

    Rows r and s of the indicators have the product <r, s> = number of examples on which both predict the same class, so
    that the indicators themselves, [rows, examples x classes], are never made.

    Args:
        classes: Predicted classes, [rows, examples]; -1 agrees with nothing.
        count: How many.

    Returns:
        Scores, [rows, count], centred; the sign of each is such that its largest entry is positive.
    """
    agree = np.stack([((row == classes) & (row >= 0)).sum(axis=1) for row in classes]).astype(float)
    centred = agree - agree.mean(axis=0) - agree.mean(axis=1, keepdims=True) + agree.mean()
    vectors, squares, _ = np.linalg.svd(centred, hermitian=True)
    scores = np.zeros((len(classes), count))
    kept = vectors[:, :count] * np.sqrt(squares[:count])
    scores[:, : kept.shape[1]] = kept
    largest = scores[np.abs(scores).argmax(axis=0), np.arange(count)]
    return cast(Array, scores * np.where(largest < 0, -1.0, 1.0))


def _umap(classes: IntArray, seed: int) -> Array:
    try:
        from umap import UMAP
    except ImportError as error:
        raise UsageError(f"UMAP cannot be imported here; run: {EXTRA}, or take method='pca'") from error
    neighbors = min(15, len(classes) - 1)
    model = UMAP(n_neighbors=neighbors, metric="hamming", init="random", random_state=seed, n_jobs=1)
    with warnings.catch_warnings():
        # Of what UMAP cannot do with this distance: map new coordinates back to predictions.
        warnings.filterwarnings("ignore", message=".*inverse_transform will be unavailable")
        return cast(Array, np.asarray(model.fit_transform(classes.astype(np.float32)), float))
