"""Alignment and scale are those of heavy ball on a quadratic, whose every step is known."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tune_regimes.errors import UsageError
from tune_regimes.probes import Watch, When, parse_probe
from tune_regimes.probes.momentum import Momentum, alignment, mean_gradient, scale
from tune_regimes.schedule import Settings
from tune_regimes.tasks import Data, Split, Task
from tune_regimes.theory import heavy_ball
from tune_regimes.training import Numerics, Trajectory

ROOTS = torch.tensor([1.0, 2.5, 7.0, 12.0])
"""Square roots of the eigenvalues of A."""
QUADRATIC = heavy_ball.Quadratic(ROOTS.double().square().numpy())
START = np.array([3.0, -2.0, 1.0, 0.5])
STEPS = 24
FULL = Momentum(When(steps=1), gradient="full", reference=None)
"""Of all examples."""
FEW = {"gradient": "full", "subset": 1 / STEPS}
"""Of two examples: on the quadratic they are all alike."""


class Weights(nn.Module):
    """Outputs sqrt(lambda_i) w_i in float64, for inputs sqrt(lambda_i)."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(START))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.double() * self.w


def half_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    """f(w) = w A w^T."""
    return outputs.square().sum(dim=1).mean()


def quadratic_task() -> Task:
    rows = Split(ROOTS.repeat(2 * STEPS, 1), torch.zeros(2 * STEPS, dtype=torch.int64))
    return Task(Weights, Data(rows, rows, 2), loss=half_squares, metrics={}, batch_size=2)


def watched(
    task: Task, probe: Momentum, settings: Sequence[Settings], reference: Mapping[str, Tensor] | None = None
) -> tuple[Trajectory, list[Mapping[str, float]]]:
    """The values of every look."""
    numerics = Numerics(threads=1)
    ahead = {} if reference is None else {len(settings): reference}
    trajectory = Trajectory(task, seed=1, numerics=numerics, watcher=Watch([probe]), ahead=ahead)
    looks = []
    for each in settings:
        trajectory.advance(each)
        looks += [reading["values"] for reading in trajectory.readings]
    return trajectory, looks


def column(looks: list[Mapping[str, float]], name: str) -> list[float]:
    return [look[f"momentum_{name}"] for look in looks]


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("options", [{"gradient": "full"}, FEW, {"gradient": "batch"}], ids=["full", "few", "batch"])
def test_alignment_and_scale_of_a_training_are_the_closed_forms_of_the_quadratic(
    momentum: float, options: Mapping[str, Any]
) -> None:
    lr = 0.3 * float(heavy_ball.stability_edge(momentum, QUADRATIC.hessian.max()))
    probe = Momentum(When(steps=1), **options)
    optimum = {"w": torch.zeros(4, dtype=torch.float64)}
    _, looks = watched(quadratic_task(), probe, [Settings("sgd", lr=lr, momentum=momentum)], optimum)
    trace = heavy_ball.run(QUADRATIC, START, lr=lr, momentum=momentum, steps=STEPS)
    np.testing.assert_allclose(column(looks, "alignment"), trace.alignments, rtol=1e-11)
    np.testing.assert_allclose(column(looks, "scale"), trace.scales, rtol=1e-11)
    assert looks[0]["momentum_alignment"] > 0, "the sign of eq. 3 is corrected"


def test_the_alignment_with_the_final_weights_is_that_of_the_closed_form_and_ends_without_a_value() -> None:
    settings = [Settings("sgd", lr=1e-3, momentum=0.9)]
    end, _ = watched(quadratic_task(), FULL, settings)
    final = {"w": end.model.w.detach().clone()}
    _, looks = watched(quadratic_task(), Momentum(When(steps=1), **FEW), settings, final)
    trace = heavy_ball.run(QUADRATIC, START, lr=1e-3, momentum=0.9, steps=STEPS)
    expected = heavy_ball.alignment(trace.buffers[1:-1], trace.weights[1:-1] - trace.weights[-1])
    np.testing.assert_allclose(column(looks, "alignment")[:-1], expected, rtol=1e-9)
    assert math.isnan(looks[-1]["momentum_alignment"])
    assert looks[-1]["momentum_scale"] == pytest.approx(trace.scales[-1])


@pytest.mark.parametrize(("momentum", "share"), [(0.5, 0.04), (0.9, 0.01)])
def test_the_scale_of_a_long_training_is_the_limit_of_the_slowest_coordinate(momentum: float, share: float) -> None:
    lr = share * float(heavy_ball.stability_edge(momentum, QUADRATIC.hessian.max()))
    limit = heavy_ball.slow_scale_limit(QUADRATIC, lr, momentum)
    last = Momentum(When(at=(40,)), reference=None)
    _, looks = watched(quadratic_task(), last, [Settings("sgd", lr=lr, momentum=momentum)] * 40)
    assert looks[-1]["momentum_scale"] == pytest.approx(limit, rel=1e-6)
    assert limit == pytest.approx(heavy_ball.scale_limit(momentum), rel=0.05)


def test_without_momentum_the_velocity_is_the_gradient() -> None:
    optimum = {"w": torch.zeros(4, dtype=torch.float64)}
    probe = Momentum(When(steps=1), **FEW)
    _, looks = watched(quadratic_task(), probe, [Settings("sgd", lr=1e-3)], optimum)
    weights = heavy_ball.run(QUADRATIC, START, lr=1e-3, momentum=0.0, steps=STEPS).weights[1:]
    expected = heavy_ball.alignment(QUADRATIC.hessian * weights, weights)
    np.testing.assert_allclose(column(looks, "alignment"), expected, rtol=1e-11)
    np.testing.assert_allclose(column(looks, "scale"), 1.0, rtol=1e-12)


