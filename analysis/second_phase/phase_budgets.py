"""Second phases of several optimizers at equal budgets: as many epochs, or as many seconds, as SGD with momentum takes.

The first phase is one and the same for all, so that budgets are counted from the transition on.

- *Equal epochs*: the test error after the last epoch.
- *Equal seconds*: the lowest test error that is reached, from the transition on, in the seconds that SGD with momentum
  takes for its whole second phase. An optimizer that is slower by a factor of three gets a third of the epochs; one
  that is faster has no more epochs than were trained. Seconds are those of the epochs table, which include the
  evaluation. Those of an epoch are the median over all epochs that an optimizer trained in its second phase, since a
  machine that does other work at times makes single ones longer.

The lowest of many errors is lower than that of few by chance: at equal seconds that speaks for SGD with momentum, by
less than the difference between two of its epochs. Learning rates are chosen on the other seeds, for each budget anew
(:mod:`analysis.chosen_lrs`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.chosen_lrs import best_lr, by_optimizer, held_out
from analysis.pairs import LESS, Pairs, less
from analysis.statistics import ALPHA
from analysis.tables import by_seed, configs
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Verdict
from search_spaces.second_phase import FIRST_ORDER, SECOND_ORDER, SGD
from tune_regimes.results.curves import loss_curves

SOME = f"{LESS}, at 5 % / optimizers for one of them; it does not hold where all are shown to be worse"

ByOptimizer = Mapping[str, pd.DataFrame]
"""Values by learning rate (rows) and seed (columns) for each optimizer, the smaller the better."""


def claims(trials: pd.DataFrame, epochs: pd.DataFrame) -> tuple[Verdict, ...]:
    """P0-23b to P0-23e: whether another optimizer in the second phase beats SGD with momentum."""
    equal_epochs, equal_seconds = final_errors(trials), errors_in_time(trials, epochs)
    asked = (("b", SECOND_ORDER, equal_epochs, "epochs"), ("c", SECOND_ORDER, equal_seconds, "seconds"))
    asked += (("d", FIRST_ORDER, equal_epochs, "epochs"), ("e", FIRST_ORDER, equal_seconds, "seconds"))
    return tuple(some_better(f"P0-23{letter}", tables, names, budget) for letter, names, tables, budget in asked)


def some_better(claim: str, tables: ByOptimizer, names: Sequence[str], budget: str) -> Verdict:
    """Whether at least one optimizer beats SGD with momentum.

    Args:
        claim: The claim's number.
        tables: Test errors.
        names: The optimizers.
        budget: What is equal, in words.
    """
    statement = f"{' or '.join(names)} in phase 2 reaches a lower test error than {SGD}, in equal {budget}"
    parts = {name: _strict(less(claim, statement, versus(tables, name)), len(names)) for name in names}
    found = [verdict for verdict, _ in parts.values()]
    verdict = HOLDS if HOLDS in found else DOES_NOT_HOLD if set(found) == {DOES_NOT_HOLD} else UNDECIDED
    statistics = {key: value for _, part in parts.values() for key, value in part.statistics.items()}
    p_values = {name: p for name, (_, part) in parts.items() for p in part.p_values.values()}
    n = {"seeds": min(part.n["seeds"] for _, part in parts.values()), "optimizers": len(parts)}
    words = [f"{name}: {each}" + (f" ({part.note})" if part.note else "") for name, (each, part) in parts.items()]
    return Verdict(claim, statement, verdict, SOME, statistics, p_values, n, "; ".join(words))


def final_errors(trials: pd.DataFrame) -> ByOptimizer:
    """The test errors after the last epoch: NaN where a run did not complete, infinite where it diverged."""
    return by_optimizer(1 - by_seed(trials), trials, "second")


def errors_in_time(trials: pd.DataFrame, epochs: pd.DataFrame) -> ByOptimizer:
    """The lowest test errors that are reached within the seconds that SGD with momentum takes for the second phase.

    The epoch before the transition counts too: it is what an optimizer has that is too slow for one of its own.
    """
    names, allowed = _optimizers(trials), epochs_in_time(trials, epochs)
    curves = second_phase_curves(trials, epochs)
    limits = names.reindex(curves.index.get_level_values("point")).map(allowed).fillna(0).to_numpy(float)
    lowest = (1 - curves).where(curves.columns.to_numpy(float)[None, :] <= limits[:, None]).min(axis=1)
    ended = 1 - by_seed(trials)
    reached = lowest.unstack("seed").reindex(index=ended.index, columns=ended.columns)
    return by_optimizer(reached.where(np.isfinite(ended), ended), trials, "second")


def second_phase_curves(trials: pd.DataFrame, epochs: pd.DataFrame, column: str = "test_accuracy") -> pd.DataFrame:
    """A column of the epochs by (point, seed), from the last epoch of the first phase (0) on: 0, 1, 2, ..."""
    curves = loss_curves(trials, epochs, column)
    first = int((epochs["epoch"] - epochs["epoch_in_phase"]).max()) if len(epochs) else 0
    later = curves.loc[:, curves.columns >= first]
    return later.set_axis(later.columns.to_numpy(int) - first, axis=1)


def epoch_seconds(trials: pd.DataFrame, epochs: pd.DataFrame) -> dict[str, float]:
    """Median seconds of an epoch of the second phase, by optimizer."""
    names = _optimizers(trials)
    second = epochs[epochs["phase"] == 2].merge(trials[["trial_id", "point"]], on="trial_id")
    found = second.groupby(names.reindex(second["point"]).to_numpy(), sort=False)["seconds"].median()
    return {str(name): float(value) for name, value in found.items()}


def epochs_in_time(trials: pd.DataFrame, epochs: pd.DataFrame) -> dict[str, int]:
    """Epochs of the second phase that each optimizer completes within those of SGD with momentum, as seconds."""
    seconds = epoch_seconds(trials, epochs)
    length = int(epochs.loc[epochs["phase"] == 2, "epoch_in_phase"].max()) if SGD in seconds else 0
    return {name: min(length, int(length * seconds[SGD] / each + 1e-9)) for name, each in seconds.items() if length}


def versus(tables: ByOptimizer, name: str) -> Pairs:
    """An optimizer and SGD with momentum, each at the learning rates that are best on the other seeds."""
    seeds = next(iter(tables.values())).columns
    missing = pd.DataFrame(columns=seeds, dtype=float)
    return Pairs(held_out(tables.get(name, missing)), held_out(tables.get(SGD, missing)), (name, SGD))


def summary(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """One row per optimizer: what it reaches in either budget, at the learning rate with the lowest mean error there.

    Columns: ``lr``, ``error`` and ``train_loss`` at equal epochs, ``lr_in_time`` and ``error_in_time`` at equal
    seconds (means over seeds), ``epochs_in_time``, ``seconds`` of an epoch, and ``diverged``, a count of runs.
    """
    final, timed, losses = final_errors(trials), errors_in_time(trials, epochs), final_losses(trials)
    best = pd.Series({name: best_lr(table) for name, table in final.items()}, dtype=float)
    in_time = pd.Series({name: best_lr(table) for name, table in timed.items()}, dtype=float)
    columns = {
        "lr": best,
        "error": pd.Series({name: _mean(table, best[name]) for name, table in final.items()}, dtype=float),
        "train_loss": pd.Series({name: _mean(table, best[name]) for name, table in losses.items()}, dtype=float),
        "lr_in_time": in_time,
        "error_in_time": pd.Series({name: _mean(table, in_time[name]) for name, table in timed.items()}, dtype=float),
        "epochs_in_time": pd.Series(epochs_in_time(trials, epochs), dtype=float),
        "seconds": pd.Series(epoch_seconds(trials, epochs), dtype=float),
        "diverged": pd.Series({name: int(np.isinf(table).to_numpy().sum()) for name, table in final.items()}),
    }
    return pd.DataFrame(columns).reindex(list(final))


def final_losses(trials: pd.DataFrame) -> ByOptimizer:
    """The training losses of the last epoch, in nats."""
    return by_optimizer(by_seed(trials, "train_loss"), trials, "second")


def summary_cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The summary as the head and the cells of a table."""
    head = [
        "phase 2",
        "lr",
        "test error in equal epochs (%)",
        "training loss (nats)",
        "lr",
        "test error in equal seconds (%)",
    ]
    head += ["epochs in these", "seconds of an epoch", "runs diverged"]
    return head, [_cells(str(name), row) for name, row in table.iterrows()]


def _cells(name: str, row: pd.Series) -> list[str]:
    equal_epochs = [f"{row['lr']:g}", f"{100 * row['error']:.2f}", f"{row['train_loss']:.3f}"]
    equal_seconds = [f"{row['lr_in_time']:g}", f"{100 * row['error_in_time']:.2f}", f"{row['epochs_in_time']:.0f}"]
    return [name, *equal_epochs, *equal_seconds, f"{row['seconds']:.2f}", f"{row['diverged']:.0f}"]


def _mean(table: pd.DataFrame, lr: float) -> float:
    return float(table.loc[lr].mean()) if lr in table.index else float("nan")


def _strict(part: Verdict, comparisons: int) -> tuple[str, Verdict]:
    """The verdict on one of several comparisons of which one is enough: shown at 5 % / comparisons, or not shown."""
    shown = part.verdict != HOLDS or min(part.p_values.values()) < ALPHA / comparisons
    return (part.verdict if shown else UNDECIDED), part


def _optimizers(trials: pd.DataFrame) -> pd.Series:
    """The optimizer of each point's second phase."""
    return configs(trials)["second.optimizer"]
