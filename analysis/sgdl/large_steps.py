"""Claims P2-14 to P2-22 on plain SGD in large steps (SGDL), judged on the studies ``lr_sweep`` and ``optimizers``.

All optimizers run with the same seeds: their differences are taken seed by seed. The error is 1 - test accuracy after
the last epoch. The paper selects learning rates, and does not say on what; here that of a seed is the best on the other
seeds (:mod:`analysis.chosen_lrs`). SGDL is what Table 1 says: plain SGD at ten times the learning rate of SGDM or more,
so that it may have a learning rate of the grid of SGD where that of SGDM is small.

Source: Training by Vanilla SGD with Larger Learning Rates, Secs. 6.1, 6.2, 6.5 and A.3.1, Figs. 3, 4, 8 to 15.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.chosen_lrs import at_lrs, best_lr, by_optimizer, chosen_lrs, held_out
from analysis.pairs import FEWEST, NO_WORSE, Pairs, less, less_in_each, no_worse
from analysis.statistics import ALPHA, mean_effect
from analysis.tables import by_seed, configs
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Quantity, Verdict, judge_all, judge_greater
from search_spaces.sgdl import ADADELTA, ADAM, PRINTED, RATIO, SGD, SGDL, SGDM, follows_rule

SMALL = 0.4
"""Learning rates of Fig. 3 up to this one are the small ones."""
SLOPE = "one-sided t test of the slopes of test accuracy over lr, one per seed"
USUAL = {SGDM: 0.1, ADAM: 0.001}
"""What A.3.1 chose on most networks, for those that it does not have."""

ByOptimizer = Mapping[str, pd.DataFrame]
"""Errors by learning rate (rows) and seed (columns) for each optimizer."""


def errors(trials: pd.DataFrame) -> ByOptimizer:
    """The final test errors of ``optimizers``: NaN where a run did not complete, infinite where it diverged."""
    return by_optimizer(1 - by_seed(trials), trials, "method")


def sweep_errors(trials: pd.DataFrame) -> pd.DataFrame:
    """The final test errors of ``lr_sweep``, by learning rate (rows) and seed (columns)."""
    table = 1 - by_seed(trials)
    return table.set_index(configs(trials).loc[table.index, "lr"].astype(float)).sort_index()


def sweep_claims(trials: pd.DataFrame) -> tuple[Verdict, ...]:
    """P2-14, and what Sec. 6.5 concludes from it."""
    table = sweep_errors(trials)
    return larger_is_better(table), accuracy_rises(table)


def claims(trials: pd.DataFrame, task: str) -> tuple[Verdict, ...]:
    """P2-15 to P2-17, P2-21 and P2-22 on the study ``optimizers``."""
    tables = errors(trials)
    return (
        as_good_as_momentum(tables),
        as_good_as_each(tables),
        as_good_at_printed_lrs(tables),
        printed_rule(),
        *printed_lrs(tables, task),
        rule_pays(tables),
        *at_the_lr_of_momentum(tables),
    )


def larger_is_better(table: pd.DataFrame) -> Verdict:
    """P2-14: errors at 0.2 and 0.4, averaged within a seed, are larger than those at the other learning rates."""
    statement = "Plain SGD ends at a lower test error at learning rates from 0.6 to 1 than at 0.2 and 0.4"
    small = table.index <= SMALL
    means = [table[part].mean(skipna=False) for part in (~small, small)]
    return less("P2-14", statement, Pairs(means[0], means[1], ("lr 0.6 to 1", "lr 0.2 and 0.4")))


def accuracy_rises(table: pd.DataFrame) -> Verdict:
    """P2-14b: the slope of test accuracy over the learning rate is positive; a seed's slope is one observation."""
    statement = "A larger initial learning rate increases the test accuracy of plain SGD"
    complete = table.loc[:, np.isfinite(table).all()]
    n = {"seeds": complete.shape[1], "lrs": len(table)}
    if complete.shape[1] < FEWEST or len(table) < 2:
        note = f"{complete.shape[1]} seeds completed at every lr, at least {FEWEST} are needed"
        return Verdict("P2-14b", statement, UNDECIDED, SLOPE, n=n, note=note)
    effect = mean_effect(-np.polyfit(complete.index.to_numpy(float), complete.to_numpy(float), 1)[0])
    statistics: dict[str, Quantity] = {"accuracy per unit of lr": (effect.difference, *effect.interval(0.90))}
    return Verdict("P2-14b", statement, judge_greater(effect), SLOPE, statistics, {"rises": effect.p_above()}, n)


