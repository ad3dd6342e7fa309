"""Leclerc and Madry, "The Two Regimes of Deep Network Training" (2020): verdicts on its claims, and their figures.

The claims on momentum in each regime (P0-03 to P0-05 and P0-10) are judged on the study ``momentum``, those on full
gradients (P0-11, P0-12) on ``gradient_descent``, those on momentum and step size (P0-13 to P0-17) on ``lr_momentum``,
those on the transition (P0-18 to P0-21) on ``transition_epoch``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from analysis.document import Plate, Report
from analysis.figures.lr_momentum import accuracy_by_lr, best_loss_curves, located_regimes, matched_lrs
from analysis.figures.momentum_regimes import loss_courses, momentum_courses
from analysis.figures.transition_epoch import accuracy_by_transition_epoch, accuracy_distributions
from analysis.regimes import regime_lines
from analysis.reporting import best_plates, searched, stage_plate, task_name
from analysis.tables import seed_distance
from analysis.two_regimes import gradient_descent, momentum_regimes
from analysis.two_regimes.lr_momentum import (
    MATCHED_EPOCHS,
    best_curves_alike,
    linear_matches,
    matched_baseline,
    on_architectures,
    same_best_step_size,
    sound_sweeps,
    sweep_table,
)
from analysis.two_regimes.transition_epoch import claims
from analysis.verdicts import Verdict
from search_spaces.two_regimes import PAPER, RATES, Rates
from search_spaces.two_regimes_momentum import STOCHASTIC
from tune_regimes.results.regimes import locate_regimes

if TYPE_CHECKING:
    from tune_regimes.results import Results


def analyse(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """The report on a study of this paper.

    Args:
        results: The study.
        others: The same study on other tasks (P0-15).
    """
    return STUDIES[results.spec["origin"]["study"].partition(".")[2]](results, others)


def analyse_transition_epoch(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P0-18 to P0-21, with Figs. 6, 7 and 13."""
    trials = searched(results).trials
    plates = (
        Plate(
            "accuracy_by_transition_epoch",
            accuracy_by_transition_epoch(trials),
            "Test accuracy against the transition epoch (Fig. 7). Small marks: runs. Lines: medians of bins of equal "
            "counts of points, with their quartiles. Dashed: the best three-step schedule, with its 95 % interval.",
        ),
        Plate(
            "accuracy_distributions",
            accuracy_distributions(trials),
            "Distributions of test accuracy over random transition epochs (Figs. 6, 13), with and without momentum in "
            "phase 1. Marks: points, means over seeds. Boxes: the middle half and the median.",
        ),
    )
    return Report(results, claims(trials), (*plates, *best_plates(results), stage_plate(results)))


