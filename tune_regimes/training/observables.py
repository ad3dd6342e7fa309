"""What every epoch tells of the weights: their norm, and the angle by which their displacement has turned."""

import math
import sys
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

Copies = dict[str, Tensor]


def angular_velocity(displacement: Iterable[Tensor], before: Iterable[Tensor]) -> float:
    """The angle between the displacements of two successive epochs, in degrees per epoch, from 0 to 180.

    ``(180 / pi) * arccos(<s, s'> / (|s| |s'| + eps))`` with the displacements s and s' (AutoDrop, eqs. 1 and 2). Sums
    are in float64 and the cosine is clamped to [-1, 1], so that angles well below AutoDrop's first threshold, 0.01
    degrees, are told apart. The paper leaves eps open: here it is the smallest normal number, which only makes the
    angle to a displacement of zero 90 degrees.

    Args:
        displacement: The weights at the end of an epoch minus those at its start, as any number of tensors.
        before: The same of the epoch before, with equal shapes.

    Returns:
        The angle; NaN where a displacement is not finite.

    Examples:
        >>> x, y = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])
        >>> round(angular_velocity([x], [y]), 9), round(angular_velocity([x], [x + y / 2]), 9)
        (90.0, 45.0)
    """
    pairs = ((s.double(), t.double()) for s, t in zip(displacement, before, strict=True))
    sums = torch.stack([torch.stack([(s * t).sum(), s.square().sum(), t.square().sum()]) for s, t in pairs]).sum(0)
    product, square, square_before = sums.tolist()
    cosine = product / (math.sqrt(square * square_before) + sys.float_info.min)
    return math.degrees(math.acos(min(max(cosine, -1.0), 1.0))) if math.isfinite(cosine) else math.nan


def weight_norm(parameters: Iterable[Tensor]) -> float:
    """The L2 norm of all parameters together, summed in float64."""
    norms = [torch.linalg.vector_norm(parameter.detach(), dtype=torch.float64) for parameter in parameters]
    return float(torch.linalg.vector_norm(torch.stack(norms)))


class WeightObserver:
    """Observes the weights of one model from epoch to epoch: exact, in one look after each, at no cost per step.

    It keeps copies of the weights, each as large as the parameters: one between epochs (the weights at the start of the
    last one, which a captured state must hold), two during an epoch, three during one that begins by adopting an
    average. Sums take some float64 copies of one parameter at a time.

    Args:
        parameters: What is trained, by name.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = parameters
        self._last_start: Copies | None = None
        self._last_end: Copies = {}
        self._start: Copies = {}

    def begin(self) -> None:
        """An epoch begins: here the last one ended, and this one starts."""
        self._last_end = self._start = self._copies()

    def moved(self) -> None:
        """The weights were replaced before the first step: this epoch starts here, and the last one ended before."""
        self._start = self._copies()

    def end(self) -> dict[str, float]:
        """An epoch has ended: return ``weight_norm`` and ``angular_velocity``, NaN for the first epoch."""
        turned = math.nan
        if self._last_start is not None:
            now = _differences(self._parameters, self._start)
            turned = angular_velocity(now, _differences(self._last_end, self._last_start))
        self._last_start, self._last_end, self._start = self._start, {}, {}
        return {"weight_norm": weight_norm(self._parameters.values()), "angular_velocity": turned}

    def capture(self) -> Copies | None:
        """Return the weights at the start of the last epoch as copies on the CPU; None before the first."""
        return None if self._last_start is None else to_cpu(self._last_start)

    def restore(self, start: Mapping[str, Tensor] | None) -> None:
        """Take up what `capture` returned; what is passed is copied."""
        self._last_start = None if start is None else copies_like(self._parameters, start)

    def _copies(self) -> Copies:
        return copies_like(self._parameters, self._parameters)


@torch.no_grad()
def copies_like(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> Copies:
    """Copy values into the device and layout of the parameters, since the order of a sum depends on the layout."""
    return {name: torch.empty_like(p, requires_grad=False).copy_(values[name]) for name, p in parameters.items()}


def to_cpu(tensors: Mapping[str, Tensor]) -> Copies:
    """Return copies on the CPU."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _differences(ends: Mapping[str, Tensor], starts: Mapping[str, Tensor]) -> Iterable[Tensor]:
    return (end.detach().double() - starts[name] for name, end in ends.items())
