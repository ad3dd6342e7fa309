"""The Gram estimator against the covariance matrix itself, and single gradients against gradients one by one."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from tests.probes.test_hessian import CLASSES, conv_net, made, relu_net
from tune_regimes.errors import UsageError
from tune_regimes.probes import covariance as cov
from tune_regimes.probes.flattened import set_mode


def gradients_one_by_one(model: nn.Module, batches) -> torch.Tensor:
    rows = []
    for inputs, targets in batches:
        model.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    model.zero_grad()
    return torch.stack(rows)


def matrix_of(gradients: torch.Tensor) -> np.ndarray:
    return np.cov(gradients.double().numpy(), rowvar=False, bias=True)


@pytest.mark.parametrize(("build", "shape", "mode"), [(relu_net, (5,), "train"), (conv_net, (2, 4, 4), "eval")])
def test_the_spectrum_is_that_of_the_covariance_over_all_examples(build, shape, mode):
    model, batches = made(build, shape, parts=1)
    set_mode(model, mode)
    singles = [(inputs[i : i + 1], targets[i : i + 1]) for inputs, targets in batches for i in range(len(targets))]
    gradients = cov.per_example_gradients(model, cross_entropy, *batches[0], chunk=7)
    expected = gradients_one_by_one(model, singles)
    torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-12)
    found, matrix = cov.covariance(gradients), matrix_of(expected)
    values = np.linalg.eigvalsh(matrix)[::-1]
    np.testing.assert_allclose(found.eigenvalues, values[:24], rtol=1e-8, atol=1e-14 * values[0] + 1e-15)
    assert found.smallest == pytest.approx(values[22], rel=1e-6)
    assert found.eigenvalues[-1] < 1e-12 * found.largest
    assert found.trace == pytest.approx(np.trace(matrix), rel=1e-12)


@pytest.mark.parametrize(("build", "shape"), [(relu_net, (5,)), (conv_net, (2, 4, 4))])
def test_the_spectrum_is_that_of_the_covariance_over_batches(build, shape):
    model, batches = made(build, shape, count=32, parts=8)
    gradients = cov.batch_gradients(model, cross_entropy, batches, len(batches))
    torch.testing.assert_close(gradients, gradients_one_by_one(model, batches))
    found, values = cov.covariance(gradients), np.linalg.eigvalsh(matrix_of(gradients))[::-1]
    np.testing.assert_allclose(found.eigenvalues[:7], values[:7], rtol=1e-8)
    assert (found.largest, found.smallest) == pytest.approx((values[0], values[6]), rel=1e-8)
    assert found.ratio == pytest.approx(values[6] / values[0], rel=1e-8)
    assert all(p.grad is None for p in model.parameters())


ROWS = st.integers(2, 12), st.integers(1, 40), st.integers(0, 2**31)


@given(*ROWS)
def test_the_trace_over_the_dimension_is_the_mean_variance_of_a_coordinate(count, dimension, seed):
    gradients = torch.randn(count, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = cov.covariance(gradients)
    centred = gradients - gradients.mean(0)
    assert found.trace / dimension == pytest.approx(float(centred.square().sum() / (count * dimension)), rel=1e-9)
    assert found.gradient_norm == pytest.approx(float(gradients.mean(0).norm()), rel=1e-9)
    assert found.second_moment == pytest.approx(float(gradients.square().sum(1).mean()), rel=1e-9)
    assert found.second_moment == pytest.approx(found.trace + found.gradient_norm**2, rel=1e-9)
    if count > 2 and dimension >= count:
        assert 0.0 < found.ratio <= 1.0


def test_the_ratio_of_a_gradient_to_its_projection_is_that_of_explicit_eigenvectors():
    model, batches = made(relu_net, (5,), count=40, parts=10)
    gradients = cov.batch_gradients(model, cross_entropy, batches, len(batches))
    found = cov.covariance(gradients)
    _, vectors = np.linalg.eigh(matrix_of(gradients))
    top = vectors[:, ::-1][:, :5]
    rows = gradients.numpy()
    expected = np.mean(np.linalg.norm(rows, axis=1) / np.linalg.norm(rows @ top, axis=1))
    assert found.gradient_ratio == pytest.approx(expected, rel=1e-6)
    mine = cov.eigenvectors(gradients, found, 5).numpy()
    np.testing.assert_allclose(mine @ mine.T, np.eye(5), atol=1e-7)
    np.testing.assert_allclose(np.abs(np.sum(mine.T * top, axis=0)), 1.0, rtol=1e-6)


@given(st.integers(6, 12), st.integers(0, 2**31))
def test_the_ratio_is_at_least_one_and_one_where_five_directions_span_the_gradients(count, seed):
    generator = torch.Generator().manual_seed(seed)
    spanned = torch.randn(count, 5, generator=generator, dtype=torch.float64)
    frame = torch.linalg.qr(torch.randn(30, 5, generator=generator, dtype=torch.float64)).Q
    assert cov.covariance(spanned @ frame.T).gradient_ratio == pytest.approx(1.0, rel=1e-9)
    free = torch.randn(count, 30, generator=generator, dtype=torch.float64)
    assert cov.covariance(free).gradient_ratio > 1.0


def test_the_ratio_needs_six_gradients():
    gradients = torch.randn(6, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert math.isfinite(cov.covariance(gradients).gradient_ratio)
    assert math.isnan(cov.covariance(gradients[:5]).gradient_ratio)


def test_the_covariance_of_batches_is_that_of_examples_over_their_size():
    model, batches = made(relu_net, (5,), count=64, parts=1)
    gradients = cov.per_example_gradients(model, cross_entropy, *batches[0])
    size, draws = 8, 4000
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(64, (draws, size), generator=generator)
    of_batches = matrix_of(gradients[rows].mean(dim=1))
    of_examples = matrix_of(gradients)
    assert np.trace(of_batches) * size == pytest.approx(np.trace(of_examples), rel=0.05)
    assert np.linalg.eigvalsh(of_batches)[-1] * size == pytest.approx(np.linalg.eigvalsh(of_examples)[-1], rel=0.1)
    few = [cov.covariance(gradients[rows[i : i + 10]].mean(dim=1)).trace for i in range(0, draws, 10)]
    assert np.mean(few) * size == pytest.approx(0.9 * np.trace(of_examples), rel=0.05)


def test_float32_gradients_give_the_spectrum_of_float64_to_six_digits():
    def found(dtype):
        model, batches = made(relu_net, (5,), count=40, parts=10, dtype=torch.float64)
        inputs = [(x.to(dtype), y) for x, y in batches]
        return cov.covariance(cov.batch_gradients(model.to(dtype), cross_entropy, inputs, len(inputs)))

    single, double = found(torch.float32), found(torch.float64)
    np.testing.assert_allclose(single.eigenvalues[:9], double.eigenvalues[:9], rtol=3e-5)
    assert single.largest == pytest.approx(double.largest, rel=1e-6)
    assert single.gradient_ratio == pytest.approx(double.gradient_ratio, rel=1e-5)


def test_blocks_of_columns_add_up(monkeypatch):
    gradients = torch.randn(7, 101, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = cov.covariance(gradients)
    monkeypatch.setattr(cov, "_BLOCK", 70)
    parts = cov.covariance(gradients)
    np.testing.assert_allclose(parts.eigenvalues, whole.eigenvalues, rtol=1e-12, atol=1e-12)
    assert parts.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-12)


def test_equal_gradients_have_no_ratio_and_gradients_that_are_not_finite_no_spectrum():
    assert math.isnan(cov.covariance(torch.ones(3, 4)).ratio)
    broken = cov.covariance(torch.tensor([[1.0, math.nan], [0.0, 1.0]]))
    assert math.isnan(broken.largest)
    assert math.isnan(broken.trace)
    assert math.isnan(broken.gradient_norm)


def test_one_gradient_has_no_covariance():
    with pytest.raises(UsageError, match="at least 2 gradients, got 1; raise batches"):
        cov.covariance(torch.ones(1, 4))


def test_single_gradients_need_a_loss_that_does_not_mix_examples():
    model, batches = made(conv_net, (2, 4, 4), parts=1)
    set_mode(model, "train")
    with pytest.raises(
        UsageError, match=r"BatchNorm '1' normalises by the batch; use mode=eval, or a batch_size above"
    ):
        cov.per_example_gradients(model, cross_entropy, *batches[0])


def test_single_gradients_of_a_module_that_vmap_does_not_bear_are_refused():
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(5, CLASSES).double()

        def forward(self, inputs):
            return self.linear(inputs) * (2.0 if inputs.sum().item() > 0 else 1.0)

    model, batches = made(Branching, (5,), parts=1)
    with pytest.raises(UsageError, match=r"torch.func.vmap bears \(.*\); use a batch_size above 1"):
        cov.per_example_gradients(model, cross_entropy, *batches[0])
