"""Jastrzebski et al., "The Break-Even Point on Optimization Trajectories of Deep Neural Networks" (2020): its studies.

Verdicts on P3-02, P3-04 to P3-12, P3-14 to P3-17 and P3-19 to P3-26, as far as they are about SimpleCNN, ResNet-32 and
the MLP, and the paper's Figs. 1 to 5, 7 to 13 and 18 to 26. The exact statements (P3-01 to P3-03 and others) are tested
in ``tests/theory`` and ``tests/probes``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.break_even import batch_norm_curvature, curvature_maxima, early_phase, single_examples
from analysis.break_even.curvature_runs import HESSIAN, LARGEST, RATIO, SCALE, SPAN, TRACE, describe_runs, varied
from analysis.document import Plate, Report
from analysis.figures.curvature import ACCURACIES, curvature_courses, maxima_by_setting
from analysis.figures.early_phase import growth, prediction_maps, single_against_batches, spectra_figure
from analysis.reporting import best_plates, searched, short_name, stage_plate, task_name
from analysis.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd

    from tune_regimes.results import Results

SMOOTHED = (
    "Lines: medians over seeds of moving averages of three looks; bands hold the seeds. Dotted: where the training "
    "accuracy reaches a multiple of 5 %, at most 65 %, that it reaches in every run."
)
WITH_LIMITS = f"{SMOOTHED} Dashed: 2 (1 + momentum) / lr for lambda_H^1, and 1 for Eq. 1."


def analyse(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """The report on a study of this paper.

    Args:
        results: The study.
        others: What it is compared with: for ``batch_norm`` the study ``no_batch_norm``, for ``batch_norm_<size>``
            those of the other batch sizes, for ``single_example`` the study ``mini_batch``, and the other way round.
    """
    return STUDIES[short_name(results)](results, others)


def analyse_lr(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P3-02, P3-04, P3-05, P3-09, P3-11 and P3-12, with Figs. 4, 5 and 10."""
    own = _tables(results)
    claims = {LARGEST: "P3-04", HESSIAN: "P3-04b", RATIO: "P3-05", TRACE: "P3-05b"}
    verdicts = (
        *curvature_maxima.at_break_even({HESSIAN: "P3-02", LARGEST: "P3-02b"}, *own),
        *curvature_maxima.conjectures(*own, claims),
        *curvature_maxima.at_equal_accuracy({LARGEST: "P3-09", RATIO: "P3-09b"}, *own),
        *curvature_maxima.near_two_over_lr(*own),
        *curvature_maxima.early(*own),
    )
    return _report(results, verdicts, *_plates(own, "Figs. 4, 5, 10"))


