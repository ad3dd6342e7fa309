"""Teng, Wang and Choromanska, "AutoDrop": verdicts on P1-07 and P1-17 to P1-25, and their figures.

What the angular velocity does (P1-07) is judged on the study ``angular_velocity``, AutoDrop against drops at fixed
epochs on ``table`` (P1-17 to P1-20, P1-22, P1-24, P1-25), ``imagenet`` (P1-21) and ``initial_lr`` (P1-23 to P1-25).
The claims on the noisy quadratic and on the velocity model need no training: see :mod:`analysis.theory`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.autodrop import angular_velocity, automatic_drops
from analysis.autodrop.autodrop_tables import printed_factor, printed_robustness, printed_spread
from analysis.document import Plate, Report
from analysis.figures.angular_velocity import loss_and_velocity, saturation_by_lr
from analysis.figures.automatic_drops import courses, final_errors
from analysis.reporting import best_plates, searched, stage_plate, task_name

if TYPE_CHECKING:
    from tune_regimes.results import Results


def analyse(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """The report on a study of this paper.

    Args:
        results: The study.
        others: The same study on other tasks (P1-18 to P1-20, P1-22b).
    """
    return STUDIES[results.spec["origin"]["study"].partition(".")[2]](results, others)


def analyse_angular_velocity(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P1-07, with Fig. 2."""
    own = searched(results)
    tables = own.trials, own.epochs
    plates = (
        Plate(
            "loss_and_velocity",
            loss_and_velocity(*tables),
            "Training loss and angular velocity at constant learning rates (Fig. 2). Lines: means over seeds; bands "
            "hold the seeds. Dotted: 90 and 120 degrees.",
        ),
        Plate(
            "saturation_by_lr",
            saturation_by_lr(*tables),
            "Where the angular velocity saturates: its level over the last third of the epochs, the epoch at which "
            "90 % of the rise is made, and the standard deviation of its change from epoch to epoch in the last third. "
            "Marks: runs; lines: means.",
        ),
    )
    return Report(results, angular_velocity.claims(*tables), (*plates, *best_plates(results), stage_plate(results)))


def analyse_table(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P1-17 to P1-20, P1-22, P1-24 and P1-25, with Table 1 and Figs. 6 to 12."""
    own = searched(results)
    tables = own.trials, own.epochs
    every = [own, *(searched(other) for other in others)]
    verdicts = (
        *automatic_drops.table_claims({task_name(each): (each.trials, each.epochs) for each in every}),
        printed_factor(),
        automatic_drops.earlier(*tables),
        automatic_drops.complete_records(own.epochs),
    )
    drawn = (_courses(own), _ends(own, "Table 1", "bars"), *best_plates(results), stage_plate(results))
    return Report(results, verdicts, drawn, _sections(own))


def analyse_imagenet(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P1-21 and P1-25, with the last row of Table 1 and Fig. 12."""
    own = searched(results)
    verdicts = (
        automatic_drops.imagenet_claim(own.trials, task_name(results)),
        automatic_drops.complete_records(own.epochs),
    )
    drawn = (_courses(own), _ends(own, "Table 1", "bars"), *best_plates(results), stage_plate(results))
    return Report(results, verdicts, drawn, _sections(own))


def analyse_initial_lr(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P1-23 to P1-25, with Table 2."""
    own = searched(results)
    verdicts = (
        printed_robustness(),
        automatic_drops.better_at_each_lr(own.trials),
        printed_spread(),
        automatic_drops.less_spread(own.trials),
        automatic_drops.earlier(own.trials, own.epochs),
        automatic_drops.complete_records(own.epochs),
    )
    drawn = (_ends(own, "Table 2", "lines"), *best_plates(results), stage_plate(results))
    return Report(results, verdicts, drawn, _sections(own))


def _courses(own: "Results") -> Plate:
    caption = (
        "Learning rate, training loss and test error over the epochs, and the end of the test error (Figs. 6, 8 to "
        "12). Thin lines: runs; thick lines: means over seeds."
    )
    return Plate("courses", courses(own.trials, own.epochs), caption)


def _ends(own: "Results", table: str, means: str) -> Plate:
    caption = (
        f"Final test error ({table}), and the epoch of the lowest test error (Fig. 7). Marks: seeds; {means}: means."
    )
    return Plate("final_errors", final_errors(own.trials, own.epochs), caption)


def _sections(own: "Results") -> Mapping[str, Sequence[str]]:
    return {
        "Final test errors, mean and standard deviation over seeds": automatic_drops.error_lines(own.trials),
        "Drops of the learning rate, seed by seed": automatic_drops.drop_lines(own.trials, own.epochs),
    }


STUDIES: Mapping[str, Callable[..., Report]] = {
    "angular_velocity": analyse_angular_velocity,
    "table": analyse_table,
    "imagenet": analyse_imagenet,
    "initial_lr": analyse_initial_lr,
}