def analyse_lr_momentum(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P0-13 to P0-17, with Figs. 4, 5 and 12 and where the two regimes lie."""
    own = searched(results)
    trials, epochs = own.trials, own.epochs
    plates = (
        Plate(
            "accuracy_by_lr",
            accuracy_by_lr(trials, epochs),
            "Test accuracy against learning rate and step size (Fig. 4). Bars hold the seeds.",
        ),
        Plate(
            "best_loss_curves",
            best_loss_curves(trials, epochs),
            "Training loss at the best learning rate of each momentum (Fig. 5); bands hold the seeds.",
        ),
        Plate(
            "matched_lrs",
            matched_lrs(sound_sweeps(trials, epochs), seed_distance(trials, epochs)),
            "The learning rate with momentum whose training-loss curve is nearest to that of one without, and the "
            "distance (Fig. 12). Open marks: the match lies at the end of what was sampled.",
        ),
        Plate(
            "located_regimes",
            located_regimes(trials, epochs),
            "What locates the regimes: the last training loss, and the share of epochs in which it falls.",
        ),
    )
    sections = {"Where the regimes lie": regime_lines(locate_regimes(trials, epochs))}
    drawn = (*plates, *best_plates(results), stage_plate(results))
    return Report(results, sweep_verdicts(own, [searched(other) for other in others]), drawn, sections)


def analyse_momentum(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P0-03 to P0-05 and P0-10, with Figs. 1 and 3."""
    own = searched(results)
    trials, epochs = own.trials, own.epochs
    threshold = STOCHASTIC.get(results.spec["origin"].get("scale"), STOCHASTIC["paper"]).threshold
    plates = (
        Plate(
            "loss_courses",
            loss_courses(trials, epochs, threshold),
            "Training loss in both regimes (Fig. 1). Lines: geometric means over seeds; thin lines: runs. Dotted: the "
            "loss of P0-05.",
        ),
        Plate(
            "momentum_courses",
            momentum_courses(trials, epochs),
            "Scale (top) and alignment (bottom) of the momentum after each epoch (Fig. 3). Lines: means over seeds, "
            "geometric ones of the scale; thin lines: runs. Dotted: the scale 1 / (1 - momentum) of equal gradients, "
            "and alignment 0.",
        ),
    )
    sections = {
        "Alignment and scale": momentum_regimes.momentum_lines(trials, epochs),
        "Epochs to other losses": momentum_regimes.speed_lines(trials, epochs, threshold),
    }
    drawn = (*plates, *best_plates(results), stage_plate(results))
    return Report(results, momentum_regimes.claims(trials, epochs, threshold), drawn, sections)


def analyse_gradient_descent(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P0-11 and P0-12, with Figs. 9 and 10."""
    own = searched(results)
    trials, epochs = own.trials, own.epochs
    swept = gradient_descent.sweep_trials(trials)
    plates = (
        Plate(
            "loss_courses",
            loss_courses(trials, epochs, x="step"),
            "Training loss with full gradients, one step an epoch (Fig. 9). Lines: geometric means over seeds; thin "
            "lines: runs.",
        ),
        Plate(
            "accuracy_by_lr",
            accuracy_by_lr(swept, epochs),
            "Test accuracy against learning rate and step size with full gradients and without weight decay (Fig. 10). "
            "Bars hold the seeds.",
        ),
    )
    sections = {"Where the regimes lie": regime_lines(locate_regimes(swept, epochs))}
    drawn = (*plates, *best_plates(results), stage_plate(results))
    return Report(results, gradient_descent.claims(trials, epochs), drawn, sections)


def sweep_verdicts(results: "Results", others: "Sequence[Results]" = ()) -> tuple[Verdict, ...]:
    """The verdicts on P0-13 to P0-17."""
    trials, epochs = results.trials, results.epochs
    table, curves, yardstick = sweep_table(trials, epochs), sound_sweeps(trials, epochs), seed_distance(trials, epochs)
    by_task = {
        task_name(each): same_best_step_size(sweep_table(each.trials, each.epochs)) for each in (results, *others)
    }
    return (
        by_task[task_name(results)],
        best_curves_alike(table, curves, yardstick),
        on_architectures(by_task),
        linear_matches(curves, yardstick),
        matched_baseline(
            sound_sweeps(trials, epochs, MATCHED_EPOCHS), _constants(PAPER)[2], _baseline(results), yardstick
        ),
    )


def _baseline(results: "Results") -> tuple[float, float]:
    """Learning rate and momentum of the large-step phase with momentum, at the scale of the study."""
    return _constants(RATES.get(results.spec["origin"].get("scale"), PAPER))[:2]


def _constants(rates: Rates) -> tuple[float, float, float]:
    """Learning rate and momentum of the phase 1 with momentum, and the learning rate of the one without."""
    large = rates.large
    return cast(tuple[float, float, float], (large["momentum"].lr, large["momentum"].momentum, large["no_momentum"].lr))


STUDIES: Mapping[str, Callable[..., Report]] = {
    "transition_epoch": analyse_transition_epoch,
    "lr_momentum": analyse_lr_momentum,
    "momentum": analyse_momentum,
    "gradient_descent": analyse_gradient_descent,
}
