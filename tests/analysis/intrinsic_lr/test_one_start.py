"""The same schedules from one start: alike among each other, and as from random starts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.intrinsic_lr.one_start import FIXED, claims, read_across
from analysis.intrinsic_lr.predictions import Predicted, courses, read_predictions
from analysis.verdicts import Verdict
from search_spaces.intrinsic_lr_points import prediction_schedule
from search_spaces.intrinsic_lr_rates import SMOKE
from tune_regimes.results import Results

NAMES = ("const", "lr_decay", "wd_decay")
POINTS = [({"schedule": name}, prediction_schedule({"schedule": name}, rates=SMOKE, epochs=20)) for name in NAMES]
EXAMPLES = 200
SEEDS = 20
ONE, RANDOM = "intrinsic_lr.predictions_one_start", "intrinsic_lr.predictions"


@dataclass
class Stored:
    """A study with predictions: what an analysis reads of one."""

    trials: pd.DataFrame
    epochs: pd.DataFrame
    spectra: pd.DataFrame
    spec: dict[str, Any] = field(default_factory=dict)


def of_every_seed(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of one seed's trials once for each seed."""
    names = table["trial_id"].str.removesuffix("0")
    return pd.concat([table.assign(trial_id=names + str(seed), seed=seed) for seed in range(SEEDS)])


def spectra(trials: pd.DataFrame, always: dict[str, float], seed: int) -> pd.DataFrame:
    """Predictions of right class 0, after epochs 12 and 20.

    Each run errs on 10 % of the examples, its own, and the runs of a schedule all on one share of them besides.
    """
    rng, parts = np.random.default_rng(seed), []
    for trial, schedule in zip(trials["trial_id"], trials["config.schedule"], strict=True):
        for epoch in (12, 20):
            values = (rng.uniform(size=EXAMPLES) < 0.1).astype(float)
            values[: int(always.get(schedule, 0.0) * EXAMPLES)] = 1
            parts.append(pd.DataFrame({"trial_id": trial, "epoch": epoch, "index": range(EXAMPLES), "value": values}))
    return pd.concat(parts).assign(name="predicted_class")


@pytest.fixture
def stored(simulated: Callable) -> Callable[..., Any]:
    trials, epochs = (of_every_seed(table) for table in simulated(POINTS, seeds=1, start=1.0))
    low = trials, epochs.assign(test_accuracy=0.5)

    def make(study: str, seed: int, task: str = "digits/mlp_si", **always: float) -> Any:
        options = {"batch_size": 20, **({"init_seed": 1000} if study == ONE else {"data": "/elsewhere"})}
        spec = {"origin": {"study": study}, "task": {"name": task, "options": options}}
        return cast(Results, Stored(*low, spectra(low[0], always, seed), spec))

    return make


def verdicts(own: Any, *others: Any) -> dict[str, Verdict]:
    rows = courses(own.trials, own.epochs)
    found = claims(rows, read_predictions(own.trials, own.spectra), read_across(own, others)[0])
    return {verdict.claim: verdict for verdict in found}


def test_schedules_that_predict_alike_from_one_start_and_as_from_random_ones_hold_in_all_parts(stored: Any) -> None:
    found = verdicts(stored(ONE, 1), stored(RANDOM, 2))
    assert {claim: verdict.verdict for claim, verdict in found.items()} == dict.fromkeys(
        ["P4-31", "P4-31b", "P4-31c", "P4-31d", "P4-31e"], "holds"
    )
    assert [found[claim].n["epoch"] for claim in ("P4-31", "P4-31b", "P4-31c", "P4-31d")] == [12, 20, 12, 20]
    assert set(found["P4-31"].statistics) == {"const - lr_decay", "const - wd_decay", "lr_decay - wd_decay"}
    assert set(found["P4-31c"].statistics) == {f"{FIXED} - {name}" for name in NAMES}


def test_a_start_that_all_schedules_remember_refutes_the_comparison_with_random_starts_alone(stored: Any) -> None:
    remembered = dict.fromkeys(NAMES, 0.2)
    found = verdicts(stored(ONE, 1, **remembered), stored(RANDOM, 2))
    assert found["P4-31"].verdict == found["P4-31b"].verdict == "holds"
    assert found["P4-31c"].verdict == found["P4-31d"].verdict == "does not hold"


def test_a_schedule_that_predicts_otherwise_from_one_start_refutes_the_claim(stored: Any) -> None:
    found = verdicts(stored(ONE, 1, wd_decay=0.2), stored(RANDOM, 2))
    assert found["P4-31"].verdict == found["P4-31b"].verdict == "does not hold"
    assert found["P4-31c"].verdict == "holds"


@pytest.mark.parametrize(("study", "task"), [(ONE, "digits/mlp_si"), (RANDOM, "mnist/mnist_cnn_si")])
def test_without_random_starts_on_the_same_task_the_comparison_with_them_is_undecided(
    stored: Any, study: str, task: str
) -> None:
    own = stored(ONE, 1)
    assert read_across(own, [stored(study, 2, task)]) == ([], {})
    found = verdicts(own, stored(study, 2, task))
    assert (found["P4-31"].verdict, found["P4-31c"].verdict) == ("holds", "undecided")
    assert "--with the study intrinsic_lr.predictions" in found["P4-31c"].note


def test_few_runs_leave_it_undecided(stored: Any) -> None:
    own = stored(ONE, 1)
    own.trials = own.trials[own.trials["seed"] < 7]
    found = verdicts(own, stored(RANDOM, 2))
    assert {verdict.verdict for verdict in found.values()} == {"undecided"}


def test_the_constant_schedule_from_one_start_is_compared_over_the_seeds_that_both_studies_have(stored: Any) -> None:
    own, random = stored(ONE, 1), stored(RANDOM, 2)
    own.trials = own.trials[own.trials["seed"] < 9]
    predicted, errors = read_across(own, [random])
    assert [each.epoch for each in predicted] == [12, 20]
    assert set(predicted[0].by_schedule) == {FIXED, *NAMES}
    assert predicted[0].runs == 9
    assert errors[12] == pytest.approx(dict.fromkeys([FIXED, *NAMES], 0.5))


def test_a_reference_is_compared_with_all_others_and_they_not_with_each_other() -> None:
    tables = {name: np.zeros((4, 3), int) for name in ("a", "b", "c")}
    assert Predicted(1, 2, tables).pairs == [("a", "b"), ("a", "c"), ("b", "c")]
    assert Predicted(1, 2, tables, "b").pairs == [("b", "a"), ("b", "c")]
    assert Predicted(1, 2, tables, "d").pairs == []


def test_the_report_has_a_figure_of_each_comparison(simulated: Callable, store: Callable) -> None:
    tables = simulated(POINTS, seeds=2, start=1.0)
    own, random = store(tables, ONE, "one"), store(tables, RANDOM, "random")
    for results in (own, random):
        results.__dict__["spectra"] = spectra(results.trials, {}, 3)
    assert {"prediction_distances", "from_random_starts"} <= set(analysis.analyse(own, [random]).figures)
    assert "from_random_starts" not in analysis.analyse(own).figures
