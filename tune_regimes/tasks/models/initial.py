"""Initialisations other than a network's own: Kaiming's, the one of the neural tangent kernel, and multiples of each.

Source: Li, Lyu and Arora, "Reconciling Modern Deep Learning with Traditional Optimization Analyses: the Intrinsic
Learning Rate" (2020), appendix E and figure 8: NTK, Kaiming, Kaiming x 1000 and Kaiming x 0.001.
"""

from math import sqrt

import torch
from torch import Tensor, nn

Layer = nn.Conv2d | nn.Linear


class NtkConv2d(nn.Conv2d):
    """A convolution with the kernel ``sqrt(2 / N) * weight``, where N is inputs x kernel area."""

    def forward(self, input: Tensor) -> Tensor:
        """Features ``[N, outputs, height, width]``."""
        features: Tensor = self._conv_forward(input, kaiming_deviation(self.weight) * self.weight, self.bias)
        return features


class NtkLinear(nn.Linear):
    """A linear layer with the matrix ``sqrt(2 / N) * weight``, where N is the number of inputs."""

    def forward(self, input: Tensor) -> Tensor:
        """Features ``[N, outputs]``."""
        return nn.functional.linear(input, kaiming_deviation(self.weight) * self.weight, self.bias)


def kaiming_deviation(weight: Tensor) -> float:
    """sqrt(2 / N), with N the inputs of a unit times the kernel area: keeps the variance of features behind a ReLU.

    Examples:
        >>> kaiming_deviation(torch.empty(64, 8, 3, 3))
        0.16666666666666666
    """
    return sqrt(2 / weight[0].numel())


@torch.no_grad()
def initialise(model: nn.Module, init: str, scale: float) -> None:
    """Initialise, in place, the trained convolutions and linear layers of a network.

    With N the inputs of a unit (input channels x kernel area):

    - "default" keeps what the network started from;
    - "kaiming" draws weights from a normal distribution of variance 2 / N, biases are 0;
    - "ntk" draws weights from the standard normal distribution, and the layer multiplies them by sqrt(2 / N) when it
      applies them, so that it computes what "kaiming" computes from the same draw; biases are 0. Gradients are those
      of the weights before the multiplication, which is what makes the training another one.

    Weights and biases are then multiplied by `scale`. Frozen layers and normalisations stay as they are.

    Args:
        model: made of torch's own layers.
        init: "default", "kaiming" or "ntk".
        scale: above 0.

    Source: He et al., "Delving Deep into Rectifiers" (2015), section 2.2; Jacot et al., "Neural Tangent Kernel" (2018),
    whose biases are scaled too, by a factor to choose: here they are not.
    """
    for layer in [module for module in model.modules() if isinstance(module, Layer)]:
        if not layer.weight.requires_grad:
            continue
        if init != "default":
            _draw(layer, init == "ntk")
        layer.weight.mul_(scale)
        if layer.bias is not None:
            layer.bias.mul_(scale)


def _draw(layer: Layer, ntk: bool) -> None:
    layer.weight.normal_()
    if layer.bias is not None:
        layer.bias.zero_()
    if ntk:
        layer.__class__ = NtkConv2d if isinstance(layer, nn.Conv2d) else NtkLinear
    else:
        layer.weight.mul_(kaiming_deviation(layer.weight))
