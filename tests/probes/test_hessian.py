"""Products and eigenvalues of the Hessian against the dense matrix, and what happens where there is none."""

import math
import weakref

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn
from torch.func import functional_call, hessian
from torch.nn.functional import cross_entropy

from tune_regimes.errors import UsageError
from tune_regimes.probes.flattened import set_mode, trained
from tune_regimes.probes.hessian import Hessian, spectrum_ends

CLASSES = 4


def relu_net() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, CLASSES))


def conv_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, bias=False),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12, CLASSES),
    )


def made(build, shape: tuple[int, ...], *, count: int = 24, parts: int = 3, dtype=torch.float64):
    torch.manual_seed(2)
    model = build().to(dtype)
    inputs, targets = torch.randn(count, *shape, dtype=dtype), torch.randint(0, CLASSES, (count,))
    return model, list(zip(inputs.chunk(parts), targets.chunk(parts), strict=True))


def dense(model: nn.Module, loss, batches) -> np.ndarray:
    """The Hessian of the mean over batches by torch.func: no code in common with what is tested."""
    parameters = {name: p.detach().double() for name, p in trained(model).items()}
    buffers = {name: b.double() if b.is_floating_point() else b for name, b in model.named_buffers()}

    def value(flat: Tensor) -> Tensor:
        parts = flat.split([p.numel() for p in parameters.values()])
        point = {name: part.view(p.shape) for part, (name, p) in zip(parts, parameters.items(), strict=True)}
        frozen = {name: p.double() for name, p in model.named_parameters() if not p.requires_grad}
        total, count = flat.new_zeros(()), 0
        for inputs, targets in batches:
            held = {name: buffer.clone() for name, buffer in buffers.items()}
            outputs = functional_call(model, point | frozen | held, (inputs.double(),))
            total, count = total + loss(outputs, targets) * len(targets), count + len(targets)
        return total / count

    flat = torch.cat([p.reshape(-1) for p in parameters.values()])
    if any(module.training for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        return torch.autograd.functional.hessian(value, flat).numpy()
    return hessian(value)(flat).numpy()


def largest_in_size(matrix: np.ndarray, top: int) -> np.ndarray:
    values = np.linalg.eigvalsh(0.5 * (matrix + matrix.T))
    return np.sort(values[np.argsort(-np.abs(values))[:top]])[::-1]


CASES = {
    "relu": (relu_net, (5,), "train"),
    "bn-train": (conv_net, (2, 4, 4), "train"),
    "bn-eval": (conv_net, (2, 4, 4), "eval"),
}


@pytest.mark.parametrize("memory", [0, 2**29])
@pytest.mark.parametrize("case", CASES)
def test_products_are_those_of_the_dense_hessian_whether_graphs_are_kept_or_not(case, memory):
    build, shape, mode = CASES[case]
    model, batches = made(build, shape)
    set_mode(model, mode)
    matrix, found = dense(model, cross_entropy, batches), Hessian(model, cross_entropy, batches, memory=memory)
    for vector in np.random.default_rng(0).standard_normal((3, found.dimension)):
        np.testing.assert_allclose(found.product(vector), matrix @ vector, rtol=1e-9, atol=1e-11)
    assert found.products == 3


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
@pytest.mark.parametrize("case", CASES)
def test_the_five_largest_eigenvalues_are_those_of_the_dense_hessian(case, dtype, bound):
    build, shape, mode = CASES[case]
    model, batches = made(build, shape, dtype=dtype)
    set_mode(model, mode)
    found = Hessian(model, cross_entropy, batches)
    start = np.random.default_rng(0).standard_normal(found.dimension)
    ends = spectrum_ends(found, start=start, top=5, tolerance=1e-5)
    matrix = dense(model.double(), cross_entropy, batches)
    np.testing.assert_allclose(ends.values, largest_in_size(matrix, 5), rtol=bound)
    assert ends.largest == pytest.approx(np.linalg.eigvalsh(matrix).max(), rel=bound)
    assert ends.norm == pytest.approx(np.abs(np.linalg.eigvalsh(matrix)).max(), rel=bound)
    residual = np.linalg.norm(matrix @ ends.vector - ends.largest * ends.vector)
    assert residual < 10 * math.sqrt(bound) * ends.largest
    assert np.linalg.norm(ends.vector) == pytest.approx(1.0)


def test_kept_graphs_are_without_the_numbers_of_the_gradients(monkeypatch):
    model, batches = made(relu_net, (5,))
    gradient, parts = Hessian._gradient, []

    def spied(hessian: Hessian, index: int) -> list[Tensor]:
        found = gradient(hessian, index)
        parts.extend(map(weakref.ref, found))
        return found

    monkeypatch.setattr(Hessian, "_gradient", spied)
    kept = Hessian(model, cross_entropy, batches)
    first = kept.product(np.ones(kept.dimension))
    made_so_far = len(parts)
    np.testing.assert_array_equal(kept.product(np.ones(kept.dimension)), first)
    assert len(parts) == made_so_far > 0
    assert not [part for part in parts if part() is not None]


def test_a_batch_of_another_size_counts_with_its_number_of_examples():
    model, batches = made(relu_net, (5,))
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    uneven = [(inputs[:3], targets[:3]), (inputs[3:], targets[3:])]
    vector = np.random.default_rng(0).standard_normal(sum(p.numel() for p in model.parameters()))
    product, curvatures = Hessian(model, cross_entropy, uneven).curvatures(vector)
    np.testing.assert_allclose(product, Hessian(model, cross_entropy, batches).product(vector), rtol=1e-9, atol=1e-12)
    assert (3 * curvatures[0] + 21 * curvatures[1]) / 24 == pytest.approx(product @ vector)
    assert curvatures[0] != pytest.approx(curvatures[1], rel=1e-3)


class Bilinear(nn.Module):
    """Outputs a number whose Hessian is a given symmetric matrix."""

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__()
        self.matrix = torch.from_numpy(matrix)
        self.weights = nn.Parameter(torch.ones(len(matrix), dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        return 0.5 * self.weights @ self.matrix @ self.weights * inputs.mean()


def of_matrix(eigenvalues) -> tuple[Hessian, np.ndarray]:
    rng = np.random.default_rng(1)
    basis, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    model = Bilinear(basis @ np.diag(eigenvalues) @ basis.T)
    batch = (torch.ones(1, dtype=torch.float64), torch.zeros(1))
    return Hessian(model, lambda outputs, targets: outputs, [batch]), rng.standard_normal(len(eigenvalues))


@pytest.mark.parametrize("size", [6, 60])
def test_the_most_positive_eigenvalue_and_the_spectral_norm_differ_where_a_negative_one_is_larger(size):
    found, start = of_matrix([-9.0, 5.0, 3.0, *np.linspace(-1, 1, size - 3)])
    ends = spectrum_ends(found, start=start, tolerance=1e-6)
    assert ends.largest == pytest.approx(5.0, rel=1e-9)
    assert ends.norm == pytest.approx(9.0, rel=1e-9)
    assert ends.values == pytest.approx([-9.0])
    assert ends.vector @ found.product(ends.vector) == pytest.approx(5.0, rel=1e-6)


def test_a_hessian_without_a_positive_eigenvalue_says_so():
    found, start = of_matrix(np.linspace(-8.0, -1.0, 30))
    ends = spectrum_ends(found, start=start, tolerance=1e-6, iterations=100)
    assert ends.largest == pytest.approx(-1.0, rel=1e-6)
    assert ends.norm == pytest.approx(8.0, rel=1e-6)


def test_one_run_serves_both_ends_where_the_largest_is_positive():
    found, start = of_matrix([50.0, *np.linspace(-1, 1, 199)])
    spectrum_ends(found, start=start, tolerance=1e-3, basis=8)
    assert found.products <= 13


@pytest.mark.parametrize("scale", [0.0, 1e-3])
def test_a_loss_that_is_linear_has_a_hessian_of_zeros(scale):
    model = nn.Linear(30, 1).double()
    batch = (scale * torch.randn(8, 30, dtype=torch.float64), torch.zeros(8))
    found = Hessian(model, lambda outputs, targets: outputs.sum(), [batch])
    assert not found.product(np.ones(31)).any()
    ends = spectrum_ends(found, start=np.ones(31))
    assert (ends.largest, ends.norm) == (0.0, 0.0)


def test_frozen_parameters_are_no_coordinates():
    model, batches = made(relu_net, (5,))
    model[2].requires_grad_(False)
    found = Hessian(model, cross_entropy, batches)
    assert found.dimension == 5 * 8 + 8 + 6 * CLASSES + CLASSES
    vector = np.random.default_rng(0).standard_normal(found.dimension)
    np.testing.assert_allclose(found.product(vector), dense(model, cross_entropy, batches) @ vector, rtol=1e-9)
    with pytest.raises(UsageError, match="all are frozen; unfreeze one"):
        Hessian(model.requires_grad_(False), cross_entropy, batches)


def test_the_same_hessian_gives_the_same_numbers_bit_for_bit():
    def once():
        model, batches = made(relu_net, (5,), dtype=torch.float32)
        torch.manual_seed(torch.seed())
        return spectrum_ends(Hessian(model, cross_entropy, batches), start=np.ones(130), top=2)

    first, second = once(), once()
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.vector, second.vector)


def test_a_model_that_draws_random_numbers_draws_the_same_in_every_product():
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = relu_net().double()

        def forward(self, inputs: Tensor) -> Tensor:
            return self.net(inputs + torch.randn_like(inputs))

    model, batches = made(Noisy, (5,))
    found = Hessian(model, cross_entropy, batches, memory=0)
    state = torch.get_rng_state()
    np.testing.assert_array_equal(found.product(np.ones(130)), found.product(np.ones(130)))
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_is_off_and_batchnorm_as_the_mode_says():
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3), nn.Dropout1d(0.5))
    for mode in ("train", "eval"):
        set_mode(model, mode)
        assert [module.training for module in model] == [False, mode == "train", False]
    with pytest.raises(UsageError, match="mode must be one of train, eval, got 'both'"):
        set_mode(model, "both")


