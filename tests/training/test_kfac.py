"""K-FAC against natural gradients computed by brute force, and against Kronecker products written out."""

import sys
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tune_regimes.errors import TaskError, UsageError
from tune_regimes.schedule import Settings
from tune_regimes.tasks.models.initial import initialise
from tune_regimes.training.objective import Objective
from tune_regimes.training.optimizers import ScheduledOptimizer

Loss = Callable[[Tensor, Tensor], Tensor]
ROWS, INPUTS, OUTPUTS = 40, 5, 3
NEGLIGIBLE = 1e-14


def regression() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(ROWS, INPUTS, generator=generator, dtype=torch.float64) * torch.linspace(0.3, 3, INPUTS)
    return inputs, torch.randn(ROWS, OUTPUTS, generator=generator, dtype=torch.float64)


def classification() -> tuple[Tensor, Tensor]:
    return regression()[0], torch.randint(0, OUTPUTS, (ROWS,), generator=torch.Generator().manual_seed(2))


def layer(bias: bool = True, zero: bool = False) -> nn.Linear:
    torch.manual_seed(3)
    made = nn.Linear(INPUTS, OUTPUTS, bias=bias, dtype=torch.float64)
    if zero:
        for parameter in made.parameters():
            nn.init.zeros_(parameter)
    return made


