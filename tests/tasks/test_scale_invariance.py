"""What is found of a network's invariance is what is known of it."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from tune_regimes.errors import TaskError
from tune_regimes.tasks import models
from tune_regimes.tasks.models.preactivation import PreBlock, PreResNet
from tune_regimes.tasks.registry import MODELS
from tune_regimes.tasks.scale_invariance import ScaleInvariance, check_scale_invariant, scale_invariance

CLAIMED = [name for name, info in MODELS.items() if info.scale_invariant]


def batch(side: int, rows: int = 6, channels: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(rows, channels, side, side, generator=generator), torch.arange(rows) % 5


def side_of(name: str) -> int:
    return max(8, MODELS[name].smallest)


def build(name: str, **options: float | str) -> nn.Module:
    torch.manual_seed(0)
    side = side_of(name)
    return models.build(name, shape=(side, side, 2), num_classes=5, width=0.125, **options)  # type: ignore[arg-type]


def dense(*sizes: int, affine: bool = False) -> nn.Sequential:
    """Linear layers, each but the last with a normalisation; the last is frozen."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(sizes[:-1]):
        layers += [nn.Linear(wide, narrow, bias=False), nn.BatchNorm1d(narrow, affine=affine), nn.Tanh()]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(sizes[-2], sizes[-1]).requires_grad_(False))


def groups(found: ScaleInvariance) -> set[tuple[str, ...]]:
    return {group.parameters for group in found.groups}


@pytest.mark.parametrize("name", CLAIMED)
def test_a_network_that_claims_it_is_scale_invariant_to_float64_tensor_by_tensor_where_there_is_no_trunk(
    name: str,
) -> None:
    found = check_scale_invariant(build(name), *batch(side_of(name)), tolerance=1e-11)
    assert found.holds_by_tensor == (not name.startswith("preresnet"))
    assert max(found.slope, found.change, found.loss_slope) < 1e-12
    assert all(max(group.slope, group.change) < 1e-12 for group in found.groups)


@pytest.mark.parametrize("name", CLAIMED)
def test_a_network_that_claims_it_is_nearly_so_with_its_own_eps(name: str) -> None:
    check_scale_invariant(build(name), *batch(side_of(name)), eps=None, tolerance=1e-9)


@pytest.mark.parametrize("name", ["resnet20", "simple_cnn_bn", "simple_cnn", "mlp"])
def test_a_network_with_trained_scales_and_output_layer_is_not(name: str) -> None:
    found = scale_invariance(build(name), *batch(side_of(name)))
    assert not found.holds
    assert any(
        parameter.startswith(("head", "layers.6")) for group in found.offenders for parameter in group.parameters
    )


def test_the_groups_of_a_residual_network_are_the_layers_that_write_to_one_trunk() -> None:
    found = check_scale_invariant(build("preresnet14_si"), *batch(8))
    assert not found.holds_by_tensor
    trunks = {
        ("stem.weight", "blocks.0.body.4.weight", "blocks.1.body.4.weight"),
        ("blocks.2.body.4.weight", "blocks.2.shortcut.weight", "blocks.3.body.4.weight"),
        ("blocks.4.body.4.weight", "blocks.4.shortcut.weight", "blocks.5.body.4.weight"),
    }
    assert groups(found) == trunks | {(f"blocks.{index}.body.0.weight",) for index in range(6)}


def test_a_trained_output_layer_is_named_alone() -> None:
    model = build("preresnet8_si").requires_grad_(True)
    with pytest.raises(TaskError, match=r"must have outputs that stay [^;]*; head\.1\.weight: change [^;]*$"):
        check_scale_invariant(model, *batch(8))


def test_a_bias_of_the_output_layer_is_named_although_it_starts_from_zero() -> None:
    model = dense(128, 6, 5)
    nn.init.zeros_(model[-1].bias)  # type: ignore[arg-type]
    model[-1].bias.requires_grad_(True)  # type: ignore[union-attr]
    with pytest.raises(TaskError, match=r"; 4\.bias: change [^;]*$"):
        check_scale_invariant(model, *batch(8))