def test_weight_decay_is_in_the_buffer_and_in_the_decayed_gradient_alone() -> None:
    decay, lr = 3.0, 1e-3
    _, looks = watched(quadratic_task(), FULL, [Settings("sgd", lr=lr, momentum=0.9, weight_decay=decay)])
    penalised = heavy_ball.Quadratic(QUADRATIC.eigenvalues + decay / 2)
    trace = heavy_ball.run(penalised, START, lr=lr, momentum=0.9, steps=STEPS)
    np.testing.assert_allclose(column(looks, "scale_decayed"), trace.scales, rtol=1e-11)
    bare = heavy_ball.scale(trace.buffers[1:], QUADRATIC.hessian * trace.weights[1:])
    np.testing.assert_allclose(column(looks, "scale"), bare, rtol=1e-11)


def test_weight_decay_on_kernels_leaves_vectors_out() -> None:
    settings = Settings("sgd", lr=1e-3, momentum=0.9, weight_decay=3.0, decay="kernels")
    _, looks = watched(quadratic_task(), FULL, [settings])
    assert column(looks, "scale") == column(looks, "scale_decayed")


@given(st.integers(0, 100), st.floats(0.1, 10), st.floats(0.1, 10))
def test_neither_measure_depends_on_how_the_weights_are_split_into_tensors(seed: int, a: float, b: float) -> None:
    g, w, x = torch.randn(3, 7, generator=torch.Generator().manual_seed(seed)).unbind()

    def split(vector: Tensor) -> dict[str, Tensor]:
        return {"first": vector[:3], "second": vector[3:].reshape(2, 2)}

    whole = alignment({"w": a * g}, {"w": w}, {"w": x})
    assert alignment(split(g), split(w), split(x)) == pytest.approx(whole, abs=1e-6)
    assert scale(split(a * g), split(b * x)) == pytest.approx(a / b * float(g.norm() / x.norm()), rel=1e-5)


def test_the_full_gradient_is_that_of_the_mean_loss(mlp_task: Task) -> None:
    model, split = mlp_task.model(), mlp_task.data.train
    parts = split.inputs.split([7, 20, 13]), split.targets.split([7, 20, 13])
    found = mean_gradient(model, mlp_task.loss, zip(*parts, strict=True))
    mlp_task.loss(model(split.inputs), split.targets).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-5, atol=1e-7)


def test_frozen_parameters_have_no_part_in_it(mlp_task: Task) -> None:
    model = mlp_task.model()
    model[0].weight.requires_grad_(False)
    found = mean_gradient(model, mlp_task.loss, [(mlp_task.data.train.inputs, mlp_task.data.train.targets)])
    assert list(found) == ["0.bias", "2.weight", "2.bias"]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_network_with_batch_normalisation_and_a_small_subset_can_be_measured(cnn_task: Task) -> None:
    probe = Momentum(gradient="full", subset=0.25, reference=None)
    _, looks = watched(cnn_task, probe, [Settings("sgd", lr=0.01, momentum=0.9)] * 2)
    assert all(look["momentum_scale"] > 0 for look in looks)


def test_a_mini_batch_gradient_is_longer_than_the_full_one_by_its_noise(mlp_task: Task) -> None:
    """Without momentum g is a mini-batch gradient; it is the full one where a step takes all batches."""
    settings = Settings("sgd", lr=0.01)
    _, noisy = watched(mlp_task, FULL, [settings] * 5)
    assert np.mean(column(noisy, "scale")) > 1.01
    (whole,) = watched(mlp_task, FULL, [Settings("sgd", lr=0.01, batches_per_step=4)])[1]
    assert whole["momentum_scale"] == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "adadelta", "muon"])
def test_other_optimizers_have_no_value(mlp_task: Task, optimizer: str) -> None:
    _, looks = watched(mlp_task, FULL, [Settings(optimizer, lr=0.01)])
    assert all(math.isnan(value) for value in looks[-1].values())


def test_without_final_weights_there_is_a_scale_and_no_alignment(mlp_task: Task) -> None:
    """As where the training that went ahead diverged."""
    _, looks = watched(mlp_task, Momentum(), [Settings("sgd", lr=0.01, momentum=0.9)])
    assert math.isnan(looks[0]["momentum_alignment"])
    assert looks[0]["momentum_scale"] > 0


def test_a_reference_of_another_model_is_refused_by_the_names_that_it_lacks() -> None:
    with pytest.raises(UsageError, match=r"must hold every trained parameter, b, w are missing; take the weights"):
        alignment({"w": torch.ones(1), "b": torch.ones(1)}, {"w": torch.ones(1), "b": torch.ones(1)}, {})


def test_vectors_of_length_zero_have_no_direction() -> None:
    w, zero = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
    assert math.isnan(alignment(zero, w, zero))
    assert math.isnan(alignment(w, w, w))
    assert math.isnan(scale(w, zero))
    assert math.isnan(alignment({"w": torch.full((2,), math.nan)}, w, zero))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient": "some"}, "gradient of the momentum probe must be batch or full, got 'some'"),
        ({"reference": "optimum"}, "reference of the momentum probe must be final or none, got 'optimum'"),
        ({"gradient": "full", "subset": 0}, r"subset must be a share .* above 0 and up to 1, got 0"),
        ({"gradient": "full", "subset": 1.5}, "above 0 and up to 1, got 1.5"),
        ({"subset": 0.5}, "a subset goes with gradient=full, got subset=0.5"),
    ],
)
def test_an_option_out_of_range_is_refused(options, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Momentum(**options)


def test_only_the_final_weights_make_it_look_ahead() -> None:
    assert parse_probe("momentum").ahead(7) == (7,)
    assert not parse_probe("momentum:gradient=full,subset=0.1,reference=none").ahead(7)
