"""The predicted norm is that of trainings whose gradients are known, and a norm that settles is seen to."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.figures.norm_course import effective_lr_course
from analysis.intrinsic_lr.norm_course import norm_course, predicted_gamma, settled_at
from tune_regimes.errors import UsageError
from tune_regimes.theory import effective_lr as dynamics
from tune_regimes.theory.scale_invariant import random_sphere_loss

STEPS = 50


def simulated(lrs: list[float], decay: float, momentum: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """An epochs table of SGD, step by step, on a scale-invariant loss that is nothing but noise."""
    loss = random_sphere_loss(seed, dimension=60, batches=120)
    rng = np.random.default_rng(seed)
    w, velocity, rows = 0.3 * rng.standard_normal(60), np.zeros(60), []
    for epoch, lr in enumerate(lrs, start=1):
        for _ in range(STEPS):
            velocity = momentum * velocity + loss.gradient(w, int(rng.integers(120))) + decay * w
            w = w - lr * velocity
        moment = np.mean([np.sum(loss.gradient(w, k) ** 2) for k in range(120)])
        row = {"epoch": epoch, "lr": lr, "momentum": momentum, "weight_decay": decay, "steps": STEPS}
        rows.append({**row, "norm_squared": w @ w, "gradient_second_moment": moment})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_prediction_follows_a_training_through_a_drop_of_the_learning_rate(momentum: float) -> None:
    size = np.array([0.02] * 30 + [0.005] * 30)
    course = norm_course(simulated(list(size * (1 - momentum)), decay=0.1, momentum=momentum))
    measured, predicted = course["effective_lr"].to_numpy(), course["predicted_effective_lr"].to_numpy()
    np.testing.assert_allclose(predicted, measured, rtol=0.12)
    assert measured.max() / measured.min() > 3, "there is something to follow"


def test_it_ends_at_the_equilibrium_of_the_full_second_moment() -> None:
    table = simulated([0.02] * 120, decay=0.5)
    course = norm_course(table)
    second = float((table["norm_squared"] * table["gradient_second_moment"]).tail(60).mean())
    expected = dynamics.equilibrium_gamma(0.01, second)
    assert course["predicted_gamma"].tail(30).mean() == pytest.approx(expected, rel=0.03)
    assert course["gamma"].tail(30).mean() == pytest.approx(expected, rel=0.05)


@given(st.floats(0.1, 10), st.just(0.0) | st.floats(1e-4, 0.5), st.floats(0.1, 10), st.integers(2, 6))
def test_with_constant_settings_it_is_equation_12(start: float, decay: float, moment: float, count: int) -> None:
    found = predicted_gamma(start, [7] * count, 0.1, decay, moment)
    expected = dynamics.gamma_after(7 * np.arange(count), start, 0.1 * decay, moment)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_drop_of_the_learning_rate_lowers_the_effective_one_at_once_by_as_much() -> None:
    found = predicted_gamma(4.0, [0, 0], [0.1, 0.01], 0.1, 1.0)
    assert found.tolist() == pytest.approx([4.0, 400.0])


def test_epochs_that_were_not_measured_are_bridged() -> None:
    table = simulated([0.02] * 12, decay=0.1)
    whole = norm_course(table)
    table.loc[[0, 4, 7], "gradient_second_moment"] = np.nan
    course = norm_course(table)
    assert course["epoch"].tolist() == [2, 3, 4, 6, 7, 9, 10, 11, 12]
    assert course["step"].tolist() == [STEPS * epoch for epoch in course["epoch"]]
    assert course["predicted_gamma"].iloc[-1] == pytest.approx(whole["predicted_gamma"].iloc[-1], rel=0.05)


def test_a_table_without_the_probes_is_refused_with_what_to_run() -> None:
    table = simulated([0.02], decay=0.1)
    with pytest.raises(UsageError, match="norm_squared missing: run the study with --probe norms"):
        norm_course(table.drop(columns="norm_squared"))
    with pytest.raises(UsageError, match="an epoch with norm_squared and gradient_second_moment, got none"):
        norm_course(table.assign(norm_squared=np.nan))


@given(st.floats(0.02, 0.5), st.floats(0.01, 0.2))
def test_a_norm_settles_when_its_closed_form_says_so(rate: float, tolerance: float) -> None:
    """G = 1 + e^-t falls by a factor 1 + tolerance within a window from t - d to t where e^-t (e^d - 1 - tol) = tol."""
    times = rate * np.arange(1, int(12 / rate))
    found = settled_at(1.0 + np.exp(-times), rate, tolerance)
    assert found is not None
    early, late = (np.log((np.exp(width) - 1 - tolerance) / tolerance) for width in (1.0, 1.0 + rate))
    assert early - 1e-6 <= times[found] <= late + rate + 1e-6


def test_a_norm_without_weight_decay_or_of_a_diverged_run_never_settles() -> None:
    assert settled_at(np.ones(50), 0.0) is None
    assert settled_at([1.0, np.nan, np.nan, np.nan], 1.0) is None
    assert settled_at([1.0, 1.0, 1.0], 0.5) == 2


def test_the_figure_has_both_courses_and_the_mark() -> None:
    course = norm_course(simulated([0.02] * 5, decay=0.1))
    figure = effective_lr_course(course, settled=3)
    figure.draw_without_rendering()
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["measured", "predicted (Lemma 5.2)", "norm settled"]
    assert list(figure.axes[0].lines[2].get_xdata()) == [4 * STEPS, 4 * STEPS]