def test_lanczos_that_does_not_converge_gives_nan_and_says_what_to_raise():
    found, start = of_matrix(np.linspace(0.99, 1.0, 300))
    message = r"did not converge in 1 iterations.* near 0\.99.*residual of.*tolerance is 1e-12.*Raise iterations"
    with pytest.warns(RuntimeWarning, match=message):
        ends = spectrum_ends(found, start=start, top=2, tolerance=1e-12, iterations=1)
    assert math.isnan(ends.largest)
    assert math.isnan(ends.norm)
    assert np.isnan(ends.values).all()
    assert len(ends.values) == 2
    assert ends.vector is None


def test_a_product_that_is_not_finite_gives_nan():
    model, batches = made(relu_net, (5,))
    with torch.no_grad():
        model[0].weight.fill_(math.inf)
    with pytest.warns(RuntimeWarning, match="product with the Hessian is not finite"):
        ends = spectrum_ends(Hessian(model, cross_entropy, batches), start=np.ones(130))
    assert math.isnan(ends.largest)


class Once(torch.autograd.Function):
    """A cube whose backward pass cannot be differentiated."""

    @staticmethod
    def forward(ctx, inputs):
        ctx.save_for_backward(inputs)
        return inputs**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 3 * ctx.saved_tensors[0] ** 2 * gradient