def objective(model: nn.Module, loss: Loss, *batches: tuple[Tensor, Tensor]) -> Objective:
    def forward(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        outputs = model(inputs)
        return outputs, loss(outputs, targets)

    return Objective(batches, len(batches), forward)


def flat(tensors: object) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def displacement(model: nn.Module, loss: Loss, settings: Settings, *batches: tuple[Tensor, Tensor]) -> Tensor:
    before = flat(model.parameters())
    optimizer = ScheduledOptimizer(model, loss)
    optimizer.enter(settings)
    optimizer.step(0, objective(model, loss, *batches))
    return flat(model.parameters()) - before


def gauss_newton(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor) -> Tensor:
    """The exact matrix, [parameters, parameters]: Jacobian of the outputs, Hessian of the loss in them."""
    names, values = zip(*model.named_parameters(), strict=True)
    weights = tuple(value.detach() for value in values)

    def outputs(*weights: Tensor) -> Tensor:
        return torch.func.functional_call(model, dict(zip(names, weights, strict=True)), (inputs,)).flatten()

    parts = torch.autograd.functional.jacobian(outputs, weights)
    jacobian = torch.cat([part.flatten(1) for part in parts], dim=1)
    at = outputs(*weights)
    hessian = torch.autograd.functional.hessian(lambda flat: loss(flat.view(len(inputs), -1), targets), at)
    return jacobian.T @ hessian @ jacobian


def gradient(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor) -> Tensor:
    return flat(torch.autograd.grad(loss(model(inputs), targets), list(model.parameters())))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("parts", [1, 4])
def test_a_step_on_least_squares_is_the_natural_gradient_and_lands_in_the_minimum(bias: bool, parts: int) -> None:
    model, (inputs, targets) = layer(bias), regression()
    fisher = gauss_newton(model, functional.mse_loss, inputs, targets)
    expected = -torch.linalg.solve(fisher, gradient(model, functional.mse_loss, inputs, targets))
    batches = zip(inputs.chunk(parts), targets.chunk(parts), strict=True)
    step = displacement(model, functional.mse_loss, Settings("kfac", lr=1.0, damping=NEGLIGIBLE), *batches)
    torch.testing.assert_close(step, expected, rtol=1e-5, atol=1e-6)
    assert gradient(model, functional.mse_loss, inputs, targets).abs().max() < 1e-5


@pytest.mark.parametrize("loss", [functional.cross_entropy, nn.CrossEntropyLoss()], ids=["function", "module"])
def test_a_step_of_softmax_regression_from_zero_is_the_natural_gradient(loss: Loss) -> None:
    # At zero weights all predictions are equal, so that the Fisher matrix is a Kronecker product. It is singular along
    # the mean of the classes, where the gradient has no part.
    model, (inputs, targets) = layer(zero=True), classification()
    fisher = gauss_newton(model, loss, inputs, targets)
    expected = -torch.linalg.pinv(fisher, rtol=1e-9, hermitian=True) @ gradient(model, loss, inputs, targets)
    step = displacement(model, loss, Settings("kfac", lr=1.0, damping=1e-10), (inputs, targets))
    torch.testing.assert_close(step, expected, rtol=1e-3, atol=1e-4)


def damped(a: Tensor, b: Tensor, damping: float) -> Tensor:
    """The damped Kronecker product for a weight of shape [outputs, inputs], flattened row by row."""
    pi = ((a.trace() / len(a)) / (b.trace() / len(b))).sqrt()
    first = a + pi * damping**0.5 * torch.eye(len(a), dtype=a.dtype)
    second = b + damping**0.5 / pi * torch.eye(len(b), dtype=b.dtype)
    return torch.kron(second, first)


def gradients_of_outputs(loss: Loss, tail: nn.Module, hidden: Tensor, targets: Tensor) -> Tensor:
    """E[J' H J] for hidden values [N, units], each counted as an example of its own, summed over nothing else."""
    total = torch.zeros(hidden.shape[1], hidden.shape[1], dtype=hidden.dtype)
    for row, target in zip(hidden, targets, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda h: tail(h[None])[0], row)
        output = tail(row[None])[0].detach()
        hessian = torch.autograd.functional.hessian(lambda o, t=target: loss(o[None], t[None]), output)
        total += jacobian.T @ hessian @ jacobian
    return total / len(hidden)


@pytest.mark.parametrize("damping", [1e-3, 0.1])
def test_a_step_of_two_layers_inverts_the_damped_product_of_each(damping: float) -> None:
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(INPUTS, 4), nn.Tanh(), nn.Linear(4, OUTPUTS, bias=False)).double()
    (inputs, targets), loss = classification(), functional.cross_entropy
    with_one = torch.cat([inputs, torch.ones(ROWS, 1, dtype=torch.float64)], dim=1)
    hidden = model[0](inputs).detach()
    active = hidden.tanh()
    first = damped(with_one.T @ with_one / ROWS, gradients_of_outputs(loss, model[1:], hidden, targets), damping)
    second = damped(
        active.T @ active / ROWS, gradients_of_outputs(loss, nn.Identity(), model(inputs).detach(), targets), damping
    )
    g = torch.autograd.grad(loss(model(inputs), targets), list(model.parameters()))
    joint = torch.linalg.solve(first, torch.cat([g[0], g[1][:, None]], dim=1).flatten()).view(4, INPUTS + 1)
    expected = [joint[:, :-1], joint[:, -1], torch.linalg.solve(second, g[2].flatten())]
    step = displacement(model, loss, Settings("kfac", lr=0.5, damping=damping), (inputs, targets))
    torch.testing.assert_close(step, -0.5 * flat(expected), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_a_step_of_a_convolution_inverts_the_damped_product_of_patches_and_gradients(
    memory_format: torch.memory_format,
) -> None:
    torch.manual_seed(5)
    conv = nn.Conv2d(2, 3, 3, padding=1, stride=2, bias=False).double().to(memory_format=memory_format)
    model = nn.Sequential(conv, nn.Flatten())
    images = torch.randn(7, 2, 5, 5, dtype=torch.float64).to(memory_format=memory_format)
    targets = torch.randn(7, 27, dtype=torch.float64)
    patches = functional.unfold(images, 3, padding=1, stride=2).transpose(1, 2).reshape(-1, 18)
    a = patches.T @ patches / len(patches)
    b = 9 * torch.eye(3, dtype=torch.float64) * 2 / 27
    g = torch.autograd.grad(functional.mse_loss(model(images), targets), conv.weight)[0]
    expected = -torch.linalg.solve(damped(a, b, 0.01), g.flatten())
    step = displacement(model, functional.mse_loss, Settings("kfac", lr=1.0, damping=0.01), (images, targets))
    torch.testing.assert_close(step, expected, rtol=1e-8, atol=1e-10)


def test_velocity_and_weight_decay_act_on_preconditioned_gradients() -> None:
    data, damping, model = regression(), 0.5, layer(bias=False)
    settings = Settings("kfac", lr=0.1, momentum=0.8, weight_decay=0.3, damping=damping, refresh=1)
    optimizer = ScheduledOptimizer(model, functional.mse_loss)
    optimizer.enter(settings)
    a = data[0].T @ data[0] / ROWS
    inverse = torch.linalg.inv(damped(a, torch.eye(OUTPUTS, dtype=torch.float64) * 2 / OUTPUTS, damping))
    w, v = flat([model.weight]), torch.zeros(INPUTS * OUTPUTS, dtype=torch.float64)
    for index in range(4):
        v = 0.8 * v + inverse @ gradient(model, functional.mse_loss, *data) + 0.3 * w
        w = w - 0.1 * v
        optimizer.step(index, objective(model, functional.mse_loss, data))
        torch.testing.assert_close(flat([model.weight]), w, rtol=1e-8, atol=1e-10)


def test_factors_are_computed_at_the_start_of_an_epoch_and_every_so_many_steps() -> None:
    model, loss = layer(), functional.mse_loss
    optimizer = ScheduledOptimizer(model, loss)
    calls: list[int] = []
    compute = optimizer._made("kfac")._curvature
    settings = Settings("kfac", lr=0.1, refresh=3, batches_per_step=2)
    optimizer.enter(settings)
    optimizer._method._curvature = lambda batches, damping: calls.append(step) or compute(batches, damping)
    for _ in range(2):
        optimizer.enter(settings)
        for step in range(5):
            optimizer.step(2 * step, objective(model, loss, regression()))
    assert calls == [0, 3, 0, 3]


def test_statistics_and_dropout_are_as_if_no_factors_had_been_computed() -> None:
    data = classification()
    model = nn.Sequential(
        nn.Linear(INPUTS, 4), nn.BatchNorm1d(4, affine=False), nn.Dropout(0.5), nn.Linear(4, OUTPUTS)
    ).double()
    torch.manual_seed(8)
    model(data[0])
    mean, following = model[1].running_mean.clone(), torch.rand(3)
    model[1].reset_running_stats()
    torch.manual_seed(8)
    displacement(model, functional.cross_entropy, Settings("kfac", lr=0.0), data)
    assert torch.equal(model[1].running_mean, mean)
    assert torch.equal(torch.rand(3), following)


def test_frozen_layers_of_any_kind_are_left_alone() -> None:
    model = nn.Sequential(nn.Linear(INPUTS, 4), nn.BatchNorm1d(4), nn.Linear(4, OUTPUTS)).double()
    model[1].requires_grad_(False)
    model[2].weight.requires_grad_(False)
    before = model[2].weight.clone()
    displacement(model, functional.cross_entropy, Settings("kfac", lr=0.1), classification())
    assert torch.equal(model[2].weight, before)


def test_trained_layers_of_other_kinds_are_refused_by_name() -> None:
    model = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 3))
    message = r"in 0 \(Embedding\), 2 \(BatchNorm1d\)\. Freeze them"
    with pytest.raises(TaskError, match=message):
        ScheduledOptimizer(model).enter(Settings("kfac", lr=0.1))