def as_good_as_momentum(tables: ByOptimizer) -> Verdict:
    """P2-15: SGDL has the same or even better performance than SGDM."""
    return no_worse("P2-15", "SGDL ends at the same test error as SGDM or a lower one", versus(tables, SGDM))


def as_good_as_each(tables: ByOptimizer) -> Verdict:
    """P2-15b: and than the other optimizers."""
    statement = "SGDL ends at the same test error as SGD, Adam and AdaDelta or a lower one"
    parts = {f"{SGDL} - {name}": versus(tables, name) for name in (SGD, ADAM, ADADELTA)}
    judged = {name: no_worse("P2-15b", statement, pairs, ALPHA / len(parts)) for name, pairs in parts.items()}
    statistics = {name: value for part in judged.values() for name, value in part.statistics.items()}
    p_values = {name: p for name, part in judged.items() for p in part.p_values.values()}
    n = {"seeds": min(part.n["seeds"] for part in judged.values()), "comparisons": len(judged)}
    note = "; ".join(
        f"{name}: {part.verdict}" + (f" ({part.note})" if part.note else "") for name, part in judged.items()
    )
    verdict = judge_all([part.verdict for part in judged.values()])
    return Verdict("P2-15b", statement, verdict, f"{NO_WORSE}, for each", statistics, p_values, n, note)


def as_good_at_printed_lrs(tables: ByOptimizer) -> Verdict:
    """P2-15c: P2-15 with A.3.1's learning rates of SGDL, whatever that of SGDM is."""
    statement = "At a learning rate from 1 to 1.3, SGDL ends at the same test error as SGDM or a lower one"
    errors_of = [held_out(_table(tables, name)) for name in (SGDL, SGDM)]
    return no_worse("P2-15c", statement, Pairs(errors_of[0], errors_of[1], ("SGDL of A.3.1", SGDM)))


def printed_rule() -> Verdict:
    """P2-16: the learning rates of A.3.1 follow the rule of Table 1."""
    statement = "As printed, SGDL's learning rate is at least ten times that of SGDM on every network"
    ratios: dict[str, Quantity] = {task: round(lrs[SGDL] / lrs[SGDM], 10) for task, lrs in PRINTED.items()}
    verdict = HOLDS if all(follows_rule(lrs[SGDL], lrs[SGDM]) for lrs in PRINTED.values()) else DOES_NOT_HOLD
    return Verdict("P2-16", statement, verdict, "the printed constants", ratios, n={"networks": len(ratios)})


def printed_lrs(tables: ByOptimizer, task: str) -> tuple[Verdict, Verdict]:
    """P2-17: Adam is best at 0.001, and SGDM at what A.3.1 prints for the network, or at 0.1."""
    wanted = {**USUAL, **PRINTED.get(task, {})}
    found = []
    for claim, optimizer in (("P2-17", ADAM), ("P2-17b", SGDM)):
        lr, table = wanted[optimizer], tables.get(optimizer, pd.DataFrame())
        statement = f"{optimizer} ends at a lower test error at lr {lr:g} than at its others in Table 1"
        own = {other: _pair(table, lr, other) for other in table.index if other != lr and lr in table.index}
        verdict = less_in_each(claim, statement, {f"{lr:g} - {other:g}": pair for other, pair in own.items()})
        found.append(replace(verdict, note=verdict.note or f"no runs of {optimizer} at lr {lr:g}"))
    return found[0], found[1]


