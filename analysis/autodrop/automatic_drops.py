"""Claims P1-17 to P1-25: AutoDrop against drops at fixed epochs, in ``table``, ``imagenet`` and ``initial_lr``.

Both methods run with the same seeds, hence from the same weights through the same batches: their differences are taken
seed by seed. The error is 1 - test accuracy, after the last epoch unless a claim says otherwise.

Source: Teng, Wang and Choromanska, AutoDrop, Sec. 6, Tables 1 and 2, Figs. 6 to 12.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.autodrop.autodrop_tables import IMAGENET, TABLE_1, Row
from analysis.pairs import LESS, Pairs, less, less_in_each, value_of
from analysis.tables import by_seed, configs
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Verdict, judge_all
from search_spaces.autodrop import BASELINE, FACTORS, ON_IMAGENET, RECOMMENDED
from tune_regimes.results.curves import loss_curves

Study = tuple[pd.DataFrame, pd.DataFrame]
"""Trials and epochs of a study."""

ByLr = Mapping[float | None, pd.DataFrame]
"""Values by method (rows) and seed (columns) for each initial learning rate; for None where a study has only one."""

NEEDED = ("lr", "train_loss", "test_accuracy", "angular_velocity")
"""What Figs. 6 to 12 and Fig. 2 draw, by epoch."""


def errors(trials: pd.DataFrame) -> ByLr:
    """The final test error, by initial lr: NaN where a run did not complete, infinite where it diverged."""
    return {lr: 1 - table for lr, table in _by_lr(by_seed(trials), trials).items()}


def lowest_error_epochs(trials: pd.DataFrame, epochs: pd.DataFrame) -> ByLr:
    """The epoch of the lowest test error, the first of equals, by initial lr (Fig. 7)."""
    curves = loss_curves(trials, epochs, "test_accuracy")
    return _by_lr(curves.fillna(-np.inf).idxmax(axis=1).astype(float).unstack("seed"), trials)


def row_of(task: str) -> Row:
    """The row of Table 1 that a task is, or that it stands for in small: the first on its data set.

    Examples:
        >>> row_of("cifar100/wrn40_10").claim, row_of("cifar100/vgg11_bn").claim, row_of("digits/mlp").claim
        ('P1-20', 'P1-19', 'P1-17')
    """
    dataset = task.partition("/")[0]
    exact = [row for row in TABLE_1 if row.task == task]
    same = [row for row in TABLE_1 if row.task.startswith(f"{dataset}/")]
    return (exact or same or list(TABLE_1))[0]


def table_claims(by_task: Mapping[str, Study]) -> tuple[Verdict, ...]:
    """P1-17 to P1-20 and P1-22 on one's own data, from the studies ``table`` by task."""
    rows = {row_of(task).claim: (task, row_of(task)) for task in reversed(by_task)}
    found = {claim: beats_baseline(errors(by_task[task][0])[None], row, task) for claim, (task, row) in rows.items()}
    missing = {row.claim: _not_run(row) for row in TABLE_1}
    return (*(missing | found).values(), on_every_task({rows[claim][0]: part for claim, part in found.items()}))


def beats_baseline(table: pd.DataFrame, row: Row, task: str, method: str = RECOMMENDED) -> Verdict:
    """P1-17 to P1-21: AutoDrop with a factor ends below the baseline; the other factors are shown beside it."""
    statement = f"{row.network}: AutoDrop at {method} ends at a lower test error than drops at fixed epochs"
    parts = {name: less(row.claim, statement, pairs_of(table, name)) for name in _factors(row)}
    main = parts[method]
    statistics = {name: value for part in parts.values() for name, value in part.statistics.items()}
    p_values = {name: p for name, part in parts.items() for p in part.p_values.values()}
    notes = [main.note, f"in small: {task}" if task != row.task else "", _winners(parts, row)]
    note = "; ".join(filter(None, notes))
    return Verdict(row.claim, statement, main.verdict, main.test, statistics, p_values, main.n, note)


def imagenet_claim(trials: pd.DataFrame, task: str) -> Verdict:
    """P1-21, from the study ``imagenet``; the paper has one run of each."""
    return beats_baseline(errors(trials)[None], IMAGENET, task, ON_IMAGENET)


def on_every_task(by_task: Mapping[str, Verdict]) -> Verdict:
    """P1-22b: factor 0.2 is among the winners on every task that was run."""
    statement = "AutoDrop at rho 0.2 beats drops at fixed epochs on every network and data set"
    verdict = judge_all([part.verdict for part in by_task.values()])
    note = "; ".join(f"{task}: {part.verdict}" for task, part in by_task.items())
    if len(by_task) < 2:
        verdict, note = UNDECIDED, f"results of one task only ({note}): run the study with another model"
    return Verdict("P1-22b", statement, verdict, f"P1-17's on each task: {LESS}", n={"tasks": len(by_task)}, note=note)


def better_at_each_lr(trials: pd.DataFrame) -> Verdict:
    """P1-23b: AutoDrop ends below the baseline at every initial learning rate."""
    parts = {_name(lr): pairs_of(table, RECOMMENDED) for lr, table in errors(trials).items()}
    statement = "AutoDrop at rho 0.2 ends at a lower test error than drops at fixed epochs from each initial lr"
    return less_in_each("P1-23b", statement, parts)


