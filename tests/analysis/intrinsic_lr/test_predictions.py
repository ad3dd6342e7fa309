from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.intrinsic_lr.effective_lr import courses
from analysis.intrinsic_lr.predictions import Predicted, claims, distance_curves, error_means, read_predictions
from analysis.verdicts import Verdict
from search_spaces.intrinsic_lr_points import prediction_schedule
from search_spaces.intrinsic_lr_rates import SMOKE

NAMES = ("const", "lr_decay", "wd_decay")
POINTS = [({"schedule": name}, prediction_schedule({"schedule": name}, rates=SMOKE, epochs=20)) for name in NAMES]
EXAMPLES = 200


def predicted(epoch: int, runs: int = 16, wrong: float = 0.1, apart: float = 0.0) -> Predicted:
    """Predictions of right class 0; every run errs on its own examples, wd_decay on some of its own besides."""
    rng = np.random.default_rng(epoch)
    tables = {name: (rng.uniform(size=(runs, EXAMPLES)) < wrong).astype(int) for name in NAMES}
    tables["wd_decay"][:, : int(apart * EXAMPLES)] = 1
    return Predicted(epoch, 2, tables)


def verdicts(tables: Any, *parts: Predicted) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables, list(parts))}


@pytest.fixture
def tables(simulated: Callable) -> Any:
    return simulated(POINTS, seeds=6, start=1.0)


def test_schedules_that_predict_alike_are_found_to(tables: Any) -> None:
    found = verdicts(tables, predicted(12), predicted(20))
    assert {claim: found[claim].verdict for claim in ("P4-17", "P4-17b", "P4-11", "P4-12")} == dict.fromkeys(
        ["P4-17", "P4-17b", "P4-11", "P4-12"], "holds"
    )
    assert found["P4-11"].n == {"const": 16, "lr_decay": 16, "wd_decay": 16, "examples": EXAMPLES, "epoch": 12}


def test_one_that_predicts_otherwise_refutes_its_conjecture_only(tables: Any) -> None:
    found = verdicts(tables, predicted(12), predicted(20, apart=0.2))
    assert (found["P4-11"].verdict, found["P4-12"].verdict) == ("holds", "does not hold")


def test_few_runs_or_none_leave_it_undecided(tables: Any) -> None:
    found = verdicts(tables, predicted(12, runs=4))
    assert (found["P4-11"].verdict, found["P4-11"].note) == ("undecided", "at least 8 runs of each are needed")
    assert (found["P4-12"].verdict, "--probe predictions" in found["P4-12"].note) == ("undecided", True)
    assert verdicts(tables)["P4-18"].verdict == "undecided"


def test_errors_that_differ_refute_the_equal_errors(simulated: Callable) -> None:
    def late(config: Any, epoch: int) -> float:
        return 0.1 * (config["schedule"] == "const" and epoch > 12)

    found = verdicts(simulated(POINTS, seeds=6, start=1.0, accuracy=late))
    assert (found["P4-17"].verdict, found["P4-17b"].verdict) == ("holds", "does not hold")
    noisy = simulated(POINTS, seeds=3, start=1.0, noise=0.3)
    assert verdicts(noisy)["P4-17"].verdict == "undecided"


def test_distances_far_under_the_errors_hold_and_near_them_do_not(tables: Any) -> None:
    low = tables[0], tables[1].assign(test_accuracy=0.5)
    assert verdicts(low, predicted(12))["P4-18"].verdict == "holds"
    high = tables[0], tables[1].assign(test_accuracy=0.95)
    assert verdicts(high, predicted(12, apart=0.3))["P4-18"].verdict == "does not hold"


def test_no_completed_run_is_undecided(tables: Any) -> None:
    found = verdicts((tables[0].assign(status="failed"), tables[1]))
    assert {verdict.verdict for verdict in found.values()} == {"undecided"}


def test_errors_are_one_minus_the_accuracy_after_an_epoch(tables: Any) -> None:
    rows = courses(*tables)
    own = rows[(rows["config.schedule"] == "const") & (rows["epoch"] == 12)]
    assert error_means(rows, 12)["const"] == pytest.approx(1 - own["test_accuracy"].mean())


def test_curves_go_to_half_of_the_runs_between_schedules_and_within_each(tables: Any) -> None:
    curves = distance_curves(predicted(12))
    assert len(curves) == 6
    assert all(counts == [2, 4, 8] for counts, _ in curves.values())
    assert (np.diff(curves["const - lr_decay"][1]) < 0).all()


def test_predictions_are_read_from_the_spectra_by_epoch_and_schedule(tables: Any) -> None:
    trials = tables[0]
    parts = [
        pd.DataFrame({"epoch": epoch, "name": "predicted_class", "index": [0, 1], "value": values, "trial_id": trial})
        for number, trial in enumerate(trials["trial_id"])
        for epoch, values in ((12, [0.0, number]), (20, [1.0, 2.0]))
    ]
    others = pd.DataFrame({"epoch": [12], "name": "hessian", "index": [0], "value": [3.5], "trial_id": ["00000-s1"]})
    spectra = pd.concat([*parts, others])
    assert read_predictions(trials, spectra.iloc[:0]) == []
    first, second = read_predictions(trials.assign(status=["failed"] + ["completed"] * (len(trials) - 1)), spectra)
    assert (first.epoch, second.epoch, first.classes) == (12, 20, 18)
    assert first.by_schedule["const"].tolist() == [[0, number] for number in range(1, 6)]
    assert first.by_schedule["lr_decay"].tolist() == [[0, number] for number in range(7, 12)]