def analyse_batch_size(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P3-02, P3-04, P3-05, P3-09 to P3-11, with Figs. 4, 5 and 11."""
    own = _tables(results)
    claims = {LARGEST: "P3-04", HESSIAN: "P3-04b", RATIO: "P3-05", TRACE: "P3-10"}
    verdicts = (
        *curvature_maxima.at_break_even({HESSIAN: "P3-02", LARGEST: "P3-02b"}, *own),
        *curvature_maxima.conjectures(*own, claims),
        *curvature_maxima.at_equal_accuracy({LARGEST: "P3-09", RATIO: "P3-09b"}, *own),
        *curvature_maxima.near_two_over_lr(*own),
    )
    return _report(results, verdicts, *_plates(own, "Figs. 4, 5, 11; K of batches of one size throughout"))


def analyse_early(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P3-06 to P3-08 and P3-16, with Figs. 1 to 3 and 8."""
    kept = searched(results)
    trials, epochs, measurements, spectra = kept.trials, kept.epochs, kept.measurements, kept.spectra
    rows = early_phase.detailed(trials, epochs, measurements)
    plates = (
        Plate(
            "prediction_maps",
            prediction_maps(trials, rows, spectra),
            "Test predictions at each look, up to the training accuracy that all runs reach: two principal components "
            "of one-hot predictions (Figs. 1, 8, which use UMAP). Colour: the quantity above. Edge and marker: lr.",
        ),
        Plate(
            "growth",
            growth(trials, rows),
            "lambda_H^1, and the fall of the loss by one more step, against lambda_K^1 at each look (Fig. 2).",
        ),
        Plate(
            "spectra",
            spectra_figure(trials, rows, spectra),
            "Eigenvalues of K and the largest of H, by rank, where lambda_K^1 and lambda_H^1 are largest (Fig. 3); a "
            "line per run.",
        ),
        Plate("courses", curvature_courses(trials, epochs), f"The same over epochs. {WITH_LIMITS}"),
    )
    return _report(results, early_phase.claims(trials, epochs, measurements, spectra), *plates)


def analyse_batch_norm(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P3-14 and P3-15, with Fig. 7."""
    own = _tables(results)
    plain = next((_tables(each) for each in others if "_bn" not in task_name(each)), None)
    shown = (LARGEST, RATIO, SPAN, SCALE, HESSIAN, "train_accuracy")
    plates = [Plate("courses", curvature_courses(*own, shown), f"With BatchNorm (Fig. 7). {SMOOTHED}")]
    if plain is not None:
        drawn = curvature_courses(*plain, tuple(name for name in shown if name != SCALE))
        plates.append(Plate("courses_without", drawn, f"Without BatchNorm (Fig. 7). {SMOOTHED}"))
    verdicts = batch_norm_curvature.claims(*own, results.spec.get("task") or {}, plain)
    return _report(results, verdicts, *plates, _maxima(own))


def analyse_batch_norm_batch(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P3-26, with Fig. 26."""
    every = [(_batch_size(each), *_tables(each)) for each in (results, *others)]
    both = batch_norm_curvature.together(every)
    drawn = curvature_courses(*both, (LARGEST, RATIO, SPAN, SCALE, HESSIAN, "train_accuracy"))
    plate = Plate("courses", drawn, f"With BatchNorm, by batch size (Fig. 26). {SMOOTHED}")
    return _report(results, batch_norm_curvature.batch_claims(*both), plate, _maxima(both))


def analyse_single_example(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P3-17, with Fig. 9."""
    by_study = {short_name(each): each for each in (results, *others)}
    single, batches = (by_study.get(name) for name in ("single_example", "mini_batch"))
    nothing = tuple(table.iloc[:0] for table in _tables(results))
    pairs = single_examples.paired(
        nothing if single is None else _tables(single), nothing if batches is None else _tables(batches)
    )
    size = _batch_size(results)
    plate = Plate(
        "single_against_batches",
        single_against_batches(pairs, size),
        f"lambda_K^1 of mini-batches of M = {size} against that of single examples, a mark per look (Fig. 9). Dashed: "
        "1 / M.",
    )
    return _report(results, single_examples.claims(pairs, size), plate)


def _ordering(claim: str, figures: str) -> "Callable[[Results, Sequence[Results]], Report]":
    """The analysis of a study that has both conjectures under one claim's number."""

    def analyse_ordering(results: "Results", others: "Sequence[Results]" = ()) -> Report:
        own = _tables(results)
        columns = {LARGEST: claim, RATIO: f"{claim}b", TRACE: f"{claim}c", HESSIAN: f"{claim}d"}
        verdicts = list(curvature_maxima.conjectures(*own, columns))
        if claim == "P3-25":
            verdicts.append(curvature_maxima.before_the_drop(*own))
        return _report(results, verdicts, *_plates(own, figures))

    return analyse_ordering


def analyse_no_batch_norm(results: "Results", others: "Sequence[Results]" = ()) -> Report:
    """P3-04 and P3-05 at the learning rates of Fig. 7."""
    own = _tables(results)
    claims = {LARGEST: "P3-04", HESSIAN: "P3-04b", RATIO: "P3-05", TRACE: "P3-05b"}
    return _report(results, curvature_maxima.conjectures(*own, claims), *_plates(own, "Fig. 7"))


def _plates(tables: "tuple[pd.DataFrame, pd.DataFrame]", figures: str) -> tuple[Plate, ...]:
    return (
        Plate("courses", curvature_courses(*tables), f"Curvature along the training ({figures}). {WITH_LIMITS}"),
        _maxima(tables),
        Plate("accuracies", curvature_courses(*tables, ACCURACIES), f"Accuracies ({figures}). {SMOOTHED}"),
    )


def _maxima(tables: "tuple[pd.DataFrame, pd.DataFrame]") -> Plate:
    caption = (
        "The maxima along each training, of single looks, against what is varied. Marks: runs; lines: geometric means."
    )
    return Plate("maxima", maxima_by_setting(*tables), caption)


def _report(results: "Results", verdicts: Sequence[Verdict], *plates: Plate) -> Report:
    sections = {"Maxima, means over seeds": _lines(results)}
    drawn = (*plates, *best_plates(results), stage_plate(results))
    return Report(results, tuple(verdicts), drawn, {name: lines for name, lines in sections.items() if lines})


def _lines(results: "Results") -> list[str]:
    """The maxima in words, a line per value of what is varied, for comparison with printed numbers."""
    trials, epochs = _tables(results)
    runs = describe_runs(trials, epochs)
    names = {LARGEST: "lambda_K^1", RATIO: "ratio", TRACE: "Tr(K)", HESSIAN: "lambda_H^1", SPAN: "|g| / |g5|"}
    means = runs.groupby("arm")[[*names]].mean()
    setting = varied(trials).replace("_", " ")
    return [
        f"{setting} {arm:g}: "
        + ", ".join(f"{text} {row[name]:.3g}" for name, text in names.items() if row[name] == row[name])
        for arm, row in means.iterrows()
    ]


def _tables(results: "Results") -> "tuple[pd.DataFrame, pd.DataFrame]":
    own = searched(results)
    return own.trials, own.epochs


def _batch_size(results: "Results") -> int:
    return int(((results.spec.get("task") or {}).get("options") or {}).get("batch_size") or 1)


STUDIES: Mapping[str, Callable[..., Report]] = {
    "lr": analyse_lr,
    "batch_size": analyse_batch_size,
    "early": analyse_early,
    "batch_norm": analyse_batch_norm,
    "no_batch_norm": analyse_no_batch_norm,
    **{f"batch_norm_{size}": analyse_batch_norm_batch for size in (10, 32, 100, 320)},
    "momentum": _ordering("P3-23", "Figs. 20, 21"),
    "momentum_lr": _ordering("P3-24", "Figs. 22, 23"),
    "decay": _ordering("P3-25", "Figs. 24, 25"),
    "resnet32": _ordering("P3-19", "Figs. 4, 5, 12"),
    "resnet32_batch_size": _ordering("P3-19", "Figs. 4, 5, 13"),
    "mlp": _ordering("P3-22", "Figs. 18, 19"),
    "single_example": analyse_single_example,
    "mini_batch": analyse_single_example,
}
