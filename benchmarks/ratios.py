"""Ratios of times that were measured side by side."""

import math
import statistics
from collections.abc import Sequence

from scipy.stats import t as student


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the geometric mean, by Student's t over the logarithms; unbounded for a single ratio."""
    logs = [math.log(ratio) for ratio in ratios]
    if len(logs) < 2:
        return 0.0, math.inf
    middle = statistics.mean(logs)
    half = float(student.ppf(0.975, len(logs) - 1)) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(middle - half), math.exp(middle + half)
