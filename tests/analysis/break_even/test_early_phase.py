from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.break_even.curvature_runs import HESSIAN, LARGEST
from analysis.break_even.early_phase import claims, count_outliers, describe_early, detailed, spectra_at_maximum
from analysis.verdicts import Verdict

LRS = [{"lr": lr} for lr in (0.3, 0.03)]


def judge(tables: tuple, looks: tuple) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables, *looks)}


def test_every_part_holds_where_the_paper_is_right(curved: Callable, looked: Callable) -> None:
    tables = curved(LRS, seeds=4)
    verdicts = judge(tables, looked(tables))
    assert set(verdicts) == {"P3-06", "P3-16", "P3-16b", "P3-16c", "P3-07", "P3-07b", "P3-07c", "P3-08", "P3-08b"}
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == dict.fromkeys(verdicts, "holds")


def test_the_contrary_does_not_hold(curved: Callable, looked: Callable) -> None:
    tables = curved(
        LRS, seeds=4, powers={LARGEST: 0.5, HESSIAN: 0.5, "covariance_trace": 0.5, "covariance_ratio": -0.5}
    )
    verdicts = judge(tables, looked(tables, together=False, outliers=lambda lr: 3 if lr > 0.1 else 1))
    for claim in ("P3-06", "P3-16", "P3-16b", "P3-07", "P3-07c", "P3-08", "P3-08b"):
        assert verdicts[claim].verdict == "does not hold", claim


def test_steps_that_never_do_harm_decide_nothing_and_the_contrary_counts(curved: Callable, looked: Callable) -> None:
    tables = curved(LRS, seeds=4)
    assert judge(tables, looked(tables, harm=False))["P3-07b"].verdict == "undecided"
    measurements, spectra = looked(tables)
    turned = measurements.assign(loss_change=-measurements["loss_change"])
    assert judge(tables, (turned, spectra))["P3-07b"].verdict == "does not hold"


def test_the_accuracy_within_an_epoch_lies_between_those_of_the_epochs(curved: Callable, looked: Callable) -> None:
    trials, epochs = curved(LRS[:1], seeds=1)
    rows = detailed(trials, epochs, looked((trials, epochs))[0])
    reached = epochs["train_accuracy"].to_numpy()
    assert rows["time"].tolist()[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.2])
    middle = rows[np.isclose(rows["time"], 2.0)]["train_accuracy"].item()
    assert middle == pytest.approx((reached[1] + reached[2]) / 2)
    assert rows["train_accuracy"].is_monotonic_increasing


def test_outliers_are_told_from_the_bulk() -> None:
    assert count_outliers(np.array([100.0, 50.0, 1.0, 1.0, 1.0, 0.0])) == 2
    assert count_outliers(np.array([])) == 0
    assert count_outliers(np.array([3.0, 2.0, 1.0])) == 0


def test_the_spectrum_is_that_of_the_look_with_the_maximum(curved: Callable, looked: Callable) -> None:
    trials, epochs = curved(LRS[:1], seeds=1)
    measurements, spectra = looked((trials, epochs))
    rows = detailed(trials, epochs, measurements)
    top = rows.loc[rows[LARGEST].idxmax()]
    here = (spectra["epoch"] == top["epoch"]) & (spectra["step"] == top["step"]) & (spectra["name"] == "covariance")
    spectra.loc[here, "value"] *= 7
    found = spectra_at_maximum(trials, rows, spectra, "covariance", LARGEST)
    assert found[0.3, 0.0][0] == 700.0


@pytest.mark.parametrize("spoil", ["no looks", "one seed", "no curvature of H", "no spectra"])
def test_too_little_is_undecided_with_a_reason(curved: Callable, looked: Callable, spoil: str) -> None:
    tables = curved(LRS, seeds=1 if spoil == "one seed" else 3)
    measurements, spectra = looked(tables)
    if spoil == "no looks":
        measurements, spectra = measurements.iloc[:0], spectra.iloc[:0]
    measurements = measurements.assign(**{HESSIAN: np.nan}) if spoil == "no curvature of H" else measurements
    spectra = spectra.iloc[:0] if spoil == "no spectra" else spectra
    verdicts = judge(tables, (measurements, spectra))
    spoiled = {"no curvature of H": ("P3-07", "P3-07b", "P3-07c"), "no spectra": ("P3-08", "P3-08b")}.get(
        spoil, verdicts
    )
    for claim in spoiled:
        assert (verdicts[claim].verdict, bool(verdicts[claim].note)) == ("undecided", True), claim
    assert isinstance(describe_early(tables[0], detailed(*tables, measurements)), pd.DataFrame)
