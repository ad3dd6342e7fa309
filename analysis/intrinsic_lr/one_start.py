"""Claim P4-31 on the study ``predictions_one_start``: schedules predict alike from one random start too.

The paper's text starts all runs of Fig. 9 from one random sample; its caption sets "schedule Const with fixed w_0"
against "other schedules". Both readings are judged: the schedules among each other, all from one start, and the
constant schedule from one start against each schedule from random starts, where the study ``predictions`` is given.

Source: Li, Lyu and Arora, 2020, App. F.1, Fig. 9.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.intrinsic_lr.effective_lr import courses
from analysis.intrinsic_lr.predictions import (
    BY,
    Predicted,
    error_means,
    far_under_errors,
    looks,
    read_predictions,
    same_predictions,
)
from analysis.reporting import task_name
from analysis.verdicts import Verdict

if TYPE_CHECKING:
    from tune_regimes.results import Results

CONSTANT = "const"
FIXED = "const from one start"
"""The name of the constant schedule from one start, beside schedules from random ones."""
NOT_GIVEN = "no predictions from random starts: report it --with the study intrinsic_lr.predictions at this scale"


def claims(rows: pd.DataFrame, predicted: list[Predicted], across: list[Predicted]) -> tuple[Verdict, ...]:
    """P4-31: alike in equilibrium and after the fine-tuning (b), as from random starts (c, d), far under errors (e).

    Args:
        rows: The epochs of the runs from one start, from :func:`analysis.intrinsic_lr.effective_lr.courses`.
        predicted: Their predictions.
        across: From :func:`read_across`.
    """
    before, after = looks(rows, predicted)
    known_before, known_after = looks(rows, across)
    alike, as_random = "From one start in all runs the schedules predict alike", "Const from one start predicts"
    return (
        same_predictions("P4-31", f"{alike} in equilibrium", before),
        same_predictions("P4-31b", f"{alike} after the fine-tuning", after),
        same_predictions("P4-31c", f"{as_random} in equilibrium as from random starts", known_before, NOT_GIVEN),
        same_predictions("P4-31d", f"{as_random} after the fine-tuning as from random starts", known_after, NOT_GIVEN),
        far_under_errors("P4-31e", rows, (before, after)),
    )


def read_across(own: "Results", others: "Sequence[Results]") -> tuple[list[Predicted], dict[int, dict[str, float]]]:
    """The constant schedule from one start beside all schedules from random ones: predictions, and errors by epoch.

    Nothing where no study of the same task, but for its start, is among the others.

    Args:
        own: The study from one start.
        others: Others, of which the first that fits is taken.
    """
    task = _but_for_the_start(own)
    random = next((each for each in others if _random(each) and _but_for_the_start(each) == task), None)
    if random is None:
        return [], {}
    trials = own.trials[own.trials[BY] == CONSTANT].assign(**{BY: FIXED})
    every = pd.concat([_named(trials), random.trials], ignore_index=True)
    epochs = pd.concat([_named(own.epochs), random.epochs], ignore_index=True)
    spectra = pd.concat([_named(own.spectra), random.spectra], ignore_index=True)
    found = [replace(each, reference=FIXED) for each in read_predictions(every, spectra)]
    rows = courses(every, epochs)
    return found, {each.epoch: error_means(rows, each.epoch) for each in found}


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Trials under names that no other study has."""
    return table.assign(trial_id="one start " + table["trial_id"].astype(str))


def _options(results: "Results") -> dict[str, Any]:
    return dict((results.spec.get("task") or {}).get("options", {}))


def _random(results: "Results") -> bool:
    origin = str((results.spec.get("origin") or {}).get("study", ""))
    return origin == "intrinsic_lr.predictions" and "init_seed" not in _options(results)


def _but_for_the_start(results: "Results") -> tuple[str, dict[str, Any]]:
    apart = ("init_seed", "data", "download")
    return task_name(results), {option: value for option, value in _options(results).items() if option not in apart}
