"""SGD with weight decay on noisy scale-invariant losses: against single runs, the exact recursion and Lemma 5.2."""

import numpy as np
import pytest

from tune_regimes.errors import TheoryError
from tune_regimes.theory import effective_lr as dynamics
from tune_regimes.theory.equivalences import sgd_path
from tune_regimes.theory.scale_invariant import SphereLoss
from tune_regimes.theory.sphere_descent import NoisySphere, descend, starts_of_norm

MODEL = NoisySphere(np.array([0.0, 1.0, 2.0, 0.5]), 1.5)


def test_a_replicate_is_the_sgd_of_a_single_run_on_the_same_batches():
    starts, steps = starts_of_norm(MODEL, 4.0, 1), 30
    run = descend(MODEL, starts, lrs=[0.2] * steps, weight_decays=[0.1] * steps, seed=7)
    slopes = MODEL.spread * np.random.default_rng(7).standard_normal((steps, 4))
    batches = SphereLoss(np.repeat(np.diag(MODEL.curvatures)[None], steps, axis=0), slopes)
    path = sgd_path(batches.gradient, starts[0], [0.2] * steps, 0.1)
    np.testing.assert_allclose(run.norms_squared[:, 0], (path**2).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(run.last[0], path[-1], rtol=1e-11)
    mean = SphereLoss(np.diag(MODEL.curvatures)[None], np.zeros((1, 4)))
    np.testing.assert_allclose(run.losses[:, 0], [mean.value(w) for w in path], rtol=1e-11)


def test_the_norm_follows_the_exact_recursion_under_a_schedule():
    lrs, decays = np.geomspace(0.5, 0.05, 40), np.linspace(0.0, 0.4, 40)
    run = descend(MODEL, starts_of_norm(MODEL, 2.0, 3), lrs=lrs, weight_decays=decays)
    for t, (lr, decay) in enumerate(zip(lrs, decays, strict=True)):
        after = dynamics.next_norm_squared(run.norms_squared[t], lr, lr * decay, run.second_moments[t])
        np.testing.assert_allclose(run.norms_squared[t + 1], after, rtol=1e-12)
    np.testing.assert_allclose(run.effective_lrs, lrs[:, None] / run.norms_squared[:-1])


def test_the_trace_of_the_noise_is_sigma_squared_in_every_direction():
    rng = np.random.default_rng(0)
    flat = NoisySphere(np.zeros(4), 1.5)
    for direction in starts_of_norm(flat, 1.0, 3):
        pulls = flat.unit_gradient(np.tile(direction, (200_000, 1)), flat.spread * rng.standard_normal((200_000, 4)))
        assert np.abs(pulls @ direction).max() < 1e-12
        assert (pulls**2).sum(axis=1).mean() == pytest.approx(1.5**2, rel=0.01)


def test_starts_have_the_norm_that_is_asked_for():
    np.testing.assert_allclose((starts_of_norm(MODEL, 9.0, 5) ** 2).sum(axis=1), 9.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lrs": [0.1, 0.0]}, "learning rates must be finite and above 0"),
        ({"weight_decays": [0.1]}, r"weight decays must have shape \(2,\)"),
        ({"weight_decays": [0.1, 20.0]}, "intrinsic learning rate"),
        ({"starts": np.zeros((2, 4))}, "smallest norm of the starts"),
        ({"starts": np.ones((2, 3))}, r"starts must have shape \(any, 4\)"),
    ],
)
def test_bad_input_is_refused(changes, message):
    good = {"starts": np.ones((2, 4)), "lrs": [0.1, 0.1], "weight_decays": [0.1, 0.1]}
    with pytest.raises(TheoryError, match=message):
        descend(MODEL, **{**good, **changes})


def test_a_model_without_noise_or_with_a_single_weight_is_refused():
    with pytest.raises(TheoryError, match="sigma"):
        NoisySphere([0.0, 1.0], 0.0)
    with pytest.raises(TheoryError, match="number of curvatures"):
        NoisySphere([1.0], 1.0)
