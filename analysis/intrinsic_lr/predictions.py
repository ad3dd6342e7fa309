"""Claims P4-17, P4-11, P4-12 and P4-18 on the study ``predictions``: schedules that meet predict alike.

Errors come from the epochs table, predictions from the spectra: the study's probe ``predictions`` leaves them there.

Source: Li, Lyu and Arora, 2020, Sec. 6.1, Fig. 3, Conjectures 5.3 and 5.4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.groups import all_alike, together
from analysis.intrinsic_lr.effective_lr import courses, tail_of, window_means
from analysis.intrinsic_lr.equilibrium import meeting
from analysis.intrinsic_lr.total_variation import Predictions, distances_between, excess
from analysis.statistics import ALPHA, MARGIN, Array
from analysis.verdicts import UNDECIDED, Quantity, Verdict, judge_all, judge_equivalence, judge_interval

BY = "config.schedule"
SPECTRUM = "predicted_class"
MARGIN_OF_DISTANCE = 0.02
"""Total variation that counts as none, beyond that between runs of one schedule."""
FEWEST = 8
"""Runs that each schedule must have for their predictions to be compared."""
FAR_UNDER = 0.5
"""Share of the sum of the two mean test errors that is far under it."""
EXCESS = (
    "TOST, for every pair, of the distance between schedules less that within one (halves of the seeds, jackknife), "
    "margin {0:g}"
)
MISSING = "predictions are missing: run the study with --probe predictions"


@dataclass(frozen=True)
class Predicted:
    """Predictions of the completed runs after one epoch.

    Args:
        epoch: Epochs trained.
        classes: How many classes there are.
        by_schedule: Predictions of shape [runs, examples] by schedule, of the same seeds in the same order.
        reference: The schedule that all others are compared with; empty where each is compared with each.
    """

    epoch: int
    classes: int
    by_schedule: Mapping[str, Predictions]
    reference: str = ""

    @property
    def runs(self) -> int:
        """Runs of each schedule."""
        return min(map(len, self.by_schedule.values()))

    @property
    def counts(self) -> list[int]:
        """Numbers of runs, doubling up to half of them, at which distances are drawn."""
        most = self.runs // 2
        return [2**power for power in range(1, 12) if 2**power < most] + [most] * (most > 0)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The schedules that are compared."""
        found = combinations(sorted(self.by_schedule, key=lambda name: name != self.reference), 2)
        return [pair for pair in found if self.reference in ("", pair[0])]


def read_predictions(trials: pd.DataFrame, spectra: pd.DataFrame) -> list[Predicted]:
    """The predictions after each epoch that a probe looked at, of the seeds that completed with every schedule."""
    done = trials[trials["status"] == "completed"][["trial_id", "seed", BY]].rename(columns={BY: "schedule"})
    every = spectra[spectra["name"] == SPECTRUM].merge(done, on="trial_id")
    classes = 0 if every.empty else int(every["value"].max()) + 1
    return [_predicted(int(epoch), classes, part) for epoch, part in every.groupby("epoch")]


def _predicted(epoch: int, classes: int, table: pd.DataFrame) -> Predicted:
    own = table.drop_duplicates(["schedule", "seed", "index"]).groupby("schedule")
    by_seed = {str(name): part.pivot(index="seed", columns="index", values="value") for name, part in own}
    seeds = sorted(set.intersection(*(set(part.index) for part in by_seed.values())))
    return Predicted(
        epoch, max(classes, 2), {name: part.loc[seeds].to_numpy(np.int64) for name, part in by_seed.items()}
    )


def claims(
    trials: pd.DataFrame, epochs: pd.DataFrame, predicted: list[Predicted], margin: float = MARGIN
) -> tuple[Verdict, ...]:
    """The verdicts on P4-17 in both stretches, P4-11, P4-12 and P4-18."""
    rows = courses(trials, epochs)
    before, after = looks(rows, predicted)
    return (
        same_errors(rows, margin),
        same_fine_tuning(rows, margin),
        same_predictions("P4-11", "In equilibrium the schedules predict alike", before),
        same_predictions("P4-12", "After fine-tuning, too, the schedules predict alike", after),
        far_under_errors("P4-18", rows, (before, after)),
    )


def looks(rows: pd.DataFrame, predicted: list[Predicted]) -> tuple[Predicted | None, Predicted | None]:
    """The predictions at the end of the stretch with equal settings, and after the last epoch; None for missing ones.

    Args:
        rows: From :func:`analysis.intrinsic_lr.effective_lr.courses`.
        predicted: From :func:`read_predictions`.
    """
    stretch = meeting(rows) if len(rows) else None
    last = int(rows["epoch"].max()) if len(rows) else 0
    before = next((each for each in predicted if stretch and each.epoch == stretch[1]), None)
    return before, next((each for each in predicted if each.epoch == last), None)


def same_errors(rows: pd.DataFrame, margin: float = MARGIN) -> Verdict:
    """P4-17: mean training and test errors agree over the stretch in which all schedules have the same settings."""
    statement = "Mean training and test errors agree once the intrinsic lrs are equal"
    stretch = meeting(rows) if len(rows) else None
    if stretch is None:
        return _nothing("P4-17", statement)
    return _errors("P4-17", statement, rows, tail_of(*stretch, 0.5), margin)


