"""Norms and effective learning rates of scale-invariant weights follow the exact recursion of their theory."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tune_regimes.probes import Watch, When, parse_probe
from tune_regimes.probes import norms as module
from tune_regimes.probes.norms import Norms, effective_lr, invariant_groups, last_batchnorm_scale
from tune_regimes.schedule import Settings
from tune_regimes.tasks import Data, Split, Task, models
from tune_regimes.theory.effective_lr import next_norm_squared
from tune_regimes.training import Numerics, Trajectory
from tune_regimes.training.batches import device_data


class OnASphere(nn.Module):
    """One output, which depends on the direction of the weights alone, in float64."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 1.5], dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.double() @ (self.w / self.w.norm())


def squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets.double()).square().mean()


def sphere_task() -> Task:
    generator = torch.Generator().manual_seed(1)
    rows = Split(torch.randn(60, 4, generator=generator), torch.randint(0, 2, (60,), generator=generator))
    return Task(OnASphere, Data(rows, rows, 2), loss=squares, metrics={}, batch_size=3)


def normalised_task(mlp_task: Task) -> Task:
    """Two normalised layers, the first with a trained scale and shift that no other normalisation undoes."""

    def model() -> nn.Module:
        first = [nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6), nn.Tanh()]
        return nn.Sequential(*first, nn.Linear(6, 7, bias=False), nn.BatchNorm1d(7, affine=False), nn.Linear(7, 4))

    return replace(mlp_task, model=model)


def watched(task: Task, settings: Settings, when: When = When(steps=1)) -> tuple[Trajectory, list[dict[str, float]]]:  # noqa: B008
    trajectory = Trajectory(task, seed=2, numerics=Numerics(threads=1), watcher=Watch([Norms(when)]))
    trajectory.advance(settings)
    return trajectory, [reading["values"] for reading in trajectory.readings]


def test_the_squared_norm_follows_the_exact_recursion_of_a_scale_invariant_loss() -> None:
    task, lr, decay = sphere_task(), 0.3, 0.1
    _, looks = watched(task, Settings("sgd", lr=lr, weight_decay=decay))
    model = OnASphere()
    expected = [float(model.w.detach() @ model.w.detach())]
    for inputs, targets in device_data(task, torch.device("cpu")).train(2, 0):
        (gradient,) = torch.autograd.grad(squares(model(inputs), targets), [model.w])
        on_the_sphere = expected[-1] * float(gradient @ gradient)
        expected.append(float(next_norm_squared(expected[-1], lr, lr * decay, on_the_sphere)))
        model.w.data -= lr * (gradient + decay * model.w.detach())
    assert len(looks) == 20
    np.testing.assert_allclose([look["norm_squared.w"] for look in looks], expected[1:], rtol=1e-12)
    np.testing.assert_allclose([look["effective_lr.w"] for look in looks], lr / np.array(expected[1:]), rtol=1e-12)
    assert all(look["norm_squared"] == look["norm_squared.w"] for look in looks)


def test_the_effective_learning_rate_is_what_moves_the_direction() -> None:
    """At c times the weights and c^2 times the learning rate it is the same, and so is the path on the sphere."""
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(3, 4, generator=generator), torch.zeros(3)
    directions, rates = [], []
    for factor in (1.0, 3.0):
        model = OnASphere()
        model.w.data *= factor
        lr = 0.2 * factor**2
        rates.append(effective_lr(float(model.w.detach().square().sum()), lr))
        (gradient,) = torch.autograd.grad(squares(model(inputs), targets), [model.w])
        moved = model.w.detach() - lr * gradient
        directions.append(moved / moved.norm())
    assert rates[0] == pytest.approx(rates[1], rel=1e-14)
    torch.testing.assert_close(*directions, rtol=1e-13, atol=1e-13)


def test_momentum_multiplies_the_effective_learning_rate_as_it_multiplies_the_step() -> None:
    assert effective_lr(4.0, 0.1, 0.9) == pytest.approx(0.25)
    _, looks = watched(sphere_task(), Settings("sgd", lr=0.1, momentum=0.9))
    assert looks[-1]["effective_lr"] == pytest.approx(1.0 / looks[-1]["norm_squared"])
    assert math.isnan(effective_lr(0.0, 0.1))


def test_a_ramp_counts_with_the_value_of_the_step_made_last() -> None:
    ramp = tuple(0.01 * step for step in range(1, 21))
    _, looks = watched(sphere_task(), Settings("sgd", lr=ramp))
    assert [look["effective_lr"] * look["norm_squared"] for look in looks] == pytest.approx(ramp)
    _, grouped = watched(sphere_task(), Settings("sgd", lr=ramp, batches_per_step=8))
    assert [look["effective_lr"] * look["norm_squared"] for look in grouped] == pytest.approx([0.01, 0.09, 0.17])


