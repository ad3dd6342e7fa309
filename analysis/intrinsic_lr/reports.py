"""Li, Lyu and Arora, "Reconciling Modern Deep Learning with Traditional Optimization Analyses" (2020): its studies.

Verdicts on P4-01 and P4-08 to P4-35, as far as they are about networks, and the paper's Figs. 1 to 9 and 11 to 13.
The exact statements (P4-02 to P4-07 and others) are tested in ``tests/theory``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from analysis.document import Plate, Report
from analysis.figures.averages import pair_maps
from analysis.figures.courses import course_figure, with_errors
from analysis.figures.intrinsic_lr import accuracy_by_arm, prediction_distances, recovery_times
from analysis.intrinsic_lr import (
    averages,
    decay_kind,
    equilibrium,
    full_batch,
    initialisation,
    one_start,
    predictions,
    recovery,
    small_lr,
)
from analysis.intrinsic_lr.effective_lr import courses, stretches
from analysis.reporting import best_plates, searched, short_name, stage_plate, task_name
from analysis.verdicts import Verdict

if TYPE_CHECKING:
    from tune_regimes.results import Results

TABLE_1 = {number: f"schedule {number}" for number in "12345"}
FIG_3 = {"const": "constant", "lr_decay": "lr decay", "wd_decay": "weight decay decay"}
DISTANCES = (
    "Solid: between two, n runs from n of other seeds. Dotted: within one. Dashed: the sum of the two mean test errors."
)
BANDS = "Lines: means over seeds; bands hold all of them; dotted: changes of the settings."


def analyse(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """The report on a study of this paper.

    Args:
        results: The study.
        others: The same study on other tasks (P4-34, P4-35); of an initialisation, the studies of the others (P4-30c);
            of one start, the study of random starts (P4-31).
    """
    return STUDIES[short_name(results)](results, others)


def analyse_equilibrium(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-09, P4-01, P4-34 and P4-35, with Fig. 1 (12, 13)."""
    own = searched(results)
    verdicts = equilibrium.claims(own.trials, own.epochs)
    by_task = {task_name(each): _history(searched(each)) for each in (results, *others)}
    figure = _courses(own, equilibrium.BY, TABLE_1)
    plate = Plate("courses", figure, f"The five schedules of Table 1 (Fig. 1). {BANDS}")
    return _report(results, (*verdicts, *equilibrium.on_other_tasks(by_task)), plate)


