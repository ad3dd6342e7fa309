"""What the intrinsic learning rate paper proves of scale-invariant networks holds for ours, in float64.

Source: Li, Lyu and Arora, "Reconciling Modern Deep Learning with Traditional Optimization Analyses: the Intrinsic
Learning Rate" (2020). Equalities are up to rounding; eps of the normalisations is 1e-30.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import count

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from tune_regimes.tasks import models
from tune_regimes.tasks.scale_invariance import scale_invariance

NAMES = ["mlp_si", "mnist_cnn_si", "preresnet8_si"]
LR, DECAY = 0.3, 0.2
Batch = tuple[Tensor, Tensor]
MakeOptimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@pytest.fixture(params=NAMES)
def net(request: pytest.FixtureRequest) -> nn.Module:
    return build(request.param)


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = models.build(name, shape=(8, 8, 1), num_classes=10, width=0.125).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eps = 1e-30
    return model


def batch(index: int, rows: int = 12) -> Batch:
    generator = torch.Generator().manual_seed(100 + index)
    return torch.randn(rows, 1, 8, 8, generator=generator).double(), torch.randint(10, (rows,), generator=generator)


def trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def weights(model: nn.Module) -> Tensor:
    return parameters_to_vector(trained(model)).detach().clone()


def loss(model: nn.Module, at: Tensor, data: Batch) -> Tensor:
    """As a function of all trained weights as one vector."""
    named, start = {}, 0
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            named[name] = at[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()
    return cross_entropy(torch.func.functional_call(model, named, (data[0],)), data[1])


def gradient(model: nn.Module, at: Tensor, data: Batch) -> Tensor:
    at = at.clone().requires_grad_()
    return torch.autograd.grad(loss(model, at, data), at)[0]


def curvature(model: nn.Module, at: Tensor, along: Tensor, data: Batch) -> Tensor:
    """Hessian times a vector."""
    return torch.autograd.functional.hvp(lambda w: loss(model, w, data), at, along)[1]


def direction(like: Tensor, seed: int = 7) -> Tensor:
    return torch.randn(len(like), generator=torch.Generator().manual_seed(seed), dtype=like.dtype)


def close(left: Tensor, right: Tensor, tolerance: float = 1e-10) -> bool:
    return bool((left - right).norm() <= tolerance * right.norm()) and bool(right.norm() > 0)


def path(
    model: nn.Module, start: Tensor, make: MakeOptimizer, *, steps: int = 8, lrs: Iterator[float] | None = None
) -> Iterator[Tensor]:
    """The weights after each step of an optimizer of torch's, from a start, on the same batches."""
    vector_to_parameters(start.clone(), trained(model))
    optimizer = make(trained(model))
    for index in range(steps):
        if lrs is not None:
            optimizer.param_groups[0]["lr"] = next(lrs)
        optimizer.zero_grad()
        cross_entropy(model(batch(index)[0]), batch(index)[1]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield weights(model)


def sgd(lr: float, decay: float, momentum: float = 0.0) -> MakeOptimizer:
    return lambda parameters: torch.optim.SGD(parameters, lr=lr, weight_decay=decay, momentum=momentum)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_does_not_depend_on_the_memory_format(name: str) -> None:
    """With few channels and the batches of the digits; channels_last is the order in which networks are trained."""
    torch.manual_seed(0)
    model = models.build(name, shape=(8, 8, 1), num_classes=10, width=0.25)
    images, targets = batch(0, rows=50)
    gradients = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model.to(memory_format=memory_format).zero_grad()
        cross_entropy(model(images.float().to(memory_format=memory_format)), targets).backward()  # type: ignore[no-untyped-call]
        gradients.append(torch.cat([p.grad.flatten() for p in trained(model)]))  # type: ignore[union-attr]
    assert close(gradients[1], gradients[0], tolerance=1e-4)


@pytest.mark.parametrize("factor", [0.01, 3.0, 250.0])
def test_the_gradient_is_of_degree_minus_one(net: nn.Module, factor: float) -> None:
    w = weights(net)
    assert loss(net, factor * w, batch(0)).item() == pytest.approx(loss(net, w, batch(0)).item(), rel=1e-12)
    assert close(gradient(net, factor * w, batch(0)), gradient(net, w, batch(0)) / factor)


def test_the_gradient_is_orthogonal_to_the_weights_of_every_group(net: nn.Module) -> None:
    named = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    cross_entropy(net(batch(0)[0]), batch(0)[1]).backward()  # type: ignore[no-untyped-call]
    grads = {name: parameter.grad for name, parameter in named.items()}
    for group in scale_invariance(net, *batch(1)).groups:
        g = torch.cat([grads[name].flatten() for name in group.parameters])
        w = torch.cat([named[name].detach().flatten() for name in group.parameters])
        assert g.norm() > 0
        assert abs(g @ w) <= 1e-13 * g.norm() * w.norm()


def test_the_hessian_is_of_degree_minus_two(net: nn.Module) -> None:
    w, v = weights(net), direction(weights(net))
    assert close(curvature(net, 3 * w, v, batch(0)), curvature(net, w, v, batch(0)) / 9)


def test_the_hessian_takes_the_weights_to_minus_the_gradient(net: nn.Module) -> None:
    w = weights(net)
    assert close(curvature(net, w, w, batch(0)), -gradient(net, w, batch(0)))


def test_the_noise_of_gradients_is_of_degree_minus_two_and_orthogonal_to_the_weights(net: nn.Module) -> None:
    w, v, c = weights(net), direction(weights(net)), 5.0

    def noise(at: Tensor) -> Tensor:
        gradients = torch.stack([gradient(net, at, batch(index)) for index in range(6)])
        return gradients - gradients.mean(dim=0)

    here, there = noise(w), noise(c * w)
    assert close(there.T @ (there @ v), here.T @ (here @ v) / c**2)
    assert (here @ w).square().sum() <= 1e-24 * here.square().sum() * w.square().sum()


def test_curvature_across_the_weights_is_that_of_the_sphere_with_its_slope() -> None:
    """Lemma B.3, eq. 14, for f(w) = g(w / norm(w)) with a g that is not scale invariant, by finite differences."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.Tanh(), nn.Linear(3, 10)).double()
    w = 0.7 * weights(model)
    v = direction(w)
    v = v - (v @ w) / (w @ w) * w
    size, on_sphere = w.norm(), w / w.norm()

    def f(t: float) -> float:
        at = w + t * v
        return loss(model, 20 * at / at.norm(), batch(0)).item()

    g_slope = 20 * gradient(model, 20 * on_sphere, batch(0)) @ on_sphere
    g_curve = 400 * v @ curvature(model, 20 * on_sphere, v, batch(0))
    exact = ((g_curve - g_slope * (v @ v)) / size**2).item()
    h = 1e-4
    assert abs(g_slope) > 1e-2
    assert (f(h) - 2 * f(0) + f(-h)) / h**2 == pytest.approx(exact, rel=1e-4)


def test_curvature_across_the_weights_is_that_of_the_sphere_where_the_network_is_scale_invariant() -> None:
    net = build("mlp_si")
    w = weights(net)
    v = direction(w)
    v, h = v - (v @ w) / (w @ w) * w, 1e-5
    below, here, above = (loss(net, w + t * v, batch(0)).item() for t in (-h, 0, h))
    exact = v @ curvature(net, w / w.norm(), v, batch(0)) / w.norm() ** 2
    assert (above - 2 * here + below) / h**2 == pytest.approx(exact.item(), rel=1e-3)


def test_the_squared_norm_follows_its_exact_recursion(net: nn.Module) -> None:
    """G' = (1 - lambda_e)^2 G + lr^2 norm(g(w / norm(w)))^2 / G, the discrete form of eq. 7."""
    start = weights(net)
    before = start
    for index, after in enumerate(path(net, start, sgd(LR, DECAY))):
        squared = before.square().sum()
        g = gradient(net, before / before.norm(), batch(index))
        expected = (1 - LR * DECAY) ** 2 * squared + LR**2 * g.square().sum() / squared
        assert after.square().sum().item() == pytest.approx(expected.item(), rel=1e-12)
        before = after


def test_an_exponential_learning_rate_does_what_weight_decay_does(net: nn.Module) -> None:
    """App. B with the exponent -(2t + 1), which makes it exact: norms differ by (1 - lambda_e)^t, directions do not."""
    start, shrink = weights(net), 1 - LR * DECAY
    decayed = path(net, start, sgd(LR, DECAY))
    rates = (LR * shrink ** -(2 * t + 1) for t in count())
    for t, (left, right) in enumerate(zip([*decayed], path(net, start, sgd(LR, 0.0), lrs=rates), strict=True)):
        assert close(right, shrink ** -(t + 1) * left)


def test_the_printed_exponent_of_the_exponential_learning_rate_is_off_by_half_a_step() -> None:
    net, shrink = build("mlp_si"), 1 - LR * DECAY
    start = weights(net)
    decayed = [*path(net, start, sgd(LR, DECAY))][-1]
    printed = [*path(net, start, sgd(LR, 0.0), lrs=(LR * shrink ** -(2 * t) for t in count()))][-1]
    assert (decayed / decayed.norm() - printed / printed.norm()).norm() > 1e-4
    shifted = [*path(net, start, sgd(LR, 0.0), lrs=(LR / shrink * shrink ** -(2 * t) for t in count()))][-1]
    assert (decayed / decayed.norm() - shifted / shifted.norm()).norm() < 1e-10


def test_with_momentum_the_learning_rate_only_scales_the_initial_weights(net: nn.Module) -> None:
    """App. C.1: at equal intrinsic learning rate, w / sqrt(lr) does not depend on lr."""
    start, intrinsic = weights(net), 0.02
    plain = [*path(net, start / LR**0.5, sgd(1.0, intrinsic, momentum=0.9))]
    for left, right in zip(plain, path(net, start, sgd(LR, intrinsic / LR, momentum=0.9)), strict=True):
        assert close(right / LR**0.5, left)


def adamw(lr: float, decay: float, eps: float) -> MakeOptimizer:
    return lambda parameters: torch.optim.AdamW(parameters, lr=lr, weight_decay=decay, eps=eps)


def test_adamw_with_weights_and_learning_rate_scaled_alike_goes_the_same_way(net: nn.Module) -> None:
    """Theorem C.2; torch multiplies the weight decay by lr, so that it is divided by the factor.

    The theorem has eps = 0, which is 0 / 0 for the weight of an input that is 0 in the whole batch: 1e-30 will do.
    """
    start, factor = weights(net), 4.0
    first = [*path(net, start, adamw(0.01, 0.5, eps=1e-30))]
    for left, right in zip(
        first, path(net, factor * start, adamw(0.01 * factor, 0.5 / factor, eps=1e-30)), strict=True
    ):
        assert close(right, factor * left)


def test_the_eps_of_adamw_breaks_the_theorem_a_little() -> None:
    net = build("mlp_si")
    start, factor = weights(net), 4.0
    left = [*path(net, start, adamw(0.01, 0.5, eps=1e-8))][-1]
    right = [*path(net, factor * start, adamw(0.01 * factor, 0.5 / factor, eps=1e-8))][-1]
    assert not close(right, factor * left)
    assert close(right, factor * left, tolerance=1e-3)
