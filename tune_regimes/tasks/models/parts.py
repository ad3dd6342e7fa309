"""What several networks share: scaled channel counts, layers without bias, frozen parts, initialisations."""

from torch import Tensor, nn

FROZEN_EPS = 1e-12


def scaled(channels: int, width: float) -> int:
    """A channel count times the width multiplier, rounded, at least 1.

    Examples:
        >>> scaled(64, 0.25)
        16
    """
    return max(1, round(channels * width))


def conv(narrow: int, wide: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A square convolution that keeps the image size (up to its stride), without bias: a batch norm follows it."""
    return nn.Conv2d(narrow, wide, size, stride=stride, padding=size // 2, bias=False)


class Thin(nn.Module):
    """Every ``stride``-th pixel of each row and column, from the first.

    A 1x1 convolution with stride is one without stride of a thinned image. Networks here write it so, because torch's
    CPU kernel of a 1x1 convolution with stride, in channels_last order and with few channels (4 to 8, in torch 2.15),
    writes beyond its memory in the backward pass.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """Images ``[N, channels, ceil(height / stride), ceil(width / stride)]``."""
        return images[:, :, :: self.stride, :: self.stride]

    def extra_repr(self) -> str:
        """The stride, as torch prints a module."""
        return f"stride={self.stride}"


def frozen_norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation of images without scale and shift, as if frozen at 1 and 0.

    Its eps, added to the variances, is 1e-12 instead of torch's 1e-5: eps is what keeps a network from being exactly
    scale invariant, and weights of a thousandth of their usual size have variances below 1e-5.
    """
    return nn.BatchNorm2d(channels, eps=FROZEN_EPS, affine=False)


def frozen_head(features: int, num_classes: int, dropout: float) -> nn.Sequential:
    """A linear output layer that stays as it was drawn, without bias, behind dropout.

    Weights are normal of variance 2 / features, Kaiming's, as the paper's other layers. The paper does not say how the
    layer that it fixes was drawn, and it matters, for normalised features cannot grow to make up for it: with torch's
    default, of a sixth of that variance, the training loss of small networks ends well above 0.

    Source: Hoffer et al., "Fix your classifier" (2018); Li et al., "Reconciling Modern Deep Learning with Traditional
    Optimization Analyses" (2020), section 6.1.
    """
    linear = nn.Linear(features, num_classes, bias=False)
    nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
    linear.weight.requires_grad_(False)
    return nn.Sequential(nn.Dropout(dropout), linear)


def start_from_he(module: nn.Module) -> None:
    """Normal initialisation of convolutions with variance 2 / (outputs x kernel area).

    Source: He et al., "Delving Deep into Rectifiers" (2015), section 2.2, in its backward form.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def start_from_glorot(module: nn.Module) -> None:
    """Glorot's uniform initialisation with zero biases, the default of the Keras examples.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