def test_layers_that_compute_something_else_from_their_weights_are_refused_by_name() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), nn.Flatten(), nn.Linear(8, 3))
    initialise(model[2], "ntk", 1.0)
    message = r"in 0 \(Conv2d with padding_mode='reflect'\), 2 \(NtkLinear\)\. Freeze them"
    with pytest.raises(TaskError, match=message):
        ScheduledOptimizer(model).enter(Settings("kfac", lr=0.1))


def test_a_loss_of_unknown_distribution_is_refused() -> None:
    with pytest.raises(TaskError, match=r"received .*smooth.* Use cross_entropy, mse_loss"):
        ScheduledOptimizer(layer(), partial(functional.cross_entropy, label_smoothing=0.1)).enter(
            Settings("kfac", lr=0.1)
        )


def test_a_missing_curvlinops_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "curvlinops", None)
    with pytest.raises(UsageError, match=r"pip install 'tune-regimes\[second-order\]'"):
        ScheduledOptimizer(layer()).enter(Settings("kfac", lr=0.1))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e200])
def test_factors_that_are_not_finite_end_as_weights_that_are_not(value: float) -> None:
    inputs, targets = classification()
    model = layer()
    displacement(model, functional.cross_entropy, Settings("kfac", lr=0.1), (inputs * value, targets))
    assert not model.weight.isfinite().all()
