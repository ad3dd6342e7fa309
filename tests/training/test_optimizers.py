"""The optimizers against recursions written out by hand, in float64, on a quadratic whose gradient is known."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tune_regimes.schedule import Settings
from tune_regimes.training.objective import Objective
from tune_regimes.training.optimizers import ScheduledOptimizer

CURVATURE = np.array([[0.5, 1.0, 2.0], [3.0, 0.1, 0.7]])
START = np.array([[1.0, -2.0, 0.5], [-1.5, 0.3, 2.0]])
Vector = np.ndarray
State = dict[str, Vector | int]


class Quadratic(nn.Module):
    """A kernel and a bias, both with loss 1/2 sum(curvature * w^2)."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.tensor(START))
        self.bias = nn.Parameter(torch.tensor(START[0]))

    def forward(self, curvature: Tensor, biased: Tensor) -> tuple[Tensor, Tensor]:
        loss = 0.5 * (curvature * self.kernel**2).sum()
        return loss, loss + 0.5 * (curvature[0] * self.bias**2).sum() if biased else loss

    def objective(self, biased: bool = True) -> Objective:
        return Objective([(torch.tensor(CURVATURE), torch.tensor(biased))], 1, self)


def trained(epochs: Sequence[Settings], steps: int = 4) -> Quadratic:
    model = Quadratic()
    optimizer = ScheduledOptimizer(model)
    for settings in epochs:
        optimizer.enter(settings)
        for index in range(steps):
            optimizer.step(index, model.objective())
    return model


def by_hand(update: Callable[[Vector, Vector, State, Settings], Vector], epochs: Sequence[Settings]) -> Vector:
    """Run a recursion on the kernel for four steps an epoch; its state is dropped where the settings say so."""
    w, state = START.copy(), {}
    for settings in epochs:
        state = {} if settings.reset else state
        for _ in range(4):
            w = update(w, CURVATURE * w, state, settings)
    return w


def assert_equal(parameter: nn.Parameter, expected: Vector) -> None:
    np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-10, atol=1e-14)


def sgd(w: Vector, g: Vector, state: State, s: Settings) -> Vector:
    g = g + s.weight_decay * w
    state["v"] = s.momentum * state.get("v", 0.0) + g
    return w - s.lr * (g + s.momentum * state["v"] if s.nesterov else state["v"])


def adam(w: Vector, g: Vector, state: State, s: Settings) -> Vector:
    if s.optimizer == "adamw":
        w = w - s.lr * s.weight_decay * w
    else:
        g = g + s.weight_decay * w
    state["t"] = t = state.get("t", 0) + 1
    state["m"] = s.momentum * state.get("m", 0.0) + (1 - s.momentum) * g
    state["v"] = s.beta2 * state.get("v", 0.0) + (1 - s.beta2) * g**2
    corrected = state["m"] / (1 - s.momentum**t), state["v"] / (1 - s.beta2**t)
    return w - s.lr * corrected[0] / (np.sqrt(corrected[1]) + s.eps)


def adadelta(w: Vector, g: Vector, state: State, s: Settings) -> Vector:
    g = g + s.weight_decay * w
    state["g2"] = s.rho * state.get("g2", 0.0) + (1 - s.rho) * g**2
    delta = np.sqrt(state.get("d2", 0.0) + s.eps) / np.sqrt(state["g2"] + s.eps) * g
    state["d2"] = s.rho * state.get("d2", 0.0) + (1 - s.rho) * delta**2
    return w - s.lr * delta


@pytest.mark.parametrize(
    ("update", "settings"),
    [
        (sgd, Settings("sgd", lr=0.1)),
        (sgd, Settings("sgd", lr=0.1, weight_decay=0.3)),
        (sgd, Settings("sgd", lr=0.1, momentum=0.9)),
        (sgd, Settings("sgd", lr=0.1, momentum=0.9, weight_decay=0.3)),
        (sgd, Settings("sgd", lr=0.1, momentum=0.9, weight_decay=0.3, nesterov=True)),
        (adam, Settings("adam", lr=0.1, momentum=0.9, weight_decay=0.3)),
        (adam, Settings("adamw", lr=0.1, momentum=0.9, beta2=0.99, weight_decay=0.3)),
        (adam, Settings("adam", lr=0.1, momentum=0.0, eps=1e-3)),
        (adadelta, Settings("adadelta", lr=1.0, rho=0.8, weight_decay=0.3)),
    ],
    ids=lambda value: str(value.to_dict()) if isinstance(value, Settings) else "",
)
def test_an_optimizer_follows_its_recursion(update: Callable[..., Vector], settings: Settings) -> None:
    assert_equal(trained([settings] * 3).kernel, by_hand(update, [settings] * 3))


LARGE, SMALL = Settings("sgd", lr=0.2, momentum=0.5), Settings("sgd", lr=0.01, momentum=0.95)


def test_a_kept_velocity_crosses_a_phase_change() -> None:
    assert_equal(trained([LARGE, SMALL]).kernel, by_hand(sgd, [LARGE, SMALL]))


def test_a_reset_velocity_starts_from_zero() -> None:
    phases = [LARGE, SMALL.with_reset()]
    assert_equal(trained(phases).kernel, by_hand(sgd, phases))
    assert not torch.equal(trained(phases).kernel, trained([LARGE, SMALL]).kernel)