class Cube(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return Once.apply(inputs)


def test_a_module_that_cannot_be_differentiated_twice_is_named():
    model, batches = made(lambda: nn.Sequential(nn.Linear(5, 6), Cube(), nn.Linear(6, CLASSES)), (5,))
    with pytest.raises(UsageError, match=r"module 1 \(Cube\) has no second derivative.*hessian_every=0"):
        Hessian(model, cross_entropy, batches).product(np.ones(64))


def test_a_loss_that_cannot_be_differentiated_twice_is_named():
    model, batches = made(relu_net, (5,))
    with pytest.raises(UsageError, match="the loss, or a function that the model calls by itself, has no second"):
        Hessian(model, lambda outputs, targets: Once.apply(outputs).sum(), batches).product(np.ones(130))


@pytest.mark.parametrize("top", [0, 130])
def test_more_eigenvalues_than_there_are_are_refused(top):
    model, batches = made(relu_net, (5,))
    with pytest.raises(UsageError, match=f"top must lie in 1..129 for 130 parameters, got {top}"):
        spectrum_ends(Hessian(model, cross_entropy, batches), start=np.ones(130), top=top)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_products_and_eigenvalues_of_a_net_of_100_000_parameters_agree_with_curvlinops(dtype, bound):
    curvlinops = pytest.importorskip("curvlinops")
    model, batches = made(
        lambda: nn.Sequential(nn.Linear(50, 300), nn.ReLU(), nn.Linear(300, 280), nn.ReLU(), nn.Linear(280, CLASSES)),
        (50,),
        count=120,
        dtype=dtype,
    )
    found = Hessian(model, cross_entropy, batches)
    assert found.dimension > 99_000
    theirs = curvlinops.HessianLinearOperator(
        model, nn.CrossEntropyLoss(), list(model.parameters()), batches, check_deterministic=False
    ).to_scipy()
    vector = np.random.default_rng(0).standard_normal(found.dimension)
    expected = theirs @ vector.astype(theirs.dtype)
    error = np.linalg.norm(found.product(vector) - expected) / np.linalg.norm(expected)
    assert error < bound
    ends = spectrum_ends(found, start=vector, top=2, tolerance=1e-6)
    their_value = float(eigsh(theirs, k=1, which="LA", tol=1e-6, v0=vector.astype(theirs.dtype))[0][0])
    assert ends.largest == pytest.approx(their_value, rel=bound)
