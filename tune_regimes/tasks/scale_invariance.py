"""Whether a network's loss depends on the direction of its weights alone: a proof by derivatives, tensor by tensor.

A function is scale invariant in w when f(c w) = f(w) for every c > 0; then <grad f(w), w> = 0. Some tensors are so by
themselves (a linear layer below a normalisation), others only together with what they are added to (the layers that
write to one trunk of a residual network): both kinds are found, as groups.

Source: Li, Lyu and Arora, "Reconciling Modern Deep Learning with Traditional Optimization Analyses: the Intrinsic
Learning Rate" (2020), Lemma 3.1 and section 6.1.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from tune_regimes.errors import TaskError

Loss = Callable[[Tensor, Tensor], Tensor]
TINY = 1e-30
_FACTOR = 3.0


@dataclass(frozen=True)
class Group:
    """Parameters that are scaled together.

    Attributes:
        parameters: their names; the fewest, where their common scaling leaves the outputs as they are.
        slope: |<grad f, w>| / (norm(grad f) * norm(w)) over the group, the largest of all losses tried (0 to 1).
        change: largest change of an output when the group is multiplied by 3, over the largest output.
        invariant: whether the group takes part in the invariance of the network.
    """

    parameters: tuple[str, ...]
    slope: float
    change: float
    invariant: bool


@dataclass(frozen=True)
class ScaleInvariance:
    """What :func:`scale_invariance` found.

    Attributes:
        groups: every trained parameter is in exactly one.
        slope: |<grad f, w>| / (norm(grad f) * norm(w)) over all of them, the largest of all losses tried.
        change: largest change of an output when all are multiplied by 3, over the largest output.
        loss_slope: the slope of the loss that was given, over all of them.
        tolerance: what counts as 0 in slopes and changes.
    """

    groups: tuple[Group, ...]
    slope: float
    change: float
    loss_slope: float
    tolerance: float

    @property
    def offenders(self) -> tuple[Group, ...]:
        """The groups whose scaling changes the outputs, or that are not scaled alike."""
        return tuple(group for group in self.groups if not group.invariant)

    @property
    def holds(self) -> bool:
        """Whether the network is scale invariant in all its trained parameters together."""
        return not self.offenders and max(self.slope, self.change, self.loss_slope) <= self.tolerance

    @property
    def holds_by_tensor(self) -> bool:
        """Whether each trained tensor is scale invariant by itself, whatever the others are multiplied by."""
        return self.holds and all(len(group.parameters) == 1 for group in self.groups)


def scale_invariance(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: Loss = cross_entropy,
    *,
    eps: float | None = TINY,
    tolerance: float = 1e-6,
) -> ScaleInvariance:
    """Find which parameters of a network are scale invariant, alone or together, in training mode and without dropout.

    With D_i the derivative of all outputs along tensor w_i, scaling the tensors as c^(a_i) leaves the outputs as they
    are, to first order, where sum a_i D_i = 0. The network is scale invariant where a = (1, ..., 1) is such a vector;
    its groups are the blocks of the projection onto the space of all such a. The D_i are seen through the gradient of
    the loss and through those of random linear functions of the outputs, of which there are more than tensors, so that
    one lucky loss proves nothing. Each group is then multiplied by 3.

    All is computed in float64 on a copy; the model and torch's generators stay as they are. A parameter that is all
    zeros (a bias, a shift) is invariant where it stands and nowhere else: the copy's is drawn at random. It costs one
    backward pass for each tensor and a forward pass for each group.

    Args:
        model: returns a tensor of outputs, ``[N, ...]``.
        inputs: a batch as the model takes it, ``[N, ...]``; two rows or more where it has batch normalisation.
        targets: what the loss compares with, ``[N, ...]``.
        loss: differentiable, of (outputs, targets).
        eps: replaces the `eps` of every normalisation, which, added to the variance, breaks the invariance: a relative
            change of about eps / variance. 1e-30 tests the form of the network to the precision of float64; None keeps
            the model's own, for the question how exact the invariance is in practice (torch's default of 1e-5 asks for
            a tolerance of about 1e-2 where activations are small).
        tolerance: what counts as 0 in slopes, changes and singular values.

    Raises:
        TaskError: no trained parameter, or outputs or a loss that are not finite.

    Examples:
        >>> net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2))
        >>> found = scale_invariance(net, torch.randn(8, 3), torch.randint(2, (8,)))
        >>> [group.parameters for group in found.offenders]
        [('2.weight',), ('2.bias',)]
    """
    return _Probe(model, inputs, targets, loss, eps, tolerance).result()


def check_scale_invariant(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: Loss = cross_entropy,
    *,
    eps: float | None = TINY,
    tolerance: float = 1e-6,
) -> ScaleInvariance:
    """Return what :func:`scale_invariance` finds, where the network is scale invariant.

    Raises:
        TaskError: it is not, naming the parameters; and as :func:`scale_invariance`.
    """
    found = scale_invariance(model, inputs, targets, loss, eps=eps, tolerance=tolerance)
    if found.holds:
        return found
    wrong = "; ".join(_sentence(group) for group in found.offenders)
    raise TaskError(
        f"a scale-invariant network must have outputs that stay within {tolerance:g} when its trained weights are "
        f"multiplied by 3, they change by {found.change:.2g}; {wrong or 'every group does by itself'}. Freeze a "
        f"parameter (requires_grad_(False)), put a normalisation without trained scale and shift between it and the "
        f"output, or lower the eps of the normalisations"
    )


def _sentence(group: Group) -> str:
    return f"{', '.join(group.parameters)}: change {group.change:.2g}, <grad, w> = {group.slope:.2g} |grad| |w|"


class _Probe:
    """One network, its outputs and their derivatives along each of its tensors."""

    def __init__(
        self, model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, eps: float | None, tolerance: float
    ) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.model, self.tolerance = _tested(model, eps), tolerance
        self.inputs = inputs.double() if inputs.is_floating_point() else inputs
        self.weights = {n: self._filled(p) for n, p in self.model.named_parameters() if p.requires_grad}
        if not self.weights:
            raise TaskError("scale invariance is a property of trained parameters, the model has none")
        self.outputs = self._forward(self.weights)
        value = loss(self.outputs, targets)
        if not bool(self.outputs.isfinite().all() & value.isfinite().all()):
            raise TaskError("outputs and loss must be finite to be compared; check the inputs and the initial weights")
        self.rows = [self._along(value), *(self._along(self._random()) for _ in range(len(self.weights) + 4))]

    def result(self) -> ScaleInvariance:
        everything = tuple(self.weights)
        return ScaleInvariance(
            groups=tuple(self._group(*found) for found in self._blocks()),
            slope=self._slope(everything),
            change=self._change(everything),
            loss_slope=self._slope(everything, losses=1),
            tolerance=self.tolerance,
        )

    def _filled(self, parameter: Tensor) -> Tensor:
        value = parameter.detach()
        if not value.any():
            drawn = torch.randn(value.shape, generator=self.generator, dtype=value.dtype)
            value = 0.1 * drawn.to(value.device)
        return value.requires_grad_()

    def _forward(self, weights: dict[str, Tensor]) -> Tensor:
        outputs: Tensor = functional_call(self.model, weights, (self.inputs,))
        return outputs

    def _random(self) -> Tensor:
        weights = torch.randn(self.outputs.shape, generator=self.generator, dtype=self.outputs.dtype)
        return (self.outputs * weights.to(self.outputs.device)).sum()

    def _along(self, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """<grad, w>, norm(grad)^2 and norm(w)^2 of each tensor."""
        tensors = list(self.weights.values())
        grads = torch.autograd.grad(value, tensors, retain_graph=True, materialize_grads=True)
        return _products(grads, tensors), _products(grads, grads), _products(tensors, tensors)

    def _blocks(self) -> list[tuple[tuple[str, ...], bool]]:
        """Groups of names, and whether the invariance of the network extends to them."""
        names, projection = list(self.weights), self._projection()
        tied = self.tolerance**0.5
        alike = ((projection.sum(dim=1) - 1).abs() < tied).tolist()
        count, labels = connected_components((projection.abs() > tied).numpy(), directed=False)
        blocks = [[index for index, label in enumerate(labels) if label == block] for block in range(count)]
        return [(tuple(names[i] for i in block), all(alike[i] for i in block)) for block in blocks]

    def _projection(self) -> Tensor:
        """Onto the exponents a with sum a_i D_i = 0, ``[tensors, tensors]``."""
        rows = torch.stack([inner / (grad * size).sqrt().max().clamp_min(TINY) for inner, grad, size in self.rows])
        _, values, vectors = torch.linalg.svd(rows.cpu())
        kept = vectors[values > self.tolerance]
        projection: Tensor = torch.eye(rows.shape[1], dtype=rows.dtype) - kept.T @ kept
        return projection

    def _group(self, names: tuple[str, ...], invariant: bool) -> Group:
        slope, change = self._slope(names), self._change(names)
        return Group(names, slope, change, invariant and max(slope, change) <= self.tolerance)

    def _slope(self, names: tuple[str, ...], losses: int | None = None) -> float:
        chosen = [list(self.weights).index(name) for name in names]
        sums = [[float(part[chosen].sum()) for part in row] for row in self.rows[:losses]]
        return max(abs(inner) / (grad * size) ** 0.5 if grad * size > 0 else 0.0 for inner, grad, size in sums)

    @torch.no_grad()
    def _change(self, names: tuple[str, ...]) -> float:
        moved = self._forward({n: w * _FACTOR if n in names else w for n, w in self.weights.items()})
        return float((moved - self.outputs).abs().max() / self.outputs.abs().max().clamp_min(TINY))


def _tested(model: nn.Module, eps: float | None) -> nn.Module:
    copy = deepcopy(model).double().train()
    for module in copy.modules():
        if eps is not None and isinstance(getattr(module, "eps", None), float):
            setattr(module, "eps", eps)  # noqa: B010
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    return copy


def _products(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    return torch.stack([(a.detach() * b.detach()).sum() for a, b in zip(first, second, strict=True)])
