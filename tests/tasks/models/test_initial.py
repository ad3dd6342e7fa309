"""Initialisations scale the weights as their sources say, and leave the rest alone."""

import pytest
import torch
from torch import Tensor, nn

from tune_regimes.tasks import models
from tune_regimes.tasks.models.initial import NtkConv2d, NtkLinear

SHAPE = (8, 8, 2)
FOUR = ["mlp", "simple_cnn", "resnet20", "preresnet8_si", "wrn28_10", "densenet100_12"]


def build(name: str, *, width: float = 0.125, **options: float | str) -> nn.Module:
    torch.manual_seed(0)
    return models.build(name, shape=SHAPE, num_classes=5, width=width, **options)  # type: ignore[arg-type]


def images(rows: int = 6) -> Tensor:
    return torch.randn(rows, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


@pytest.mark.parametrize("name", FOUR)
def test_ntk_and_kaiming_compute_the_same_from_the_same_draw(name: str) -> None:
    ntk, kaiming = (build(name, init=init) for init in ("ntk", "kaiming"))
    assert torch.allclose(ntk(images()), kaiming(images()), rtol=1e-4, atol=1e-5)
    trained = [layer.weight.requires_grad for layer in layers(ntk)]
    assert [isinstance(layer, NtkConv2d | NtkLinear) for layer in layers(ntk)] == trained


@pytest.mark.parametrize(("init", "deviation"), [("kaiming", (2 / (64 * 9)) ** 0.5), ("ntk", 1.0)])
def test_weights_have_the_variance_that_the_paper_says(init: str, deviation: float) -> None:
    weight = layers(build("simple_cnn", width=1.0, init=init))[3].weight
    assert weight.shape == (64, 64, 3, 3)
    assert weight.std().item() == pytest.approx(deviation, rel=0.01)
    assert weight.mean().item() == pytest.approx(0, abs=deviation / 50)


@pytest.mark.parametrize("init", ["kaiming", "ntk"])
def test_biases_start_from_zero(init: str) -> None:
    assert not any(layer.bias.any() for layer in layers(build("simple_cnn", init=init)) if layer.bias is not None)


def test_gradients_of_ntk_weights_are_those_of_the_layer_times_its_multiplier() -> None:
    ntk, kaiming = (build("mlp", init=init).double() for init in ("ntk", "kaiming"))
    for model in (ntk, kaiming):
        model(images().double()).square().sum().backward()
    for one, other in zip(layers(ntk), layers(kaiming), strict=True):
        multiplier = (2 / one.weight.shape[1]) ** 0.5
        difference = one.weight.grad - multiplier * other.weight.grad  # type: ignore[operator]
        assert difference.norm() < 1e-6 * one.weight.grad.norm()  # type: ignore[union-attr]


@pytest.mark.parametrize("init", ["default", "kaiming", "ntk"])
def test_init_scale_multiplies_weights_and_biases_of_trained_layers_only(init: str) -> None:
    for name in ("simple_cnn", "simple_cnn_bn", "preresnet8_si"):
        plain, scaled = build(name, init=init), build(name, init=init, init_scale=1000)
        inside = {id(p) for layer in layers(scaled) for p in layer.parameters() if p.requires_grad}
        for before, after in zip(plain.parameters(), scaled.parameters(), strict=True):
            assert torch.equal(after, before * 1000 if id(after) in inside else before)


@pytest.mark.parametrize("scale", [1000.0, 0.001])
@pytest.mark.parametrize("name", ["mlp_si", "mnist_cnn_si", "preresnet8_si", "preresnet32_si"])
def test_a_scale_invariant_network_does_not_see_the_scale_of_its_weights(name: str, scale: float) -> None:
    plain, scaled = build(name, init="kaiming"), build(name, init="kaiming", init_scale=scale)
    assert torch.allclose(plain(images()), scaled(images()), rtol=1e-3, atol=1e-3)


def test_the_layers_of_ntk_keep_their_names_and_are_printed_as_others() -> None:
    ntk, plain = build("resnet20", init="ntk"), build("resnet20")
    assert ntk.state_dict().keys() == plain.state_dict().keys()
    assert repr(ntk) != repr(plain)


def test_a_frozen_output_layer_stays_as_its_network_drew_it() -> None:
    heads = [build("preresnet8_si", init=init).head[1].weight for init in ("default", "kaiming", "ntk")]  # type: ignore[index]
    assert torch.equal(heads[0], heads[1])
    assert torch.equal(heads[0], heads[2])