def same_fine_tuning(rows: pd.DataFrame, margin: float = MARGIN) -> Verdict:
    """P4-17b: they agree over the fine-tuning too."""
    statement = "Mean training and test errors agree over the fine-tuning"
    stretch = meeting(rows) if len(rows) else None
    last = int(rows["epoch"].max()) if len(rows) else 0
    if stretch is None or last <= stretch[1]:
        return _nothing("P4-17b", statement)
    return _errors("P4-17b", statement, rows, (stretch[1] + 1, last), margin)


def same_predictions(claim: str, statement: str, predicted: Predicted | None, missing: str = MISSING) -> Verdict:
    """P4-11, P4-12 and P4-31: no schedule is further from one it is compared with than runs of one schedule are."""
    test = EXCESS.format(MARGIN_OF_DISTANCE)
    n = {name: len(runs) for name, runs in predicted.by_schedule.items()} if predicted else {}
    if predicted is None or len(n) < 2:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note=missing)
    if predicted.runs < FEWEST:
        return Verdict(claim, statement, UNDECIDED, test, n=n, note=f"at least {FEWEST} runs of each are needed")
    effects = {
        pair: excess(*(predicted.by_schedule[name] for name in pair), predicted.classes) for pair in predicted.pairs
    }
    judged = [judge_equivalence(each, MARGIN_OF_DISTANCE, ALPHA / len(effects)) for each in effects.values()]
    statistics: dict[str, Quantity] = {
        f"{first} - {second}": (each.difference, *each.interval(0.90)) for (first, second), each in effects.items()
    }
    n |= {"examples": next(iter(predicted.by_schedule.values())).shape[1], "epoch": predicted.epoch}
    return Verdict(claim, statement, judge_all(judged), test, statistics, n=n)


def far_under_errors(claim: str, rows: pd.DataFrame, predicted: Sequence[Predicted | None]) -> Verdict:
    """P4-18 and P4-31e: the distance falls with the number of runs, far under the sum of the two mean test errors.

    It is taken from half of the runs of each, which have different seeds. That sum is the distance of schedules that
    err on different examples. Far under is less than half of it (ours). The interval is that of the pair's excess,
    around its distance.
    """
    statement = "The distance of the predictions falls with the number of runs, far under the sum of the test errors"
    test = (
        f"distance between halves of the seeds / sum of errors below {FAR_UNDER:g} by its 90 % interval, "
        "and falling with the number of runs"
    )
    enough = [each for each in predicted if each and len(each.by_schedule) > 1 and each.runs >= FEWEST]
    if not enough:
        return Verdict(claim, statement, UNDECIDED, test, note="no predictions of enough runs")
    judged, statistics = [], {}
    for each in enough:
        errors = error_means(rows, each.epoch)
        for first, second in each.pairs:
            name = f"{first} - {second}, epoch {each.epoch}"
            ratio, falling = _against_errors(each, first, second, errors[first] + errors[second])
            judged.append(judge_interval(*ratio[1:], (-np.inf, FAR_UNDER)) if falling else UNDECIDED)
            statistics[name] = ratio
    n = {"runs": min(each.runs for each in enough), "pairs": len(judged)}
    return Verdict(claim, statement, judge_all(judged), test, statistics, n=n)


def error_means(rows: pd.DataFrame, epoch: int) -> dict[str, float]:
    """The mean test error after an epoch, by schedule."""
    at = rows[rows["epoch"] == epoch]
    return {str(name): float(1 - part.mean()) for name, part in at.groupby(BY)["test_accuracy"]}


def distance_curves(predicted: Predicted) -> dict[str, tuple[list[int], Array]]:
    """The distances by number of runs: between each pair of schedules, and within each."""
    counts, runs = predicted.counts, predicted.by_schedule
    compared = {f"{first} - {second}": (first, second) for first, second in predicted.pairs}
    compared |= {f"within {name}": (name, name) for name in runs}
    return {
        label: (counts, distances_between(runs[first], runs[second], predicted.classes, counts))
        for label, (first, second) in compared.items()
    }


def _against_errors(
    predicted: Predicted, first: str, second: str, total: float
) -> tuple[tuple[float, float, float], bool]:
    runs, most = predicted.by_schedule, predicted.runs // 2
    few, many = distances_between(runs[first], runs[second], predicted.classes, [max(2, most // 4), most])
    reach = excess(runs[first], runs[second], predicted.classes).interval(0.90)
    half = (reach[1] - reach[0]) / 2
    total = max(total, 1e-12)
    return (float(many / total), float((many - half) / total), float((many + half) / total)), bool(many < few)


def _errors(claim: str, statement: str, rows: pd.DataFrame, window: tuple[int, int], margin: float) -> Verdict:
    parts = {
        name: all_alike(claim, statement, window_means(rows, *window, column, BY), margin, name)
        for name, column in (("train accuracy", "train_accuracy"), ("test accuracy", "test_accuracy"))
    }
    joint = together(claim, statement, parts)
    statistics = {name: value for part in parts.values() for name, value in part.statistics.items()}
    first = parts["train accuracy"]
    test = first.test.replace("of train accuracy", "of accuracy")
    return Verdict(claim, statement, joint.verdict, test, statistics, n=first.n, note=joint.note)


def _nothing(claim: str, statement: str) -> Verdict:
    return Verdict(claim, statement, UNDECIDED, "TOST", note="no runs that go through the stretch with equal settings")
