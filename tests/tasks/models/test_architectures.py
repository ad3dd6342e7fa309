"""The networks have the sizes and shapes that the papers print."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from tune_regimes.tasks import models
from tune_regimes.tasks.models.parts import Thin
from tune_regimes.tasks.models.resnet import PadShortcut

CIFAR = {"shape": (32, 32, 3), "num_classes": 10}


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def of_kind(model: nn.Module, kind: type[nn.Module]) -> Iterator[nn.Module]:
    return (module for module in model.modules() if isinstance(module, kind))


def channels(model: nn.Module) -> list[int]:
    return [conv.out_channels for conv in of_kind(model, nn.Conv2d)]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("resnet20", 0.27),
        ("resnet32", 0.46),
        ("resnet56", 0.85),
        ("resnet110", 1.7),
        ("resnet18", 11.17),
        ("resnet34", 21.28),
        ("resnet50", 23.52),
        ("vgg11_bn", 9.2),
        ("vgg13_bn", 9.4),
        ("vgg16_bn", 14.7),
        ("vgg19_bn", 20.0),
        ("wrn28_10", 36.5),
        ("wrn40_10", 55.8),
        ("densenet100_12", 0.8),
    ],
)
def test_a_network_has_as_many_parameters_as_published(name: str, millions: float) -> None:
    digits = len(str(millions).partition(".")[2])
    assert round(parameters(models.build(name, **CIFAR)) / 1e6, digits) == millions


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("wrn28_10", 36_479_194),
        ("wrn40_10", 55_841_754),
        ("densenet100_12", 769_162),
        ("preresnet32_si", 463_792),
        ("vgg16_si", 14_710_464),
        ("mnist_cnn_si", 543_584),
        ("mlp_si", 317_200),
    ],
)
def test_a_network_trains_exactly_as_many_parameters_as_its_layers_have(name: str, count: int) -> None:
    model = models.build(name, **CIFAR)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count


def test_wide_networks_have_stages_ten_times_as_wide_and_as_many_layers_as_their_names_say() -> None:
    for depth in (28, 40):
        model = models.build(f"wrn{depth}_10", **CIFAR)
        assert sorted(set(channels(model))) == [16, 160, 320, 640]
        assert len([*of_kind(model, nn.Conv2d), *of_kind(model, nn.Linear)]) == depth + 1


def test_densenet_has_a_hundred_layers_and_grows_by_twelve() -> None:
    model = models.build("densenet100_12", **CIFAR)
    assert len([*of_kind(model, nn.Conv2d), *of_kind(model, nn.Linear)]) == 100
    assert channels(model)[:3] == [24, 48, 12]
    assert [c.in_channels for c in of_kind(model, nn.Conv2d)][33:36] == [216, 108, 48]  # type: ignore[misc]
    assert model.head.in_features == 342


@pytest.mark.parametrize("depth", [8, 14, 20, 32])
def test_the_scale_invariant_residual_networks_have_as_many_layers_and_two_projections(depth: int) -> None:
    model = models.build(f"preresnet{depth}_si", **CIFAR)
    assert len([*of_kind(model, nn.Conv2d), *of_kind(model, nn.Linear)]) == depth + 2
    assert not any(isinstance(norm.weight, nn.Parameter) for norm in of_kind(model, nn.BatchNorm2d))


@pytest.mark.parametrize("name", ["preresnet32_si", "vgg16_si", "vgg11_si", "mnist_cnn_si", "mlp_si"])
def test_a_scale_invariant_network_trains_all_but_its_output_layer(name: str) -> None:
    model = models.build(name, **CIFAR)
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["head.1.weight"]
    assert all(p.ndim >= 2 for p in model.parameters())
    assert model.head[1].weight.std().item() == pytest.approx((2 / model.head[1].in_features) ** 0.5, rel=0.1)


@pytest.mark.parametrize(("name", "depth"), [("resnet20", 20), ("resnet32", 32), ("resnet56", 56), ("resnet110", 110)])
def test_the_thin_networks_have_as_many_layers_as_their_names_say(name: str, depth: int) -> None:
    model = models.build(name, **CIFAR)
    assert len([*of_kind(model, nn.Conv2d), *of_kind(model, nn.Linear)]) == depth
    assert sorted(set(channels(model))) == [16, 32, 64]


@pytest.mark.parametrize(("name", "depth"), [("resnet18", 18), ("resnet34", 34), ("resnet50", 50)])
def test_the_wide_networks_have_as_many_layers_as_their_names_say_and_their_projections(name: str, depth: int) -> None:
    model = models.build(name, **CIFAR)
    projections = 4 if name == "resnet50" else 3
    assert len([*of_kind(model, nn.Conv2d), *of_kind(model, nn.Linear)]) == depth + projections
    assert not list(of_kind(model, nn.MaxPool2d))
    assert model.stem(torch.zeros(1, 3, 32, 32)).shape == (1, 64, 32, 32)


@pytest.mark.parametrize(("name", "depth"), [("vgg11_bn", 11), ("vgg13_bn", 13), ("vgg16_bn", 16), ("vgg19_bn", 19)])
def test_vgg_has_one_dense_layer_in_place_of_three(name: str, depth: int) -> None:
    model = models.build(name, **CIFAR)
    convolutions, norms = list(of_kind(model, nn.Conv2d)), list(of_kind(model, nn.BatchNorm2d))
    assert len(convolutions) == len(norms) == depth - 3
    assert len(list(of_kind(model, nn.Linear))) == 1


def test_vgg13_has_two_convolutions_of_each_width() -> None:
    model = models.build("vgg13_bn", **CIFAR)
    assert channels(model) == [64, 64, 128, 128, 256, 256, 512, 512, 512, 512]


def test_simple_cnn_is_the_one_of_the_paper() -> None:
    model = models.build("simple_cnn", **CIFAR)
    kinds = [type(module).__name__ for module in model.features]
    pair = ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"]
    assert kinds == pair + pair
    assert channels(model) == [32, 32, 64, 64]
    assert [(m.in_features, m.out_features) for m in of_kind(model, nn.Linear)] == [(4096, 128), (128, 10)]  # type: ignore[misc]
    assert all(conv.bias is not None for conv in of_kind(model, nn.Conv2d))


def test_simple_cnn_bn_normalises_after_each_hidden_layer() -> None:
    model = models.build("simple_cnn_bn", **CIFAR)
    assert [norm.num_features for norm in of_kind(model, nn.BatchNorm2d)] == [32, 32, 64, 64]  # type: ignore[misc]
    assert [norm.num_features for norm in of_kind(model, nn.BatchNorm1d)] == [128]  # type: ignore[misc]


def test_the_mlp_has_hidden_layers_of_300_and_100() -> None:
    model = models.build("mlp", shape=(28, 28, 1), num_classes=10)
    sizes = [(m.in_features, m.out_features) for m in of_kind(model, nn.Linear)]  # type: ignore[misc]
    assert sizes == [(784, 300), (300, 100), (100, 10)]


def test_simple_cnn_fits_the_size_of_its_images() -> None:
    for side in (8, 28, 32):
        model = models.build("simple_cnn", shape=(side, side, 1), num_classes=10)
        assert model(torch.zeros(2, 1, side, side)).shape == (2, 10)


def test_the_padding_shortcut_thins_out_and_adds_empty_channels() -> None:
    images = torch.arange(2 * 4 * 4 * 4.0).view(2, 4, 4, 4)
    out = PadShortcut(4, 8, 2)(images)
    assert torch.equal(out[:, 2:6], images[:, :, ::2, ::2])
    assert not out[:, :2].any()
    assert not out[:, 6:].any()


def test_a_thinned_image_has_the_pixels_that_a_pointwise_convolution_with_stride_reads() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 4, 7, 6, dtype=torch.float64)
    strided = nn.Conv2d(4, 3, 1, stride=2, bias=False).double()
    whole = nn.Conv2d(4, 3, 1, bias=False).double()
    whole.weight = strided.weight
    torch.testing.assert_close(whole(Thin(2)(images)), strided(images))


@pytest.mark.parametrize("name", [name for name in models.BUILDERS if name.startswith(("resnet", "wrn", "preresnet"))])
def test_no_residual_network_has_a_pointwise_convolution_with_stride(name: str) -> None:
    strided = [conv for conv in of_kind(models.build(name, width=1 / 16, **CIFAR), nn.Conv2d) if conv.stride != (1, 1)]
    assert all(conv.kernel_size == (3, 3) for conv in strided)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_narrow_residual_networks_train_in_channels_last_order(name: str) -> None:
    torch.manual_seed(0)
    model = models.build(name, width=1 / 16, **CIFAR).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(8, 3, 32, 32).to(memory_format=torch.channels_last)
    for _ in range(3):
        model.zero_grad()
        model(images).square().mean().backward()
    assert all(torch.isfinite(weights.grad).all() for weights in model.parameters())


def test_weights_start_with_the_variance_that_their_source_prints() -> None:
    torch.manual_seed(0)
    conv = [*of_kind(models.build("vgg13_bn", **CIFAR), nn.Conv2d)][-1]
    assert conv.weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
    dense = next(iter(of_kind(models.build("mlp", **CIFAR), nn.Linear)))
    assert dense.weight.std().item() == pytest.approx((2 / (3072 + 300)) ** 0.5, rel=0.01)
    assert not dense.bias.any()
