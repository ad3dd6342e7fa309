"""L-BFGS on convex problems whose minimum is known, and what it remembers."""

import pytest
import torch
from torch import Tensor, nn

from tune_regimes.schedule import Settings
from tune_regimes.training.objective import Objective
from tune_regimes.training.optimizers import ScheduledOptimizer


def regression() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(60, 8, generator=generator, dtype=torch.float64) * torch.logspace(0, 1, 8)
    return inputs, torch.randn(60, 3, generator=generator, dtype=torch.float64)


def linear() -> nn.Linear:
    layer = nn.Linear(8, 3, bias=False, dtype=torch.float64)
    nn.init.zeros_(layer.weight)
    return layer


def objective(layer: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> Objective:
    def forward(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        outputs = layer(inputs)
        return outputs, 0.5 * (outputs - targets).square().sum(dim=1).mean()

    return Objective(batches, len(batches), forward)


def minimum(decay: float) -> Tensor:
    """The minimum of ``|X W' - Y|^2 / 2n + decay / 2 |W|^2``."""
    inputs, targets = regression()
    gram = inputs.T @ inputs / len(inputs) + decay * torch.eye(8, dtype=torch.float64)
    return torch.linalg.solve(gram, inputs.T @ targets / len(inputs)).T


@pytest.mark.parametrize(("line_search", "steps"), [("strong_wolfe", 8), ("none", 16)])
@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize("parts", [1, 3])
def test_full_batch_finds_the_minimum_of_least_squares_in_a_few_steps(
    line_search: str, steps: int, decay: float, parts: int
) -> None:
    layer = linear()
    optimizer = ScheduledOptimizer(layer)
    settings = Settings("lbfgs", lr=1.0, weight_decay=decay, history_size=20, max_iter=10, line_search=line_search)
    optimizer.enter(settings)
    batches = list(zip(*(part.chunk(parts) for part in regression()), strict=True))
    for _ in range(steps):
        optimizer.step(0, objective(layer, batches))
    torch.testing.assert_close(layer.weight.detach(), minimum(decay), rtol=1e-4, atol=1e-5)


def test_decay_on_kernels_leaves_the_bias_alone() -> None:
    inputs, targets = regression()
    layer = nn.Linear(8, 3, dtype=torch.float64)
    optimizer = ScheduledOptimizer(layer)
    settings = Settings("lbfgs", lr=1.0, weight_decay=1e6, decay="kernels", max_iter=20, line_search="strong_wolfe")
    for _ in range(8):
        optimizer.enter(settings)
        optimizer.step(0, objective(layer, [(inputs, targets)]))
    assert layer.weight.detach().abs().max() < 1e-4
    torch.testing.assert_close(layer.bias.detach(), targets.mean(0), rtol=1e-3, atol=1e-4)


def test_kernels_in_channels_last_order_are_trained_as_others_are() -> None:
    images = torch.randn(6, 4, 8, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    weights = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        layer = nn.Conv2d(4, 8, 3, bias=False, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.linspace(-1, 1, layer.weight.numel()).view_as(layer.weight))
        model = nn.Sequential(layer.to(memory_format=memory_format), nn.Flatten())
        optimizer = ScheduledOptimizer(model)
        optimizer.enter(Settings("lbfgs", lr=0.5))
        for _ in range(3):
            optimizer.step(0, objective(model, [(images, torch.zeros((), dtype=torch.float64))]))
        weights.append(layer.weight.detach())
    torch.testing.assert_close(*weights)


class Evaluations(nn.Module):
    """Counts its evaluations, and keeps the dropout masks that it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.dropout = nn.BatchNorm1d(8, dtype=torch.float64), nn.Dropout(0.5)
        self.layer = nn.Linear(8, 3, dtype=torch.float64)
        self.masks: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        mask = self.dropout(torch.ones_like(inputs))
        self.masks.append(mask)
        outputs: Tensor = self.layer(self.norm(inputs) * mask)
        return outputs


def test_a_step_evaluates_one_function_and_leaves_statistics_and_generator_as_one_evaluation_does() -> None:
    inputs, targets = regression()
    torch.manual_seed(5)
    model = Evaluations()
    seen: list[float] = []
    torch.manual_seed(6)
    once = nn.BatchNorm1d(8, dtype=torch.float64)
    once(inputs)
    nn.Dropout(0.5)(torch.ones_like(inputs))
    following = torch.rand(3)
    torch.manual_seed(6)
    optimizer = ScheduledOptimizer(model)
    optimizer.enter(Settings("lbfgs", lr=0.1, max_iter=5))

    def forward(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        outputs = model(inputs)
        return outputs, (outputs - targets).square().mean()

    optimizer.step(0, Objective([(inputs, targets)], 1, forward, lambda loss, *_: seen.append(loss.item())))
    assert len(model.masks) == 5
    assert all(torch.equal(mask, model.masks[0]) for mask in model.masks)
    assert len(seen) == 1
    assert torch.equal(model.norm.running_mean, once.running_mean)
    assert model.norm.num_batches_tracked == 1
    assert torch.equal(torch.rand(3), following)


def test_a_shorter_history_forgets_the_oldest_pairs() -> None:
    layer, data = linear(), regression()
    optimizer = ScheduledOptimizer(layer)
    optimizer.enter(Settings("lbfgs", lr=0.5, history_size=6, max_iter=8))
    optimizer.step(0, objective(layer, [data]))
    pairs = optimizer.capture()["buffers"]["weight"]["old_dirs"]
    assert len(pairs) == 6
    optimizer.enter(Settings("lbfgs", lr=0.5, history_size=3, max_iter=1))
    optimizer.step(0, objective(layer, [data]))
    kept = optimizer.capture()["buffers"]["weight"]["old_dirs"]
    assert len(kept) == 3
    assert torch.equal(kept[0], pairs[-2])
    optimizer.enter(Settings("lbfgs", lr=0.5, history_size=9, max_iter=12))
    optimizer.step(0, objective(layer, [data]))


def test_a_loss_that_is_no_number_ends_the_step() -> None:
    inputs, targets = regression()
    for line_search in ("none", "strong_wolfe"):
        layer = linear()
        optimizer = ScheduledOptimizer(layer)
        optimizer.enter(Settings("lbfgs", lr=1.0, line_search=line_search))
        optimizer.step(0, objective(layer, [(inputs * torch.inf, targets)]))
        assert not layer.weight.isfinite().all()


@pytest.mark.parametrize("line_search", ["none", "strong_wolfe"])
def test_a_learning_rate_of_zero_leaves_weights_and_history_as_they_are(line_search: str) -> None:
    layer, data = linear(), regression()
    optimizer = ScheduledOptimizer(layer)
    optimizer.enter(Settings("lbfgs", lr=1.0, line_search=line_search))
    optimizer.step(0, objective(layer, [data]))
    weight, pairs = layer.weight.detach().clone(), optimizer.capture()["buffers"]["weight"]["old_dirs"]
    optimizer.enter(Settings("lbfgs", lr=0.0, line_search=line_search))
    optimizer.step(0, objective(layer, [data]))
    assert torch.equal(layer.weight, weight)
    after = optimizer.capture()["buffers"]["weight"]["old_dirs"]
    assert all(torch.equal(one, other) for one, other in zip(after, pairs, strict=True))
