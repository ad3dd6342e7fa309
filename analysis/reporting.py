"""From a study to its report: the analysis of the paper that it belongs to, or a general one."""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from analysis.document import Plate, Report
from analysis.figures.generic import metric_by_setting, schedule_of_trial
from analysis.figures.single_regimes import against_single_regimes
from analysis.figures.stage_tree import stage_tree
from analysis.single_regimes import beats_single_regimes, is_two_phase
from analysis.stage_tree import stage_trees, tally
from tune_regimes.errors import StudyError
from tune_regimes.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tune_regimes.results import Results

PAPERS = ("two_regimes", "autodrop", "intrinsic_lr", "sgdl", "second_phase", "break_even")
"""Packages that judge the studies of a paper; ``reports`` in each has ``analyse`` and ``STUDIES``."""


def analyse(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """Judge a study's claims and draw its figures.

    Args:
        results: The study; one that is in no catalogue gets the figures that any study has.
        others: The same study on other tasks, for claims about several.

    Raises:
        StudyError: No trial is stored yet.
    """
    if results.trials.empty:
        raise StudyError(f"a report needs trials; {results.storage} holds none yet: run or resume the study first")
    paper, name = _origin(results)
    if paper in PAPERS and name in (module := import_module(f"analysis.{paper}.reports")).STUDIES:
        found: Report = module.analyse(results, others)
        return found
    if is_two_phase(results.trials):
        return _against_single_regimes(results)
    return Report(results, plates=(*best_plates(results), setting_plate(results), stage_plate(results)))


def _against_single_regimes(results: "Results") -> Report:
    """The report of a study that has its regimes alone among its points, as the spaces of ``locate`` do."""
    own = searched(results)
    caption = (
        f"{results.metric.replace('_', ' ').capitalize()} of each schedule, mean over seeds (bars: all seeds), against "
        "the length of its large-step phase; lines and bands: the regimes alone."
    )
    plate = Plate("against_single_regimes", against_single_regimes(own), caption)
    return Report(results, (beats_single_regimes(own),), (plate, *best_plates(results), stage_plate(results)))


def report(
    results: "Results", directory: "str | os.PathLike[str] | Storage", others: "Sequence[Results]" = ()
) -> list[str]:
    """Analyse a study and write ``report.md`` with its figures as PNG files.

    Args:
        results: The study.
        directory: Where to, a path or an address; what an earlier report wrote there is replaced.
        others: The same study on other tasks, for claims about several.

    Returns:
        The paths of the files.

    Raises:
        StudyError: No trial is stored yet.
        StorageError: The files cannot be written.
    """
    return analyse(results, others).write(directory)


def searched(results: "Results") -> "Results":
    """What the space gave, without forked trials: claims and figures about the space are about these."""
    return results.without_forks() if len(results.forks) else results


def short_name(results: "Results") -> str:
    """The name of a study of the catalogue without its paper."""
    return _origin(results)[1]


def _origin(results: "Results") -> tuple[str, str]:
    paper, _, name = str((results.spec.get("origin") or {}).get("study", "")).partition(".")
    return paper, name


def task_name(results: "Results") -> str:
    """The name of the task that a study trains, ``"this task"`` where its specification has none."""
    return str((results.spec.get("task") or {}).get("name", "this task"))


def best_plates(results: "Results") -> tuple[Plate, ...]:
    """The best trial's schedule and course; nothing where no trial completed."""
    try:
        best = results.best()
    except StudyError:
        return ()
    caption = (
        f"The best trial, {best.trial_id}: learning rate and momentum as trained, test accuracy and training loss."
    )
    return (Plate("best_schedule", schedule_of_trial(results.epochs, best.trial_id), caption),)


def setting_plate(results: "Results") -> Plate:
    """The study's metric against each numeric setting that was searched."""
    caption = (
        f"{results.metric} of each point, mean and 95 % interval over seeds, against each number that was searched."
    )
    return Plate("metric_by_setting", metric_by_setting(searched(results).trials, results.metric), caption)


def stage_plate(results: "Results") -> Plate:
    """The stage tree of the study as it ran, with what sharing saved."""
    trees = stage_trees(results.trials, results.epochs)
    caption = (
        f"{tally(results.epochs, trees).sentence()} A branch per trial from the epoch at which it parts from the "
        f"others, coloured by its final {results.metric.replace('_', ' ')}; grey: what several trials have in common. "
        "Trials of different seeds share nothing."
    )
    return Plate("stage_tree", stage_tree(trees, results.trials, results.metric, results.mode), caption)