def test_the_kernels_below_a_normalisation_are_groups_and_the_rest_is_left_out(mlp_task: Task) -> None:
    trajectory, looks = watched(normalised_task(mlp_task), Settings("sgd", lr=0.1), When())
    norms = {name: float(p.detach().double().square().sum()) for name, p in trajectory.model.named_parameters()}
    kernels = ("0.weight", "3.weight")
    expected = {f"norm_squared.{name}": norms[name] for name in kernels}
    expected |= {f"effective_lr.{name}": 0.1 / norms[name] for name in kernels}
    total = norms["0.weight"] + norms["3.weight"]
    expected |= {"norm_squared": total, "effective_lr": 0.1 / total}
    expected["bn_scale_norm"] = math.sqrt(norms["1.weight"])
    assert looks[0] == pytest.approx(expected)


def test_the_layers_that_write_to_one_trunk_are_one_group_under_the_name_of_the_first() -> None:
    pixels = torch.randint(0, 256, (20, 8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = Split(pixels, torch.arange(20) % 5)

    def model() -> nn.Module:
        return models.build("preresnet8_si", shape=(8, 8, 3), num_classes=5, width=0.125)

    trajectory, looks = watched(Task(model, Data(split, split, 5), batch_size=10), Settings("sgd", lr=0.1), When())
    weights = dict(trajectory.model.named_parameters())
    trunk = [weights[name] for name in ("stem.weight", "blocks.0.body.4.weight")]
    assert looks[0]["norm_squared.stem.weight"] == pytest.approx(
        sum(float(w.detach().square().sum()) for w in trunk), rel=1e-5
    )
    trained = [p for p in weights.values() if p.requires_grad]
    assert looks[0]["norm_squared"] == pytest.approx(sum(float(p.detach().square().sum()) for p in trained), rel=1e-5)


def test_a_network_without_normalisation_has_no_group_and_no_scale(mlp_task: Task) -> None:
    _, looks = watched(mlp_task, Settings("sgd", lr=0.1), When())
    assert looks[0].keys() == {"norm_squared", "effective_lr", "bn_scale_norm"}
    assert all(math.isnan(value) for value in looks[0].values())


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_other_optimizers_have_norms_and_no_effective_learning_rate(mlp_task: Task, optimizer: str) -> None:
    _, looks = watched(normalised_task(mlp_task), Settings(optimizer, lr=0.01), When())
    assert looks[0]["norm_squared"] > 0
    assert math.isnan(looks[0]["effective_lr"])
    assert math.isnan(looks[0]["effective_lr.0.weight"])


def test_the_last_scale_is_that_of_the_last_layer_that_has_one() -> None:
    first, second = nn.BatchNorm1d(3), nn.BatchNorm2d(2)
    second.weight.data = torch.tensor([3.0, 4.0])
    assert last_batchnorm_scale(nn.Sequential(first, second)) == 5.0
    assert last_batchnorm_scale(nn.Sequential(first, nn.BatchNorm1d(3, affine=False))) == pytest.approx(math.sqrt(3))
    assert math.isnan(last_batchnorm_scale(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))))


def test_the_groups_of_a_task_are_looked_for_once(mlp_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def counted(*given):
        looked.append(1)
        return original(*given)

    original = module.scale_invariance
    monkeypatch.setattr(module, "scale_invariance", counted)
    task = normalised_task(mlp_task)
    for _ in range(2):
        watched(task, Settings("sgd", lr=0.1))
    assert len(looked) == 1


def test_they_do_not_depend_on_the_weights_and_leave_the_generators_alone(mlp_task: Task) -> None:
    task = normalised_task(mlp_task)
    moments = []

    class Keep:
        def identity(self):
            return []

        def wants(self, epoch, step):
            return step is None

        def look(self, moment):
            moments.append(moment)

        def finished(self, epoch):
            return {}, []

    trajectory = Trajectory(task, seed=0, numerics=Numerics(threads=1), watcher=Keep())
    trajectory.advance(Settings("sgd", lr=0.1))
    torch.nn.init.zeros_(trajectory.model[0].weight)
    before = torch.get_rng_state()
    assert invariant_groups(moments[0]) == (("0.weight",), ("3.weight",))
    assert torch.equal(torch.get_rng_state(), before)


def test_it_has_no_option_but_when() -> None:
    assert parse_probe("norms:every=5") == Norms(When(every=5))
    assert not Norms().ahead(7)
