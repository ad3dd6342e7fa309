"""Where the trials of a search come from."""

from typing import Any

from ray.tune.search import Searcher

from tune_regimes.errors import UsageError


class Source(Searcher):
    """A searcher of Ray's that notes mistakes, knows its own end, and keeps nothing that a resume would need.

    Attributes:
        mistake: What the user has to mend before the search can go on, or None.
    """

    def __init__(self, metric: str, mode: str) -> None:
        super().__init__(metric=metric, mode=mode)
        self.mistake: UsageError | None = None

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Ray's own param space is empty: the source holds it."""
        return True

    def close(self) -> None:
        """To be called when the search has ended, interrupted or not."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: a resumed search rebuilds its source from the results."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: see `save`."""
