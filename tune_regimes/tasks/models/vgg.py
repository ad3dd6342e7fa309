"""VGG with batch normalisation in its CIFAR form: 3x3 convolutions, five halvings, one linear layer on top.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2015), table 1,
configurations A, B, D and E. For 32x32 images the three dense layers of the original give way to a single one, as
usual for CIFAR.
"""

from functools import partial

from torch import Tensor, nn

from tune_regimes.tasks.models.parts import conv, scaled, start_from_he

CHANNELS = (64, 128, 256, 512, 512)
DEPTHS = {"vgg11_bn": (1, 1, 2, 2, 2), "vgg13_bn": (2, 2, 2, 2, 2), "vgg16_bn": (2, 2, 3, 3, 3),
          "vgg19_bn": (2, 2, 4, 4, 4)}  # fmt: skip


class Vgg(nn.Module):
    """Five stages of 3x3 convolution, batch normalisation and ReLU, each ending in max-pooling by 2.

    The convolutions have no bias: the normalisation that follows would remove it.
    """

    def __init__(
        self, depths: tuple[int, ...], shape: tuple[int, int, int], num_classes: int, width: float, dropout: float
    ) -> None:
        super().__init__()
        height, breadth, channels = shape
        layers: list[nn.Module] = []
        for depth, wide in zip(depths, (scaled(c, width) for c in CHANNELS), strict=True):
            for _ in range(depth):
                layers += [conv(channels, wide, 3), nn.BatchNorm2d(wide), nn.ReLU()]
                channels = wide
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        flat = channels * (height // 32) * (breadth // 32)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(flat, num_classes))
        self.apply(start_from_he)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``[N, classes]`` of images ``[N, channels, height, width]``."""
        scores: Tensor = self.head(self.features(images).flatten(1))
        return scores


def _vgg(
    depths: tuple[int, ...],
    *,
    shape: tuple[int, int, int],
    num_classes: int,
    width: float = 1.0,
    dropout: float = 0.0,
) -> Vgg:
    return Vgg(depths, shape, num_classes, width, dropout)


BUILDERS = {name: partial(_vgg, depths) for name, depths in DEPTHS.items()}