def analyse_recovery(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-33 and P4-08, with Fig. 11."""
    own = searched(results)
    table = recovery.recoveries(own.trials, own.epochs)
    rows = courses(own.trials, own.epochs)
    rates = {str(rate): f"intrinsic lr {rate:g}" for rate in sorted(rows["config.intrinsic_lr"].dropna().unique())}
    plates = (
        Plate(
            "recovery_times",
            recovery_times(table),
            "Steps until the effective learning rate, and the training loss, are back after lr / 10 with weight decay "
            "x 10 (Fig. 11), and the effective learning rate in equilibrium. Dashed: what the theory predicts.",
        ),
        Plate(
            "courses",
            course_figure(rows, "config.intrinsic_lr", rates, x="step"),
            "The courses of the runs over steps; each changes in the middle (Fig. 11). Bands hold the seeds.",
        ),
    )
    return _report(results, recovery.claims(own.trials, own.epochs), *plates)


def analyse_decay_kind(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-19, P4-16 and P4-08, with Fig. 4."""
    own = searched(results)
    plate = Plate(
        "courses", _courses(own, decay_kind.BY, decay_kind.ARMS), f"Halving lr or weight decay (Fig. 4). {BANDS}"
    )
    return _report(results, decay_kind.claims(own.trials, own.epochs), plate)


def analyse_predictions(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-17, P4-11, P4-12 and P4-18, with Fig. 3."""
    own = searched(results)
    rows = courses(own.trials, own.epochs)
    predicted = predictions.read_predictions(own.trials, own.spectra)
    errors = {each.epoch: predictions.error_means(rows, each.epoch) for each in predicted}
    marks = [first - 1 for first, _ in stretches(rows)[1:]] if len(rows) else []
    drawn = course_figure(with_errors(rows), predictions.BY, FIG_3, ("test_error", "train_error"), marks)
    plates = (
        Plate("errors", drawn, f"Mean errors of the three schedules (Fig. 3a). {BANDS}"),
        Plate(
            "prediction_distances",
            prediction_distances(predicted, errors),
            f"Total variation of the predictions against the number of runs (Fig. 3b). {DISTANCES}",
        ),
    )
    return _report(results, predictions.claims(own.trials, own.epochs, predicted), *plates)


def analyse_one_start(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-31, with Fig. 9."""
    own = searched(results)
    rows = courses(own.trials, own.epochs)
    predicted = predictions.read_predictions(own.trials, own.spectra)
    errors = {each.epoch: predictions.error_means(rows, each.epoch) for each in predicted}
    across, errors_across = one_start.read_across(own, [searched(each) for each in others])
    plates = [
        Plate(
            "prediction_distances",
            prediction_distances(predicted, errors),
            f"Total variation of the predictions, all runs from one start (Fig. 9). {DISTANCES}",
        )
    ]
    if across:
        figure = prediction_distances(across, errors_across)
        caption = f"The constant schedule from one start against each schedule from random starts (Fig. 9). {DISTANCES}"
        plates.append(Plate("from_random_starts", figure, caption))
    return _report(results, one_start.claims(rows, predicted, across), *plates)


def analyse_small_lr(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-14, with Fig. 2a."""
    own = searched(results)
    names = {label: label for label in sorted(own.trials["config.label"].dropna().unique())}
    figure = _courses(own, "config.label", names, marked=False)
    plate = Plate(
        "courses", figure, "Schedules by label: numbers divide weight decay or lr by 10 (Fig. 2). Bands hold the seeds."
    )
    return _report(results, small_lr.claims(own.trials), plate)


def analyse_levels(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-15, with Fig. 2d."""
    own = searched(results)
    groups = small_lr.accuracies(own.trials, "lr")
    names = {level: f"lr {float(level):g}" for level in groups}
    by_lr = accuracy_by_arm({names[level]: values for level, values in groups.items()}, "learning rate before the drop")
    plates = (
        Plate("accuracy_by_lr", by_lr, "Test accuracy after lr / 10, by the lr of the equilibrium before (Fig. 2d)."),
        Plate("courses", _courses(own, "config.lr", names), f"The courses of the runs. {BANDS}"),
    )
    return _report(results, (small_lr.better_from_smaller(own.trials),), *plates)


def analyse_initialisation(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-30, with one column of Fig. 8."""
    own = searched(results)
    trials = {short_name(each): searched(each).trials for each in (results, *others)}
    rows = courses(own.trials, own.epochs)
    decays = rows["config.weight_decay"].map("{:g}".format).astype(str)
    rows["arm"] = rows["config.start"].astype(str) + " start, weight decay " + decays
    arms = {arm: arm for arm in sorted(rows["arm"].dropna().unique())}
    marks = [first - 1 for first, _ in stretches(rows)[1:]] if len(rows) else []
    plate = Plate(
        "courses", course_figure(rows, "arm", arms, marks=marks), f"Starts and weight decays (Fig. 8). {BANDS}"
    )
    return _report(results, initialisation.claims(own.trials, own.epochs, trials), plate)


def analyse_full_batch(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-21, with Fig. 5b and 5c."""
    own = searched(results)
    names = {"on": "weight decay, off at the end", "off": "no weight decay"}
    figure = _courses(
        own, "config.weight_decay", names, ("train_accuracy", "train_loss", "weight_norm", "effective_lr")
    )
    plate = Plate("courses", figure, f"Full-batch gradient descent (Figs. 5b, 5c). {BANDS}")
    return _report(results, full_batch.claims(own.trials, own.epochs), plate)


def analyse_averages(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P4-22 and P4-23, with Figs. 6 and 7."""
    own = searched(results)
    pairs = averages.read_pairs(own.trials, own.epochs, own.spectra)
    caption = (
        "Test accuracy of the average of two networks of one run, and their distance (Figs. 6, 7). On the diagonals: "
        "one network. Means over seeds."
    )
    return _report(results, averages.claims(pairs), Plate("pair_maps", pair_maps(pairs), caption))


def _courses(
    results: "Results",
    by: str,
    names: Mapping[str, str],
    columns: Sequence[str] = ("test_accuracy", "train_accuracy", "weight_norm", "effective_lr"),
    marked: bool = True,
) -> Figure:
    rows: pd.DataFrame = courses(results.trials, results.epochs)
    marks = [first - 1 for first, _ in stretches(rows)[1:]] if marked and len(rows) else []
    return course_figure(rows, by, names, columns, marks)


def _report(results: "Results", verdicts: Sequence[Verdict], *plates: Plate) -> Report:
    return Report(results, tuple(verdicts), (*plates, *best_plates(results), stage_plate(results)))


def _history(results: "Results") -> Verdict:
    return next(v for v in equilibrium.claims(results.trials, results.epochs) if v.claim == "P4-01")


STUDIES: Mapping[str, Callable[..., Report]] = {
    "equilibrium": analyse_equilibrium,
    "recovery": analyse_recovery,
    "decay_kind": analyse_decay_kind,
    "predictions": analyse_predictions,
    "predictions_one_start": analyse_one_start,
    "small_lr": analyse_small_lr,
    "levels": analyse_levels,
    **{
        f"initialisation_{name}": analyse_initialisation
        for name in ("ntk", "kaiming", "kaiming_times_1000", "kaiming_by_1000")
    },
    "full_batch": analyse_full_batch,
    "averages": analyse_averages,
}