def test_velocity_is_kept_between_heavy_ball_and_nesterov() -> None:
    phases = [LARGE, Settings("sgd", lr=0.01, momentum=0.95, nesterov=True)]
    assert_equal(trained(phases).kernel, by_hand(sgd, phases))


def test_moments_are_kept_between_adam_and_adamw() -> None:
    phases = [Settings(name, lr=0.05, momentum=0.9, weight_decay=0.2) for name in ("adam", "adamw")]
    assert_equal(trained(phases).kernel, by_hand(adam, phases))


def test_a_change_of_family_and_back_drops_the_buffers() -> None:
    through_adam = [LARGE, Settings("adam", lr=0.0, momentum=0.9), SMALL]
    assert_equal(trained(through_adam).kernel, by_hand(sgd, [LARGE, SMALL.with_reset()]))


def test_steps_without_momentum_leave_no_velocity() -> None:
    standing = Settings("sgd", lr=0.0)
    assert_equal(trained([LARGE, standing, SMALL]).kernel, by_hand(sgd, [LARGE, SMALL.with_reset()]))
    model = Quadratic()
    optimizer = ScheduledOptimizer(model)
    optimizer.enter(standing)
    optimizer.step(0, model.objective())
    assert optimizer.capture() == {"family": "sgd", "buffers": {}}


def test_values_per_step_are_applied_in_the_step_they_belong_to() -> None:
    lrs, momenta, decays = (0.3, 0.2, 0.1, 0.05), (0.0, 0.5, 0.9, 0.7), (0.0, 0.1, 0.0, 0.4)
    for nesterov in (False, True):
        ramps = Settings("sgd", lr=lrs, momentum=momenta, weight_decay=decays, nesterov=nesterov)
        w, state = START.copy(), {}
        for lr, momentum, decay in zip(lrs, momenta, decays, strict=True):
            step = Settings("sgd", lr=lr, momentum=momentum, weight_decay=decay, nesterov=nesterov)
            w = sgd(w, CURVATURE * w, state, step)
            state = state if momentum else {}
        assert_equal(trained([ramps]).kernel, w)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_is_that_of_torch_bit_for_bit(momentum: float, nesterov: bool) -> None:
    values = {"lr": 0.1, "momentum": momentum, "nesterov": nesterov, "weight_decay": 0.3}
    model = Quadratic()
    optimizer = torch.optim.SGD(model.parameters(), **values, fused=True)
    for _ in range(8):
        optimizer.zero_grad()
        model.objective()()
        optimizer.step()
    own = trained([Settings("sgd", **values)] * 2)
    assert torch.equal(own.kernel, model.kernel)
    assert torch.equal(own.bias, model.bias)


def test_momentum_per_step_is_the_first_beta_of_adam() -> None:
    momenta = (0.95, 0.9, 0.85, 0.9)
    w, state = START.copy(), {}
    for momentum in momenta:
        w = adam(w, CURVATURE * w, state, Settings("adam", lr=0.1, momentum=momentum))
    assert_equal(trained([Settings("adam", lr=0.1, momentum=momenta)]).kernel, w)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adadelta"])
def test_weight_decay_on_kernels_leaves_biases_alone(optimizer: str) -> None:
    plain, decayed, kernels = (
        trained([Settings(optimizer, lr=0.1, **options)])
        for options in ({}, {"weight_decay": 0.3}, {"weight_decay": 0.3, "decay": "kernels"})
    )
    assert torch.equal(kernels.kernel, decayed.kernel)
    assert torch.equal(kernels.bias, plain.bias)
    assert not torch.equal(plain.bias, decayed.bias)


def test_gradients_over_the_norm_are_scaled_down_together() -> None:
    clipped = trained([Settings("sgd", lr=0.1, clip_norm=0.5)], steps=1)
    model = Quadratic()
    model.objective()()
    norm = torch.cat([model.kernel.grad.flatten(), model.bias.grad]).norm()
    expected = START - 0.1 * CURVATURE * START * float(0.5 / (norm + 1e-6))
    np.testing.assert_allclose(clipped.kernel.detach().numpy(), expected, rtol=1e-9)


def test_gradients_under_the_norm_are_left_as_they_are() -> None:
    clipped, free = (trained([Settings("sgd", lr=0.1, clip_norm=norm)]) for norm in (1e3, None))
    assert torch.equal(clipped.kernel, free.kernel)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta"])
def test_a_parameter_that_is_used_only_later_joins_in(optimizer: str) -> None:
    model = Quadratic()
    scheduled = ScheduledOptimizer(model)
    scheduled.enter(Settings(optimizer, lr=0.1, momentum=0.0 if optimizer == "adadelta" else 0.9))
    for index in range(3):
        scheduled.step(index, model.objective(biased=index > 0))
    assert not np.allclose(model.bias.detach().numpy(), START[0])


def test_frozen_parameters_stay_as_they_are() -> None:
    model = Quadratic()
    model.bias.requires_grad_(False)
    optimizer = ScheduledOptimizer(model)
    optimizer.enter(Settings("sgd", lr=0.1, momentum=0.9, weight_decay=0.1))
    optimizer.step(0, model.objective())
    assert list(optimizer.capture()["buffers"]) == ["kernel"]
    np.testing.assert_array_equal(model.bias.detach().numpy(), START[0])
