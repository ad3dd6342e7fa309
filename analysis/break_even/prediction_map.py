"""Test predictions at the looks of trainings as points of a plane (Figs. 1 and 8), within epochs too.

The paper embeds by UMAP; principal components keep what distances they can, and need no extra.

Source: Jastrzebski et al., 2020, Sec. 4.1.
"""

import numpy as np
import pandas as pd

from analysis.embedding import PredictionRows, embed
from analysis.intrinsic_lr.predictions import SPECTRUM

MOST = 3000
"""Looks that are placed at most: every so many are taken where there are more."""
FEWEST = 3


def prediction_map(seen: pd.DataFrame, spectra: pd.DataFrame, method: str = "pca") -> pd.DataFrame:
    """The looks that have predictions, with their coordinates ``x`` and ``y``; none where there are fewer than three.

    Args:
        seen: Looks, with ``trial_id``, ``epoch`` and ``step``.
        spectra: With the predicted classes of the same looks.
        method: Of :func:`analysis.embedding.embed`.
    """
    keys = ["trial_id", "epoch", "step"]
    named = spectra[spectra["name"] == SPECTRUM] if len(spectra) else pd.DataFrame(columns=[*keys, "index", "value"])
    wide = named.pivot_table(index=keys, columns="index", values="value", aggfunc="first")
    both = seen.merge(wide.index.to_frame(index=False), on=keys) if len(wide) else seen.iloc[:0]
    both = both.iloc[:: max(1, -(-len(both) // MOST))].reset_index(drop=True)
    if len(both) < FEWEST:
        return both.iloc[:0].assign(x=np.nan, y=np.nan)
    classes = wide.loc[pd.MultiIndex.from_frame(both[keys])].fillna(-1).to_numpy(np.int64)
    return embed(PredictionRows(both, classes), method)