def less_spread(trials: pd.DataFrame) -> Verdict:
    """P1-23d: AutoDrop's error varies less over the initial learning rates; a seed's range is one observation."""
    statement = "AutoDrop's error varies less over the initial learning rates than that of drops at fixed epochs"
    tables = errors(trials)
    ranges = [_range([value_of(table, method) for table in tables.values()]) for method in (RECOMMENDED, BASELINE)]
    return less("P1-23d", statement, Pairs(ranges[0], ranges[1], (f"range of {RECOMMENDED}", BASELINE)))


def earlier(trials: pd.DataFrame, epochs: pd.DataFrame) -> Verdict:
    """P1-24: AutoDrop reaches its lowest test error at an earlier epoch."""
    statement = "AutoDrop at rho 0.2 reaches its lowest test error earlier than drops at fixed epochs"
    parts = {_name(lr): pairs_of(table, RECOMMENDED) for lr, table in lowest_error_epochs(trials, epochs).items()}
    if len(parts) == 1:
        return less("P1-24", statement, next(iter(parts.values())))
    return less_in_each("P1-24", f"{statement}, from each initial lr", parts)


def complete_records(epochs: pd.DataFrame) -> Verdict:
    """P1-25: each epoch's record holds all that Figs. 6 to 12 draw; an angular velocity takes two epochs."""
    statement = "Every epoch is recorded with its learning rate, training loss, test error and angular velocity"
    test = "count of missing values; the first epoch has no angular velocity"
    absent = [column for column in NEEDED if column not in epochs]
    if absent or not len(epochs):
        note = f"no column {', '.join(absent)}" if absent else "no epochs"
        return Verdict("P1-25", statement, UNDECIDED if not len(epochs) else DOES_NOT_HOLD, test, note=note)
    missing = {column: int(epochs[column].isna().sum()) for column in NEEDED[:-1]}
    missing[NEEDED[-1]] = int(epochs.loc[epochs["epoch"] > 1, NEEDED[-1]].isna().sum())
    statistics = {f"missing {column}": float(count) for column, count in missing.items()}
    verdict = DOES_NOT_HOLD if any(missing.values()) else HOLDS
    return Verdict("P1-25", statement, verdict, test, statistics, n={"epochs": len(epochs)})


def drop_lines(trials: pd.DataFrame, epochs: pd.DataFrame) -> list[str]:
    """Where each run dropped its learning rate, in words, a line per point: the epochs after which it was smaller."""
    lrs = loss_curves(trials, epochs, "lr")
    settings = configs(trials)
    lines = []
    for point, runs in lrs.groupby("point"):
        drops = ["/".join(map(str, _drops(row))) or "none" for row in runs.to_numpy(float)]
        last = sorted({f"{row[np.isfinite(row)][-1]:.3g}" for row in runs.to_numpy(float)}, key=float)
        config = settings.loc[point]
        words = _words(config.get("lr"), config["method"])
        lines.append(f"{words}: after epochs {', '.join(drops)}; last lr {', '.join(last)}")
    return lines


def error_lines(trials: pd.DataFrame) -> list[str]:
    """The final test error of each method in words, as the paper's tables give it: mean and deviation over seeds."""
    lines = []
    for lr, table in errors(trials).items():
        for method, row in table.iterrows():
            known = 100 * row[np.isfinite(row)]
            spread = f"{known.mean():.2f} ± {known.std(ddof=1):.2f} % (n {len(known)})" if len(known) > 1 else "too few"
            lines.append(f"{_words(lr, str(method))}: {spread}")
    return lines


def pairs_of(table: pd.DataFrame, method: str) -> Pairs:
    """A method and the baseline, from values by method and seed."""
    return Pairs(value_of(table, method), value_of(table, BASELINE), (method, BASELINE))


def _by_lr(wide: pd.DataFrame, trials: pd.DataFrame) -> ByLr:
    """Values by point and seed as values by method and seed, for each initial learning rate."""
    settings = configs(trials).loc[wide.index]
    table = wide.set_index(settings["method"].rename("method"))
    if "lr" not in settings:
        return {None: table}
    lrs = settings["lr"].to_numpy(float)
    return {float(lr): table[lrs == lr] for lr in np.unique(lrs)}


def _range(parts: Sequence[pd.Series]) -> pd.Series:
    """The range of a method's values over the initial learning rates, by seed."""
    table = pd.DataFrame(parts)
    return table.max(skipna=False) - table.min(skipna=False)


def _winners(parts: Mapping[str, Verdict], row: Row) -> str:
    differences = {m: next(iter(p.statistics.values())) for m, p in parts.items() if p.statistics}
    here = [m for m, value in differences.items() if isinstance(value, tuple) and value[0] < 0]
    printed = ", ".join(f"rho {rho:g}" for rho in row.winners)
    return f"mean below the baseline: {', '.join(here) or 'none'}; in Table 1: {printed}"


def _not_run(row: Row) -> Verdict:
    statement = f"{row.network}: AutoDrop ends at a lower test error than drops at fixed epochs"
    return Verdict(row.claim, statement, UNDECIDED, LESS, note=f"not run: run the study with --model {row.task}")


def _factors(row: Row) -> list[str]:
    """The drop factors that a row has, as values of ``method``."""
    return [name for name, rho in FACTORS.items() if rho in row.autodrop]


def _drops(lrs: np.ndarray) -> list[int]:
    return [int(epoch) + 1 for epoch in np.flatnonzero(np.diff(lrs) < 0)]


def _name(lr: float | None) -> str:
    return "" if lr is None else f"lr {lr:g}"


def _words(lr: float | None, method: str) -> str:
    return ", ".join(filter(None, (_name(lr), method)))
