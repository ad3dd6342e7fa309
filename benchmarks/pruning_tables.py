"""Tables of the comparison of schedulers: regrets with intervals, and whether ours is at most half of ASHA's."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pandas as pd

RESAMPLES = 2000


def _best_asha(runs: pd.DataFrame) -> str:
    """The setting of Ray's ASHA with the smallest mean regret in these very runs."""
    asha = runs[runs.contender.str.startswith("ASHA")]
    return str(asha.groupby("contender").regret.mean().idxmin())


def opponents(runs: pd.DataFrame, longest: int, budgets: Sequence[float]) -> dict[str, dict[float, str]]:
    """The settings of Ray's ASHA that the report shows, by budget."""
    overall = _best_asha(runs)
    named = {
        f"ASHA, the best setting in hindsight ({overall.removeprefix('ASHA ')})": overall,
        f"ASHA by name (grace {max(1, longest // 10)} factor 3)": f"ASHA grace {max(1, longest // 10)} factor 3",
        "ASHA, Ray's defaults (grace 1 factor 4)": "ASHA grace 1 factor 4",
    }
    found = {"ASHA, the best setting at each budget": {b: _best_asha(runs[runs.budget == b]) for b in budgets}}
    return found | {label: dict.fromkeys(budgets, name) for label, name in named.items()}


def _interval(values: np.ndarray, statistic: Callable[..., np.ndarray]) -> tuple[float, float]:
    """Bootstrap 95 % interval over runs."""
    rng = np.random.default_rng(0)
    drawn = statistic(values[rng.integers(0, len(values), (RESAMPLES, len(values)))], axis=1)
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def with_interval(values: np.ndarray, statistic: Callable[..., np.ndarray]) -> str:
    low, high = _interval(values, statistic)
    return f"{float(statistic(values, axis=0)):.4f} [{low:.4f}, {high:.4f}]"


def table(runs: pd.DataFrame, names: dict[str, dict[float, str]]) -> list[str]:
    """Every budget and contender, as lines of a Markdown table."""
    lines = [
        "| budget | scheduler | median regret | mean regret | completed only | rank | late killed | seen | spent |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for budget, (label, by_budget) in product(sorted(runs.budget.unique()), names.items()):
        rows = runs[(runs.contender == by_budget[budget]) & (runs.budget == budget)]
        regret = rows.regret.to_numpy()
        cells = [
            f"{budget:.0%}",
            label,
            with_interval(regret, np.median),
            with_interval(regret, np.mean),
            f"{rows.regret_completed.mean():.4f}",
            f"{rows['rank'].median():g}",
            f"{rows.late_killed.mean():.0%}",
            f"{rows.seen.mean():.0%}",
            f"{rows.spent.mean():.0%}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def claim(runs: pd.DataFrame, against: dict[str, dict[float, str]], mine: str) -> list[str]:
    """By budget and opponent, whether the median regret is at most half of the opponent's."""
    lines = [f"| budget | {mine} | " + " | ".join(against) + " |", "|---|---|" + "---|" * len(against)]
    every = tuple(sorted(runs.budget.unique()))
    for budgets in (*((budget,) for budget in every), every):
        ours = _regrets(runs, dict.fromkeys(budgets, mine))
        cells = [_says(ours, _regrets(runs, {b: by_budget[b] for b in budgets})) for by_budget in against.values()]
        name = f"{budgets[0]:.0%}" if len(budgets) == 1 else "all together"
        lines.append(f"| {name} | {np.median(ours):.4f} | " + " | ".join(cells) + " |")
    return lines


def _regrets(runs: pd.DataFrame, by_budget: dict[float, str]) -> np.ndarray:
    """Regrets, one row for each run and one column for each budget."""
    parts = [runs[(runs.contender == name) & (runs.budget == b)].sort_values("run") for b, name in by_budget.items()]
    return np.stack([part.regret.to_numpy() for part in parts], axis=1)


def _says(ours: np.ndarray, theirs: np.ndarray) -> str:
    """The opponent's median, whether ours is at most half of it, and in which share of bootstrap resamples it is."""
    draws = np.random.default_rng(0).integers(0, len(ours), (RESAMPLES, len(ours)))
    share = float((np.median(ours[draws], axis=(1, 2)) <= np.median(theirs[draws], axis=(1, 2)) / 2).mean())
    a, b = float(np.median(ours)), float(np.median(theirs))
    if a == b == 0:
        return "0.0000: both 0, no evidence"
    return f"{b:.4f}: {'holds' if a <= b / 2 else 'does not hold'} ({share:.0%})"
