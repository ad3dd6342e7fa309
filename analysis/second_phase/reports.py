"""Which optimizer should train the second phase: verdicts on what P0-23 leaves open, with a table and figures.

P0-23 is the schedule that the conclusion of *The Two Regimes of Deep Network Training* recommends: plain SGD, then SGD
with a larger momentum than usual. P0-23b to P0-23e ask whether another optimizer does better in the second phase, in as
many epochs (b, d) or seconds (c, e): K-FAC or L-BFGS (b, c), AdamW or Muon (d, e).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.document import Plate, Report, markdown_table
from analysis.figures.second_phase import courses, errors_by_lr
from analysis.reporting import best_plates, searched, stage_plate
from analysis.second_phase import phase_budgets

if TYPE_CHECKING:
    from tune_regimes.results import Results


def analyse(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """The report on a study of the second phase.

    Args:
        results: The study.
        others: The same study on other tasks; no claim is about several at once.
    """
    return STUDIES[results.spec["origin"]["study"].partition(".")[2]](results)


def analyse_optimizers(results: "Results") -> Report:
    """P0-23b to P0-23e, with the courses of the second phase over epochs and over seconds."""
    own = searched(results)
    tables = own.trials, own.epochs
    plates = (
        Plate(
            "courses",
            courses(*tables),
            "The second phase over epochs (left: training loss; middle: test accuracy) and over seconds (right), each "
            "optimizer at the learning rate with the lowest mean final test error. Thin lines: runs; thick: means over "
            "seeds; dashed: the seconds that SGD with momentum takes.",
        ),
        Plate(
            "errors_by_lr",
            errors_by_lr(*tables),
            "Test error against the learning rate of the second phase, in equal epochs (left) and in equal seconds "
            "(right). Small marks: runs; lines: means over seeds.",
        ),
    )
    reached = markdown_table(*phase_budgets.summary_cells(phase_budgets.summary(*tables)))
    sections = {"What each optimizer reaches": reached}
    drawn = (*plates, *best_plates(results), stage_plate(results))
    return Report(results, phase_budgets.claims(*tables), drawn, sections)


STUDIES: Mapping[str, Callable[..., Report]] = {"optimizers": analyse_optimizers}
