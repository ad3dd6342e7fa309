"""Searching: the only floor that imports Ray."""

from tune_regimes.search.points import SEARCHERS
from tune_regimes.search.progress import Progress
from tune_regimes.search.regime_asha import RegimeASHA
from tune_regimes.search.run import StudyInterrupted
from tune_regimes.search.schedulers import SCHEDULERS
from tune_regimes.search.study import Study

__all__ = ["SCHEDULERS", "SEARCHERS", "Progress", "RegimeASHA", "Study", "StudyInterrupted"]