class BareShortcuts(PreBlock):
    """As in the usual PreResNet, the shortcut reads the trunk itself."""

    def forward(self, images: Tensor) -> Tensor:
        trunk = images if self.shortcut is None else self.shortcut(self.thin(images))
        return trunk + self.body(torch.relu(self.norm(images)))


def test_downsampling_that_is_not_normalised_is_named_with_the_layers_that_it_meets() -> None:
    model = build("preresnet8_si")
    assert isinstance(model, PreResNet)
    model.blocks[1].__class__ = BareShortcuts
    found = scale_invariance(model, *batch(8))
    named = {parameter for group in found.offenders for parameter in group.parameters}
    assert not found.holds
    assert named == {
        "stem.weight", "blocks.0.body.4.weight", "blocks.1.body.4.weight", "blocks.1.shortcut.weight"
    }  # fmt: skip


def test_a_trained_scale_and_shift_below_a_normalised_layer_are_invariant_together() -> None:
    torch.manual_seed(0)
    first = [nn.Flatten(), nn.Linear(128, 6, bias=False), nn.BatchNorm1d(6), nn.ReLU()]
    second = [nn.Linear(6, 6, bias=False), nn.BatchNorm1d(6, affine=False), nn.Linear(6, 5).requires_grad_(False)]
    found = check_scale_invariant(nn.Sequential(*first, *second), *batch(8, rows=20))
    assert groups(found) == {("1.weight",), ("2.weight", "2.bias"), ("4.weight",)}


def test_a_bounded_activation_tells_a_trained_scale_and_shift() -> None:
    with pytest.raises(TaskError, match=r"2\.weight: .*; 2\.bias: "):
        check_scale_invariant(dense(128, 6, 6, 5, affine=True), *batch(8, rows=20))


def test_layer_normalisation_counts_as_well() -> None:
    torch.manual_seed(0)
    norm = nn.LayerNorm(6, elementwise_affine=False)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(128, 6, bias=False), norm, nn.Linear(6, 5).requires_grad_(False)
    )  # fmt: skip
    assert check_scale_invariant(model, *batch(8)).holds_by_tensor


def test_the_eps_of_a_normalisation_breaks_the_invariance_by_as_much_as_the_variance_is_small() -> None:
    model = dense(128, 6, 5)
    with torch.no_grad():
        model[1].weight.mul_(1e-3)  # type: ignore[operator, union-attr]
    assert scale_invariance(model, *batch(8)).holds
    broken = scale_invariance(model, *batch(8), eps=None)
    assert not broken.holds
    assert broken.change > 0.1
    assert scale_invariance(model, *batch(8), eps=1e-12).change == pytest.approx(0, abs=1e-4)


def test_looking_changes_neither_the_network_nor_the_generators() -> None:
    model = build("preresnet8_si", dropout=0.5).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    first, second = (scale_invariance(model, *batch(8)) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.dtype == torch.float32 for parameter in model.parameters())


def test_any_differentiable_loss_will_do() -> None:
    images, _ = batch(8)
    targets = torch.randn(6, 5, generator=torch.Generator().manual_seed(2)).double()
    assert check_scale_invariant(build("mlp_si"), images, targets, nn.functional.mse_loss).loss_slope < 1e-12


def test_a_network_without_trained_parameters_is_refused() -> None:
    with pytest.raises(TaskError, match="the model has none"):
        scale_invariance(build("mlp_si").requires_grad_(False), *batch(8))


def test_outputs_that_are_not_finite_are_refused() -> None:
    images, targets = batch(8)
    with pytest.raises(TaskError, match="must be finite"):
        scale_invariance(build("mlp_si"), images * float("inf"), targets)
