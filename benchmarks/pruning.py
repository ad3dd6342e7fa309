"""Ray's ASHA and RegimeASHA on the recorded curves of a transition-epoch study, at equal budgets of epochs.

Both schedulers are the real classes; asynchronous workers are simulated (`simulated_workers`), so that the same trials
arrive in the same order, with the same durations, for each of them. When the budget is trained, the trial with the best
last value is chosen, as Ray's ``get_best_result`` does; its regret is the best final value of the study minus its own,
had it been trained to its end. ASHA runs under every setting of a grid, RegimeASHA under its defaults.

    python benchmarks/pruning.py                       # the recorded study
    python benchmarks/pruning.py --study FOLDER        # any finished study
"""

import argparse
import math
import platform
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pruning_tables import claim, opponents, table, with_interval
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler
from recorded_curves import RECORDED, Curve, frame_of, load_curves
from simulated_workers import Workers

from tune_regimes.search.regime_asha import RegimeASHA

BUDGETS = (0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
WORKERS = (1, 4, 16)
Contenders = dict[str, Callable[[], Any]]


@dataclass(frozen=True)
class Condition:
    """Under which the contenders meet.

    Attributes:
        title: What the report calls it.
        part: Share of the study's points that each run draws at random; 1 takes all.
        share: Whether prefixes that trials have in common are trained once, for all contenders.
    """

    title: str
    part: float
    share: bool

    def draw(self, curves: Sequence[Curve], rng: random.Random) -> list[Curve]:
        """The trials of one run, in their order of arrival."""
        points = sorted({curve.point for curve in curves})
        drawn = set(rng.sample(points, max(1, round(self.part * len(points)))))
        order = [curve for curve in curves if curve.point in drawn]
        rng.shuffle(order)
        return order


CONDITIONS = (
    Condition("the whole study, nothing shared", 1.0, False),
    Condition("random halves of its points, nothing shared", 0.5, False),
    Condition("the whole study, prefixes shared by all", 1.0, True),
    Condition("random halves of its points, prefixes shared by all", 0.5, True),
)


def contenders(longest: int) -> Contenders:
    """FIFO, RegimeASHA in both variants, and Ray's ASHA under every setting of the grid."""
    found: Contenders = {
        "FIFO": FIFOScheduler,
        "RegimeASHA": lambda: RegimeASHA(metric="metric", mode="max"),
        "RegimeASHA, promote": lambda: RegimeASHA(metric="metric", mode="max", variant="promote"),
    }
    graces = [grace for grace in (1, 2, 4, 8, 16) if grace < longest / 2]
    for grace, factor in product(graces, (2, 3, 4)):
        found[f"ASHA grace {grace} factor {factor}"] = _asha(longest, grace_period=grace, reduction_factor=factor)
    found["ASHA grace 1 factor 3, 3 brackets"] = _asha(longest, reduction_factor=3, brackets=3)
    return found


def rules(longest: int) -> Contenders:
    """RegimeASHA under other rules than its defaults."""
    changes: dict[str, dict[str, Any]] = {
        "defaults": {},
        "budget_ratio 1 (equal budgets only)": {"budget_ratio": 1.0},
        "budget_ratio 1.5": {"budget_ratio": 1.5},
        "budget_ratio 3": {"budget_ratio": 3.0},
        "budget_ratio inf (progress only)": {"budget_ratio": math.inf},
        "progress only, also near the end": {"remaining_attr": None},
        "reduction_factor 2": {"reduction_factor": 2},
        "reduction_factor 4": {"reduction_factor": 4},
        "grace_period 2": {"grace_period": 2},
        "promote": {"variant": "promote"},
    }
    return {name: _regime_asha(**change) for name, change in changes.items()}


def _asha(longest: int, **settings: Any) -> Callable[[], Any]:
    return lambda: ASHAScheduler(time_attr="epoch", metric="metric", mode="max", max_t=longest, **settings)


def _regime_asha(**settings: Any) -> Callable[[], Any]:
    return lambda: RegimeASHA(metric="metric", mode="max", **settings)


def simulate(make: Callable[[], Any], curves: Sequence[Curve], workers: int, seed: int, share: bool) -> Iterator[dict]:
    """One run of one contender; yields a row for every budget."""
    np.random.seed(seed)
    pool = Workers(make(), curves, workers, random.Random(seed), share=share)
    distinct = {prefix for curve in curves for prefix in curve.prefixes}
    total = len(distinct) if share else sum(curve.epochs for curve in curves)
    finals = np.array([curve.values[-1] for curve in curves])
    due = [math.ceil(budget * total) for budget in BUDGETS]
    epochs = pool.run()
    for budget, epochs_due in zip(BUDGETS, due, strict=True):
        while pool.trained < epochs_due and next(epochs, False) is None:
            pass
        yield {"budget": budget, "spent": pool.trained / total, **_outcome(pool, finals)}


def _outcome(pool: Workers, finals: np.ndarray) -> dict[str, float]:
    """Which trial would be chosen now, and what became of the others."""
    trained = [trial for trial in pool.started if trial.epoch]
    completed = [trial for trial in trained if trial.epoch == trial.curve.epochs]
    late = [trial for trial in trained if trial.curve.begins > trial.curve.epochs / 2]
    final = _best_now(trained)
    return {
        "regret": _difference(finals.max(), final),
        "regret_completed": _difference(finals.max(), _best_now(completed or trained)),
        "rank": 1 + int((finals > final + 1e-6).sum()),
        "late_killed": float(np.mean([trial.stopped for trial in late])) if late else math.nan,
        "seen": len(trained) / len(finals),
    }


def _difference(best: float, value: float) -> float:
    """Without what single precision makes of equal values."""
    return round(float(best - value), 6)


def _best_now(trials: Iterable[Any]) -> float:
    """The final value of the trial whose last value is the best."""
    return max(trials, key=lambda trial: trial.curve.values[trial.epoch - 1]).curve.values[-1]


def run(curves: Sequence[Curve], makers: Contenders, condition: Condition, orders: int) -> pd.DataFrame:
    """All runs of one condition, one row for each contender, run and budget."""
    rows = []
    for workers, order in product(WORKERS, range(orders)):
        seed = 1000 * workers + order
        drawn = condition.draw(curves, random.Random(seed))
        for name, make in makers.items():
            for row in simulate(make, drawn, workers, seed, condition.share):
                rows.append({"contender": name, "run": seed, "workers": workers, **row})
    return pd.DataFrame(rows)


def report(curves: Sequence[Curve], orders: int) -> Iterator[str]:
    """The whole comparison, as lines of Markdown."""
    longest = max(curve.epochs for curve in curves)
    makers = contenders(longest)
    yield (
        f"{len(curves)} trials of {len({curve.point for curve in curves})} points, {longest} epochs at most; "
        f"{orders} orders of arrival for each of {', '.join(map(str, WORKERS))} workers: "
        f"n = {orders * len(WORKERS)} runs of every scheduler. Brackets: bootstrap 95 % intervals over runs."
    )
    for condition in CONDITIONS:
        runs = run(curves, makers, condition, orders)
        against = opponents(runs, longest, BUDGETS)
        others = {name: dict.fromkeys(BUDGETS, name) for name in ("RegimeASHA", "RegimeASHA, promote", "FIFO")}
        yield from ("", f"## {condition.title[0].upper()}{condition.title[1:]}", "")
        yield "Is the median regret at most half of ASHA's? (In brackets: in that share of bootstrap resamples it is.)"
        for mine in ("RegimeASHA", "RegimeASHA, promote"):
            yield from ("", *claim(runs, against, mine))
        yield from ("", *table(runs, others | against))
    yield from ("", "## RegimeASHA under other rules", "")
    yield "Whole study, nothing shared; budgets of 40 % and of 100 % (no run reaches it: what it spends to its end)."
    yield ""
    yield "| rule | mean regret at 40 % | mean regret at the end | late killed | spent |"
    yield "|---|---|---|---|---|"
    runs = run(curves, rules(longest), CONDITIONS[0], orders)
    for name, rows in runs.groupby("contender", sort=False):
        part, whole = rows[rows.budget == 0.4], rows[rows.budget == 1.0]
        cells = [with_interval(part.regret.to_numpy(), np.mean), with_interval(whole.regret.to_numpy(), np.mean)]
        yield f"| {name} | {cells[0]} | {cells[1]} | {whole.late_killed.mean():.0%} | {whole.spent.mean():.0%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", help="folder of a finished study; the recorded one if left out")
    parser.add_argument("--orders", type=int, default=100, help="orders of arrival for each number of workers")
    parser.add_argument("--record", action="store_true", help=f"write the study's curves to {RECORDED.name} and end")
    parser.add_argument("--output", type=Path, help="write the report here too")
    arguments = parser.parse_args()
    if arguments.record:
        frame_of(arguments.study).to_parquet(RECORDED, index=False, compression="zstd")
        return
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("ray", "tune-regimes"))
    study = f" --study {arguments.study}" if arguments.study else ""
    lines = ["# RegimeASHA against Ray's ASHA, on recorded curves", ""]
    lines += [
        f"`python benchmarks/pruning.py{study} --orders {arguments.orders}`; Python {platform.python_version()}, "
    ]
    lines[-1] += f"{versions}."
    lines += ["", *report(load_curves(arguments.study), arguments.orders)]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