def rule_pays(tables: ByOptimizer) -> Verdict:
    """P2-21: plain SGD is better at ten times SGDM's learning rate and more than at smaller ones."""
    statement = "Plain SGD is better at ten times the learning rate of SGDM, or more, than at any smaller one"
    table = _plain(tables)
    smaller = at_lrs(table, chosen_lrs(table, below=_least(tables)))
    verdict = less("P2-21", statement, Pairs(sgdl_errors(tables), smaller, (SGDL, "smaller lr")))
    lrs: dict[str, Quantity] = {
        "best lr of SGDM": best_lr(_table(tables, SGDM)),
        "best lr of plain SGD": best_lr(table),
    }
    return replace(verdict, statistics={**verdict.statistics, **lrs})


def at_the_lr_of_momentum(tables: ByOptimizer) -> tuple[Verdict, Verdict]:
    """P2-22: plain SGD at SGDM's learning rate generalises worse than SGDM, and a larger one mends it."""
    sgdm = held_out(_table(tables, SGDM))
    sgd = at_lrs(_table(tables, SGD), chosen_lrs(_table(tables, SGDM)))
    name = "SGD at SGDM's lr"
    worse = "At the learning rate of SGDM, plain SGD ends at a higher test error than SGDM"
    better = "SGDL ends at a lower test error than plain SGD at the learning rate of SGDM"
    return (
        less("P2-22", worse, Pairs(sgdm, sgd, (SGDM, name))),
        less("P2-22b", better, Pairs(sgdl_errors(tables), sgd, (SGDL, name))),
    )


def versus(tables: ByOptimizer, other: str) -> Pairs:
    """SGDL and another optimizer, each at its chosen learning rates."""
    return Pairs(sgdl_errors(tables), held_out(_table(tables, other)), (SGDL, other))


def sgdl_errors(tables: ByOptimizer) -> pd.Series:
    """The errors of SGDL by seed: plain SGD at the best learning rate, on the other seeds, that follows the rule."""
    return at_lrs(_plain(tables), sgdl_lrs(tables))


def sgdl_lrs(tables: ByOptimizer) -> pd.Series:
    """The learning rates of SGDL by seed; NaN where SGDM was not run, or none follows the rule."""
    return chosen_lrs(_plain(tables), _least(tables))


def error_lines(tables: ByOptimizer) -> list[str]:
    """Each optimizer in words: its best learning rate, and the errors there, mean and deviation over seeds."""
    lines = []
    for name, table in tables.items():
        lr = best_lr(table)
        known = 100 * table.loc[lr][np.isfinite(table.loc[lr])] if lr in table.index else pd.Series(dtype=float)
        found = f"{known.mean():.2f} ± {known.std(ddof=1):.2f} % (n {len(known)})" if len(known) > 1 else "too few runs"
        chosen = "/".join(f"{each:g}" for each in chosen_lrs(table))
        lines.append(f"{name}: best at lr {lr:g}, {found}; chosen on the other seeds: {chosen}")
    return [*lines, f"SGDL by the rule of Table 1: {_rule_words(tables)}"]


def _rule_words(tables: ByOptimizer) -> str:
    chosen = sgdl_lrs(tables).dropna()
    return f"lr {'/'.join(f'{lr:g}' for lr in chosen)} of plain SGD" if len(chosen) else "no learning rate follows it"


def _plain(tables: ByOptimizer) -> pd.DataFrame:
    """Plain SGD at all its learning rates, those of SGD and those of SGDL."""
    return pd.concat([_table(tables, SGD), _table(tables, SGDL)]).sort_index()


def _least(tables: ByOptimizer) -> pd.Series:
    """The smallest learning rate of SGDL by seed; NaN where SGDM has none."""
    return RATIO * chosen_lrs(_table(tables, SGDM))


def _table(tables: ByOptimizer, optimizer: str) -> pd.DataFrame:
    """The errors of an optimizer; a table of no learning rates, with the same seeds, where it was not run."""
    return tables[optimizer] if optimizer in tables else next(iter(tables.values())).iloc[:0]


def _pair(table: pd.DataFrame, lr: float, other: float) -> Pairs:
    return Pairs(table.loc[lr], table.loc[other], (f"lr {lr:g}", f"lr {other:g}"))
