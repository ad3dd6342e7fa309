"""Training by Vanilla SGD with Larger Learning Rates: verdicts on P2-14 to P2-22, and their figures.

Plain SGD at large learning rates (P2-14) is judged on the study ``lr_sweep``, SGDL against other optimizers on
``optimizers`` (P2-15 to P2-17, P2-21, P2-22) and ``imagenet32`` (P2-18). Speech and language (P2-19, P2-20) have no
task here; the claims on incremental gradient descent and on constant steps (P2-02 to P2-13) need no training: see
`tune_regimes.theory`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.document import Plate, Report
from analysis.figures.large_steps import errors_by_lr, optimizer_courses, sweep_courses, sweep_errors_by_lr
from analysis.reporting import best_plates, searched, stage_plate, task_name
from analysis.sgdl import imagenet32, large_steps

if TYPE_CHECKING:
    from tune_regimes.results import Results


def analyse(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """The report on a study of this paper.

    Args:
        results: The study.
        others: The same study on other tasks; no claim of this paper is about several at once.
    """
    return STUDIES[results.spec["origin"]["study"].partition(".")[2]](results)


def analyse_lr_sweep(results: "Results") -> Report:
    """P2-14, with Fig. 3."""
    own = searched(results)
    plates = (
        Plate(
            "courses",
            sweep_courses(own.trials, own.epochs),
            "Training and test error of plain SGD by learning rate (Fig. 3). Thin lines: runs; thick: means.",
        ),
        Plate(
            "errors_by_lr",
            sweep_errors_by_lr(own.trials),
            "Final test error of plain SGD against its first learning rate. Small marks: runs; line: means over seeds.",
        ),
    )
    return Report(results, large_steps.sweep_claims(own.trials), (*plates, *best_plates(results), stage_plate(results)))


def analyse_optimizers(results: "Results") -> Report:
    """P2-15 to P2-17, P2-21 and P2-22, with Figs. 4 and 8 to 15."""
    own = searched(results)
    plates = (
        Plate(
            "courses",
            optimizer_courses(own.trials, own.epochs),
            "Training and test error, each optimizer at the learning rate with the lowest mean final test error, SGDL "
            "among those of A.3.1 (Figs. 4, 8 to 15). Thin lines: runs; thick: means over seeds.",
        ),
        Plate(
            "errors_by_lr",
            errors_by_lr(own.trials),
            "Final test error against the first learning rate (Table 1). Small marks: runs; lines: means over seeds.",
        ),
    )
    drawn = (*plates, *best_plates(results), stage_plate(results))
    sections = {"Final test errors by optimizer": large_steps.error_lines(large_steps.errors(own.trials))}
    return Report(results, large_steps.claims(own.trials, task_name(results)), drawn, sections)


def analyse_imagenet32(results: "Results") -> Report:
    """P2-18, with Fig. 5."""
    own = searched(results)
    courses = Plate(
        "courses",
        optimizer_courses(own.trials, own.epochs),
        "Training and test error by optimizer; on ImageNet the test error by the five largest scores too (Fig. 5). "
        "Thin lines: runs; thick: means over seeds.",
    )
    drawn = (courses, *best_plates(results), stage_plate(results))
    sections = {"Lowest test errors by optimizer, mean over seeds": imagenet32.error_lines(own.trials)}
    return Report(results, imagenet32.claims(own.trials, task_name(results)), drawn, sections)


STUDIES: Mapping[str, Callable[..., Report]] = {
    "lr_sweep": analyse_lr_sweep,
    "optimizers": analyse_optimizers,
    "imagenet32": analyse_imagenet32,
}
