"""Claims P4-30 on the studies ``initialisation_*``: large steps and a large weight decay rescue a start at a bad scale.

While the effective learning rate is far below its equilibrium the gradient moves nothing, and weight decay alone acts:
log norm(w)^2 falls by 2 lr weight_decay / (1 - momentum) per step, in the ratios 1 : 10 : 5 : 50 for the four settings.

Source: Li, Lyu and Arora, 2020, App. E, Fig. 8.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.groups import all_alike, pair_effect, too_few
from analysis.intrinsic_lr.effective_lr import FACTOR, MARGIN, courses, known, stretches
from analysis.statistics import MARGIN as ACCURACY_MARGIN
from analysis.statistics import Array, mean_effect
from analysis.tables import by_seed, configs
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_equivalence, judge_greater

NEGLIGIBLE = 0.1
"""Share of the equilibrium's effective learning rate below which the gradient counts as moving nothing: it then adds
1 % of what weight decay takes."""
FEWEST_EPOCHS = 3
SLOPE = (
    f"TOST of the mean log ratio of the slope of log norm^2 to -2 lr weight_decay / (1 - momentum), factor {FACTOR:g}"
)
RESCUE = "one-sided Welch test of final test accuracy"


def claims(
    trials: pd.DataFrame, epochs: pd.DataFrame, others: Mapping[str, pd.DataFrame] | None = None
) -> tuple[Verdict, ...]:
    """The verdicts on the slopes, on the rescue, and on the four initialisations together.

    Args:
        trials: Trials of the study of one initialisation.
        epochs: Their epochs.
        others: Trials of the studies of all initialisations by name, for the last.
    """
    return decays_alone(slopes(trials, epochs)), rescued(trials), robust(others or {})


def slopes(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """Slopes of log norm^2 per step while the gradient is negligible, one row per run that has such epochs.

    Columns: ``start``, ``weight_decay``, ``measured`` and ``predicted`` slope, ``epochs``.
    """
    rows = courses(trials, epochs)
    columns = ["start", "weight_decay", "measured", "predicted", "epochs"]
    # In equilibrium the effective lr is in proportion to the root of the intrinsic one: the largest ratio of any run.
    later = rows[(rows["epoch"] > 1) & (rows["intrinsic_lr"] > 0)]
    ratio = float((later["effective_lr"] / np.sqrt(later["intrinsic_lr"])).max()) if len(later) else 0.0
    found = [_slope(run, ratio) for _, run in rows.groupby("trial_id")] if known(rows) else []
    return pd.DataFrame([row for row in found if row is not None], columns=columns)


def decays_alone(table: pd.DataFrame) -> Verdict:
    """P4-30: the measured slopes are the predicted ones."""
    statement = "While the gradient is negligible, log norm^2 falls by 2 lr x weight decay per step (1 : 10 : 5 : 50)"
    ratios = table["measured"].to_numpy(float) / table["predicted"].to_numpy(float)
    usable = np.log(ratios[ratios > 0])
    n = {"runs": len(table)}
    if len(usable) < 2 or len(usable) < len(ratios):
        note = "no two runs whose gradient is negligible at first" if len(ratios) < 2 else "in some run the norm rises"
        return Verdict("P4-30", statement, UNDECIDED, SLOPE, n=n, note=note)
    effect = mean_effect(usable)
    statistics: dict[str, Quantity] = {
        f"{start} start, weight decay {decay:g}": float(part.mean())
        for (start, decay), part in table.groupby(["start", "weight_decay"])["measured"]
    }
    statistics["measured / predicted"] = (np.exp(effect.difference), *np.exp(effect.interval(0.90)))
    return Verdict("P4-30", statement, judge_equivalence(effect, MARGIN), SLOPE, statistics, n=n)


def rescued(trials: pd.DataFrame) -> Verdict:
    """P4-30b: a large start with the large weight decay beats a small start with the small one."""
    statement = "Large initial lr and large weight decay reach a higher test accuracy than small ones"
    groups = {
        name: values
        for name, values in (("large", _arm(trials, "large", True)), ("small", _arm(trials, "small", False)))
        if len(values)
    }
    n = {name: len(values) for name, values in groups.items()}
    if reason := too_few(groups):
        return Verdict("P4-30b", statement, UNDECIDED, RESCUE, n=n, note=reason)
    effect = pair_effect(*groups.values())
    statistics: dict[str, Quantity] = {name: float(values.mean()) for name, values in groups.items()}
    statistics["difference"] = (effect.difference, *effect.interval(0.90))
    return Verdict("P4-30b", statement, judge_greater(effect), RESCUE, statistics, {"greater": effect.p_above()}, n)


def robust(by_name: Mapping[str, pd.DataFrame], margin: float = ACCURACY_MARGIN) -> Verdict:
    """P4-30c: with large steps and weight decay at first, every initialisation ends at the same test accuracy."""
    statement = "With large initial lr and weight decay the initialisation makes no difference"
    groups = {name: values for name, trials in by_name.items() if len(values := _arm(trials, "large", True))}
    return all_alike("P4-30c", statement, groups, margin, "final test accuracy")


def _arm(trials: pd.DataFrame, start: str, large_decay: bool) -> Array:
    settings = configs(trials)
    decay = settings["weight_decay"].max() if large_decay else settings["weight_decay"].min()
    chosen = settings.index[(settings["start"] == start) & (settings["weight_decay"] == decay)]
    values = by_seed(trials).loc[chosen].to_numpy(float).ravel()
    return values[np.isfinite(values)]


def _slope(run: pd.DataFrame, ratio: float) -> list[object] | None:
    first, last = stretches(run)[0]
    # From the second epoch on: in the first the momentum buffer fills.
    inside = run[run["epoch"].between(max(first, 2), last)]
    equilibrium = ratio * np.sqrt(inside["intrinsic_lr"].to_numpy(float))
    small = inside["effective_lr"].to_numpy(float) < NEGLIGIBLE * equilibrium
    count = int(np.argmin(small)) if not small.all() else len(small)
    if count < FEWEST_EPOCHS:
        return None
    part = inside.iloc[:count]
    measured = float(np.polyfit(part["step"], 2 * np.log(part["weight_norm"].to_numpy(float)), 1)[0])
    predicted = -2 * float(part["intrinsic_lr"].iloc[0])
    return [part["config.start"].iloc[0], part["config.weight_decay"].iloc[0], measured, predicted, count]
