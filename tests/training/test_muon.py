"""Muon against torch's own on matrices, and against the polar factor of the gradient."""

import pytest
import torch
from torch import Tensor, nn

from tune_regimes.errors import ScheduleError, TaskError
from tune_regimes.schedule import Settings
from tune_regimes.training.objective import Objective
from tune_regimes.training.optimizers import ScheduledOptimizer

SETTINGS = Settings("muon", lr=0.02, momentum=0.9, weight_decay=0.1)


class Affine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.kernel = nn.Parameter(torch.randn(6, 9, generator=generator))
        self.bias = nn.Parameter(torch.randn(6, generator=generator))

    def forward(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        outputs = inputs @ self.kernel.T + self.bias
        return outputs, (outputs - targets).square().mean()


def batch(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step + 1)
    return torch.randn(32, 9, generator=generator), torch.randn(32, 6, generator=generator)


def trained(model: Affine, settings: Settings, steps: int) -> Affine:
    optimizer = ScheduledOptimizer(model)
    optimizer.enter(settings)
    for step in range(steps):
        optimizer.step(step, Objective([batch(step)], 1, model))
    return model


@pytest.mark.parametrize("decay", ["all", "kernels"])
def test_matrices_follow_the_muon_of_torch_and_biases_its_adamw(decay: str) -> None:
    settings = Settings("muon", lr=0.02, momentum=0.9, weight_decay=0.1, decay=decay)
    ours, theirs = trained(Affine(), settings, 5), Affine()
    muon = torch.optim.Muon([theirs.kernel], lr=0.02, momentum=0.9, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW([theirs.bias], lr=0.02, weight_decay=0.1 if decay == "all" else 0.0, fused=True)
    for step in range(5):
        theirs.zero_grad()
        theirs(*batch(step))[1].backward()
        muon.step()
        adamw.step()
    assert torch.equal(ours.kernel, theirs.kernel)
    assert torch.equal(ours.bias, theirs.bias)


def test_values_per_step_are_those_of_the_first_batch_of_the_step() -> None:
    ramp = Settings("muon", lr=(0.02, 0.01), momentum=(0.9, 0.5))
    model, stepwise = trained(Affine(), ramp, 2), Affine()
    optimizer = ScheduledOptimizer(stepwise)
    for step, (lr, momentum) in enumerate([(0.02, 0.9), (0.01, 0.5)]):
        optimizer.enter(Settings("muon", lr=lr, momentum=momentum))
        optimizer.step(0, Objective([batch(step)], 1, stepwise))
    assert torch.equal(model.kernel, stepwise.kernel)


def convolution(memory_format: torch.memory_format) -> nn.Conv2d:
    layer = nn.Conv2d(4, 8, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(3)))
    return layer.to(memory_format=memory_format)


def stepped(layer: nn.Conv2d, steps: int = 1) -> nn.Conv2d:
    images = torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    optimizer = ScheduledOptimizer(layer)
    optimizer.enter(Settings("muon", lr=0.1, momentum=0.0))

    def forward(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        outputs = layer(inputs)
        return outputs, outputs.square().mean()

    for _ in range(steps):
        optimizer.step(0, Objective([(images, images)], 1, forward))
    return layer


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_update_of_a_convolution_is_a_multiple_of_a_nearly_orthogonal_matrix(
    memory_format: torch.memory_format,
) -> None:
    start = convolution(memory_format).weight.detach().clone()
    update = (start - stepped(convolution(memory_format)).weight.detach()).flatten(1)
    size = 0.1 * 0.2 * 36**0.5
    singular_values = torch.linalg.svdvals(update) / size
    # Five Newton-Schulz iterations bring singular values near 1, not to it: see the docstring of torch's own.
    assert singular_values.min() > 0.6
    assert singular_values.max() < 1.3


def test_the_memory_format_of_a_kernel_makes_no_difference() -> None:
    plain, last = (stepped(convolution(f), steps=3) for f in (torch.contiguous_format, torch.channels_last))
    assert last.weight.is_contiguous(memory_format=torch.channels_last)
    assert not last.weight.is_contiguous()
    torch.testing.assert_close(plain.weight, last.weight, rtol=0.0, atol=2e-3)


def test_a_model_without_kernels_is_refused() -> None:
    model = nn.BatchNorm1d(3)
    with pytest.raises(TaskError, match=r"trainable kernel.*weight, bias; use optimizer='adamw'"):
        ScheduledOptimizer(model).enter(SETTINGS)


def test_a_model_of_kernels_alone_is_trained() -> None:
    stepped(convolution(torch.contiguous_format))


def test_a_torch_without_muon_is_told_to_be_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ScheduleError, match=r"install torch 2\.9 or newer"):
        ScheduledOptimizer(Affine()).enter(SETTINGS)


def test_gradients_are_clipped_before_they_enter_the_momentum() -> None:
    model = Affine()
    optimizer = ScheduledOptimizer(model)
    optimizer.enter(Settings("muon", lr=0.02, momentum=0.0, clip_norm=0.1))
    optimizer.step(0, Objective([batch(0)], 1, model))
    buffers = optimizer.capture()["buffers"]
    # torch's momentum is an exponential mean, here of the one gradient; AdamW's first moment is a tenth of it.
    squared = buffers["kernel"]["momentum_buffer"].square().sum() + (buffers["bias"]["exp_avg"] * 10).square().sum()
    assert squared.sqrt().item() == pytest.approx(0.1, rel=1e-4)
