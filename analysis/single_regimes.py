"""Does a schedule of two phases beat each of its regimes alone? For studies whose first points are these.

The best of several schedules looks better than it is, since it was chosen by the values that it is praised for. So the
schedule is chosen for each seed by its mean over the other seeds, and compared on the seed itself with each regime
alone: differences that are paired by seed and free of that choice.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 4 (each phase alone does worse).
"""

import json
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from analysis.statistics import ALPHA, Array, mean_effect
from analysis.tables import by_seed
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_all, judge_greater

if TYPE_CHECKING:
    from tune_regimes.results import Results

CLAIM = "locate"
STATEMENT = "A schedule of two phases beats each of its regimes alone"
TEST = "one-sided t tests of differences paired by seed; the schedule is chosen on the other seeds"
LARGE, SMALL = "large-step", "small-step"


def arms(trials: pd.DataFrame) -> pd.DataFrame:
    """Which regimes the schedule of each point has, from the names of its phases.

    Returns:
        One row per point: ``regimes``, "large-step", "small-step", "both" or "" (something else); ``label``, the
        learning rate and momentum of its first regime, and ``epochs``, for how long that lasts.
    """
    return pd.DataFrame({point: _arm(text) for point, text in trials.groupby("point")["schedule"].first().items()}).T


def is_two_phase(trials: pd.DataFrame) -> bool:
    """Whether a study has schedules of two phases and, beside them, at least one of the regimes alone."""
    if trials.empty or "schedule" not in trials:
        return False
    kinds = set(arms(trials)["regimes"])
    return "both" in kinds and bool(kinds & {LARGE, SMALL}) and "" not in kinds


def beats_single_regimes(results: "Results") -> Verdict:
    """The verdict on a study for which `is_two_phase` holds.

    A regime alone that diverged in a seed is beaten without a test, and named.
    """
    values, kinds = seed_values(results), arms(results.trials)
    both = values[kinds["regimes"].reindex(values.index) == "both"]
    singles = values[kinds["regimes"].reindex(values.index) != "both"]
    n = {"schedules": len(both), "regimes alone": len(singles), "seeds": values.shape[1]}
    if both.empty or singles.empty or values.shape[1] < 2:
        return Verdict(CLAIM, STATEMENT, UNDECIDED, TEST, n=n, note="too few points with all seeds, or one seed only")
    chosen = chosen_on_others(both)
    statistics: dict[str, Quantity] = {"best mean - best mean alone": _best(both) - _best(singles)}
    p_values, verdicts, lost = {}, [], []
    for point, row in singles.iterrows():
        label = str(kinds.at[point, "label"])
        if not np.isfinite(row).all():
            lost.append(label)
            continue
        effect = mean_effect(chosen - row.to_numpy(float))
        statistics[f"chosen - {label}"] = (effect.difference, *effect.interval(0.90))
        p_values[label] = effect.p_above()
        verdicts.append(judge_greater(effect, alpha_below=ALPHA / len(singles)))
    note = f"diverged alone: {', '.join(lost)}" if lost else ""
    return Verdict(CLAIM, STATEMENT, judge_all(verdicts), TEST, statistics, p_values, n, note)


def seed_values(results: "Results") -> pd.DataFrame:
    """The metric by point and seed, larger is better: points all of whose seeds ended; -inf where one diverged."""
    wide = by_seed(results.trials, results.metric).dropna()
    return wide if results.mode == "max" else -wide.replace(-np.inf, np.inf)


def chosen_on_others(values: pd.DataFrame) -> Array:
    """For each seed, the value of the row that has the best mean over the other seeds, shape [seeds].

    Examples:
        >>> chosen_on_others(pd.DataFrame([[1.0, 5.0, 1.0], [2.0, 2.0, 2.0]])).tolist()
        [1.0, 2.0, 1.0]
    """
    table = values.to_numpy(float)
    others = (np.delete(table, seed, axis=1).mean(axis=1) for seed in range(table.shape[1]))
    return np.array([table[int(np.argmax(means)), seed] for seed, means in enumerate(others)])


def _best(values: pd.DataFrame) -> float:
    return float(values.mean(axis=1).max())


def _arm(text: str) -> dict[str, object]:
    phases = cast(list[dict[str, object]], json.loads(text).get("phases", []))
    regimes = [phase for phase in phases if phase.get("name") in (LARGE, SMALL)]
    names = [str(phase["name"]) for phase in regimes]
    kind = "both" if names == [LARGE, SMALL] else names[0] if len(names) == 1 else ""
    if not kind:
        return {"regimes": "", "label": "", "epochs": 0}
    first = regimes[0]
    label = f"lr {first['lr']:g}, momentum {first.get('momentum') or 0:g}"
    return {"regimes": kind, "label": label, "epochs": first["epochs"]}
