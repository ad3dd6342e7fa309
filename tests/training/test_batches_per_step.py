"""Steps over the mean gradient of several batches, up to all of an epoch."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tune_regimes.schedule import Phase, Ramp, Settings
from tune_regimes.tasks import Augmentation, Task
from tune_regimes.training import Numerics, Record, Trajectory

SETTINGS = {
    "sgd": Settings("sgd", lr=0.1, weight_decay=0.01),
    "nesterov": Settings("sgd", lr=0.1, momentum=0.9, nesterov=True),
    "clipped": Settings("sgd", lr=0.1, clip_norm=0.1),
    "adamw": Settings("adamw", lr=0.01, momentum=0.9, weight_decay=0.1),
    "adadelta": Settings("adadelta", lr=1.0),
    "muon": Settings("muon", lr=0.01, momentum=0.9),
    "lbfgs": Settings("lbfgs", lr=0.5, weight_decay=0.01),
    "lbfgs, line search": Settings("lbfgs", lr=1.0, line_search="strong_wolfe"),
    "kfac": Settings("kfac", lr=0.1, momentum=0.5, damping=0.1),
}


def trained(task: Task, settings: Settings, epochs: int = 2) -> tuple[torch.Tensor, list[Record]]:
    trajectory = Trajectory(task, seed=3, numerics=Numerics(threads=1))
    records = [trajectory.advance(settings) for _ in range(epochs)]
    return torch.cat([p.detach().flatten() for p in trajectory.model.parameters()]), records


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("group", [2, 4])
def test_steps_over_several_batches_are_those_over_one_batch_of_all_their_rows(
    mlp_task: Task, name: str, group: int
) -> None:
    grouped, told = trained(mlp_task, replace(SETTINGS[name], batches_per_step=group))
    single, expected = trained(replace(mlp_task, batch_size=10 * group), SETTINGS[name])
    # A sum in another order shows in the bfloat16 of Muon, and in the differences of gradients of L-BFGS.
    tolerance = 5e-3 if name == "muon" or "lbfgs" in name else 1e-4
    torch.testing.assert_close(grouped, single, rtol=tolerance, atol=tolerance)
    for one, other in zip(told, expected, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-3)
        assert one["steps"] == other["steps"] == 4 // group


def test_the_last_group_is_smaller_and_makes_a_step_of_its_own(mlp_task: Task) -> None:
    settings = Settings("sgd", lr=0.1, batches_per_step=3)
    weights, [record] = trained(mlp_task, settings, epochs=1)
    by_hand = Trajectory(mlp_task, seed=3)
    batches = list(by_hand._data.train(3, 0))
    model = by_hand.model
    for group in (batches[:3], batches[3:]):
        inputs, targets = (torch.cat(part) for part in zip(*group, strict=True))
        model.zero_grad()
        functional.cross_entropy(model(inputs), targets).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.1 * parameter.grad
    torch.testing.assert_close(weights, torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert record["steps"] == 2


@pytest.mark.parametrize("name", SETTINGS)
def test_a_group_larger_than_the_epoch_is_full_batch_training(mlp_task: Task, name: str) -> None:
    phase = Phase(lr=0.1, optimizer=SETTINGS[name].optimizer, epochs=1, batches_per_step=1000)
    full, larger = phase.settings(0, steps_per_epoch=4), replace(SETTINGS[name], batches_per_step=1000)
    assert full.batches_per_step == 4
    exactly, _ = trained(mlp_task, replace(SETTINGS[name], batches_per_step=4))
    beyond, records = trained(mlp_task, larger)
    assert torch.equal(exactly, beyond)
    assert [record["steps"] for record in records] == [1, 1]


def test_values_per_step_are_read_at_the_first_batch_of_the_group(mlp_task: Task) -> None:
    ramp = Phase(lr=Ramp("linear", 0.4, 0.0), epochs=1, batches_per_step=2).settings(0, steps_per_epoch=4)
    per_batch = Phase(lr=Ramp("linear", 0.4, 0.0), epochs=1).settings(0, steps_per_epoch=4).lr
    twice = Settings("sgd", lr=(per_batch[0], per_batch[2]))
    grouped, _ = trained(mlp_task, ramp, epochs=1)
    single, _ = trained(replace(mlp_task, batch_size=20), twice, epochs=1)
    torch.testing.assert_close(grouped, single)


def test_metrics_are_measured_on_every_batch_once(mlp_task: Task) -> None:
    seen: list[int] = []

    def rows(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append(len(targets))
        return torch.tensor(float(len(targets)))

    for settings in (Settings("lbfgs", lr=0.1, max_iter=3), Settings("kfac", lr=0.1, refresh=1)):
        seen.clear()
        task = replace(mlp_task, metrics={"rows": rows})
        _, [record] = trained(task, replace(settings, batches_per_step=2), epochs=1)
        assert seen[:4] == [10] * 4
        assert record["train_rows"] == 10
        assert len(seen) == 4 + 4  # four batches of training, four of the test set


def test_augmented_images_are_grouped_as_vectors_are(cnn_task: Task) -> None:
    task = replace(cnn_task, augmentation=Augmentation(flip=True, crop=1), batch_size=8)
    weights, records = trained(task, Settings("lbfgs", lr=0.1, batches_per_step=6))
    assert weights.isfinite().all()
    assert [record["steps"] for record in records] == [1, 1]
