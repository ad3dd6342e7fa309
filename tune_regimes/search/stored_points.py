"""What the tables of a study hold of its points, for a search that goes on from them."""

from collections.abc import Collection, Sequence
from typing import Any

from tune_regimes.results import ENDED, read_table
from tune_regimes.search.curves import Curves
from tune_regimes.search.job import trial_id
from tune_regimes.search.points import Outcome
from tune_regimes.storage import Storage


class StoredPoints:
    """The points that earlier runs have begun.

    Args:
        folder: The study's folder; None where there is none.
        points: Numbers of the points that have rows.
        seeds: Seeds of every point.
        metric: Column of the epochs table.
    """

    def __init__(self, folder: Storage | None, points: Collection[int], seeds: Sequence[int], metric: str) -> None:
        self._folder, self._points, self._seeds, self._metric = folder, set(points), seeds, metric

    def outcomes(self, point: int) -> dict[int, Outcome]:
        """The outcomes of the seeds that have ended; a failed one has not, as it is tried again."""
        return {
            row["seed"]: Outcome(row.get(f"final_{self._metric}"), row["status"], row["epochs"] or 0)
            for row in self._rows("trials", point)
            if row["status"] in ENDED
        }

    def curves(self, point: int) -> Curves:
        """The metric of the epochs that the seeds have been through."""
        curves, seeds = Curves(self._seeds), {trial_id(point, seed): seed for seed in self._seeds}
        for row in self._rows("epochs", point):
            curves.note(seeds[row["trial_id"]], row["epoch"], row.get(self._metric))
        return curves

    def _rows(self, table: str, point: int) -> list[dict[str, Any]]:
        if self._folder is None or point not in self._points:
            return []
        ids = [trial_id(point, seed) for seed in self._seeds]
        rows: list[dict[str, Any]] = read_table(self._folder, table, ids).to_pylist()
        return rows
