"""Residual networks with pre-activation: wide ones, and thin ones in scale-invariant form.

A block normalises what it reads, and adds to a trunk that is not normalised itself. Where a block changes the shape,
its shortcut is a 1x1 convolution of what the body reads too, normalised and rectified. So trunk and body are always of
the same degree in the weights, and without trained scales, shifts and output layer the loss does not change when all
weights are multiplied by one factor: that is the modified downsampling of the intrinsic learning rate paper. (Reading
the bare trunk, the shortcut would be of degree 2 where the body is of degree 1.) Within a block the first convolution
is scale invariant by itself; the layers that write to one trunk (the stem or a shortcut, and the last convolutions of
its blocks) are so together.

The wide networks are those of the authors' code, which differ from some ports of it: no biases in convolutions, and the
shortcut as above.

Sources: He et al., "Identity Mappings in Deep Residual Networks" (2016); Zagoruyko and Komodakis, "Wide Residual
Networks" (2016), table 1; Li and Arora, "An Exponential Learning Rate Schedule for Deep Learning" (2020), appendix C;
Li, Lyu and Arora, "Reconciling Modern Deep Learning with Traditional Optimization Analyses" (2020), section 6.1.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn.functional import relu

from tune_regimes.tasks.models.parts import Thin, conv, frozen_head, frozen_norm, scaled, start_from_he

Norm = Callable[[int], nn.Module]


class PreBlock(nn.Module):
    """``x + body(relu(norm(x)))``, or ``shortcut(y) + body(y)`` with ``y = relu(norm(x))`` where the shape changes."""

    def __init__(self, narrow: int, wide: int, stride: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        self.norm = norm(narrow)
        self.body = nn.Sequential(
            conv(narrow, wide, 3, stride), norm(wide), nn.ReLU(), nn.Dropout(dropout), conv(wide, wide, 3)
        )
        self.thin = Thin(stride)
        self.shortcut = None if stride == 1 and narrow == wide else conv(narrow, wide, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Features ``[N, wide, height / stride, width / stride]``."""
        read = relu(self.norm(images))
        trunk = images if self.shortcut is None else self.shortcut(self.thin(read))
        features: Tensor = self.body(read) + trunk
        return features


class PreResNet(nn.Module):
    """A 3x3 stem, three stages of blocks, a last normalisation, global average pooling, a linear layer.

    Args:
        channels: of the images.
        stem: channels of the stem.
        stages: channels of each stage; all but the first begin with stride 2.
        blocks: blocks in each stage.
        norm: makes a normalisation of so many channels.
        head: makes the output layer of so many features.
        dropout: share of features dropped between the two convolutions of each block.
    """

    def __init__(
        self,
        channels: int,
        stem: int,
        stages: tuple[int, ...],
        blocks: int,
        *,
        norm: Norm,
        head: Callable[[int], nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        self.stem = conv(channels, stem, 3)
        narrow, layers = stem, list[nn.Module]()
        for stage, wide in enumerate(stages):
            for index in range(blocks):
                stride = 2 if stage > 0 and index == 0 else 1
                layers.append(PreBlock(narrow, wide, stride, norm, dropout))
                narrow = wide
        self.blocks = nn.Sequential(*layers)
        self.norm = norm(narrow)
        self.head = head(narrow)
        self.apply(start_from_he)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``[N, classes]`` of images ``[N, channels, height, width]``."""
        features = relu(self.norm(self.blocks(self.stem(images))))
        scores: Tensor = self.head(features.mean(dim=(2, 3)))
        return scores


def _wide(
    depth: int,
    factor: int,
    *,
    shape: tuple[int, int, int],
    num_classes: int,
    width: float = 1.0,
    dropout: float = 0.0,
) -> PreResNet:
    stages = tuple(scaled(factor * c, width) for c in (16, 32, 64))
    head = partial(nn.Linear, out_features=num_classes)
    return PreResNet(
        shape[2], scaled(16, width), stages, (depth - 4) // 6, norm=nn.BatchNorm2d, head=head, dropout=dropout
    )


def _scale_invariant(
    depth: int, *, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0
) -> PreResNet:
    stages = tuple(scaled(c, width) for c in (16, 32, 64))
    head = partial(frozen_head, num_classes=num_classes, dropout=0.0)
    return PreResNet(shape[2], stages[0], stages, (depth - 2) // 6, norm=frozen_norm, head=head, dropout=dropout)


BUILDERS: dict[str, Callable[..., nn.Module]] = {
    **{f"wrn{depth}_10": partial(_wide, depth, 10) for depth in (28, 40)},
    **{f"preresnet{depth}_si": partial(_scale_invariant, depth) for depth in (8, 14, 20, 32)},
}
