import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tune_regimes.errors import ResourceError, ScheduleError
from tune_regimes.schedule import Settings
from tune_regimes.tasks import Augmentation, Task
from tune_regimes.training import Numerics, Trajectory

PLAIN = Settings("sgd", lr=0.05, momentum=0.9)


def test_records_name_loss_and_metrics_of_both_splits_what_was_observed_and_the_seconds(mlp_task: Task) -> None:
    record = Trajectory(mlp_task, seed=0).advance(PLAIN)
    measured = ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]
    assert list(record) == [*measured, "steps", "weight_norm", "angular_velocity", "seconds"]
    assert {name: type(value) for name, value in record.items() if type(value) is not float} == {"steps": int}


def test_a_metric_of_the_users_own_is_reported_for_both_splits(mlp_task: Task) -> None:
    task = replace(mlp_task, metrics={"error": lambda outputs, targets: (outputs.argmax(1) != targets).float().mean()})
    record = Trajectory(task, seed=0).advance(PLAIN)
    assert {"train_error", "test_error"} <= record.keys()


def test_training_learns(mlp_task: Task) -> None:
    trajectory = Trajectory(mlp_task, seed=0)
    losses = [trajectory.advance(PLAIN)["train_loss"] for _ in range(20)]
    assert losses[-1] < 0.5 * losses[0]


def test_losses_are_means_over_the_examples(mlp_task: Task) -> None:
    trajectory = Trajectory(mlp_task, seed=0)
    record = trajectory.advance(Settings("sgd", lr=0.0))
    for split, part in (("train", mlp_task.data.train), ("test", mlp_task.data.test)):
        loss = nn.functional.cross_entropy(trajectory.model(part.inputs), part.targets)
        assert record[f"{split}_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_evaluation_leaves_dropout_out_and_the_statistics_of_batch_norm_alone(cnn_task: Task) -> None:
    trajectory = Trajectory(cnn_task, seed=0)
    record = trajectory.advance(PLAIN)
    assert trajectory.model[1].num_batches_tracked == trajectory.steps_per_epoch == 6
    model = trajectory.model.eval()
    pixels = cnn_task.data.test.inputs.permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (cnn_task.data.mean, cnn_task.data.std))
    loss = nn.functional.cross_entropy(model((pixels - mean) / std), cnn_task.data.test.targets)
    assert record["test_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_seeds_give_other_weights_and_other_records(cnn_task: Task) -> None:
    first, second = (Trajectory(cnn_task, seed=seed) for seed in (0, 1))
    assert not torch.equal(first.model[0].weight, second.model[0].weight)
    assert first.advance(PLAIN)["train_loss"] != second.advance(PLAIN)["train_loss"]


def test_a_task_s_init_seed_gives_every_seed_the_initial_weights_of_that_one_and_leaves_its_epochs_alone(
    cnn_task: Task,
) -> None:
    plain, own, other = (
        Trajectory(task, seed=seed)
        for task, seed in ((cnn_task, 3), (replace(cnn_task, init_seed=3), 3), (replace(cnn_task, init_seed=3), 5))
    )
    assert torch.equal(own.model[0].weight, plain.model[0].weight)
    assert torch.equal(other.model[0].weight, plain.model[0].weight)
    losses = [trajectory.advance(PLAIN)["train_loss"] for trajectory in (plain, own, other)]
    assert losses[1] == losses[0] != losses[2]


def test_what_an_epoch_draws_follows_the_seed_of_the_training_and_not_that_of_the_initial_weights(
    cnn_task: Task,
) -> None:
    own, seeded = Trajectory(cnn_task, seed=5), Trajectory(replace(cnn_task, init_seed=3), seed=5)
    seeded.restore(own.capture())
    assert seeded.advance(PLAIN)["train_loss"] == own.advance(PLAIN)["train_loss"]


def test_convolutions_run_in_channels_last_order(cnn_task: Task) -> None:
    weight = Trajectory(cnn_task, seed=0).model[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def one_step(task: Task) -> Task:
    return replace(task, batch_size=len(task.data.train))


def test_a_loss_that_is_not_finite_ends_the_trajectory_as_diverged(mlp_task: Task) -> None:
    trajectory = Trajectory(mlp_task, seed=0)
    record = trajectory.advance(Settings("sgd", lr=1e38))
    assert trajectory.diverged
    assert trajectory.epoch == 1
    assert not math.isfinite(record["train_loss"])
    assert math.isnan(record["test_loss"])
    assert math.isnan(record["test_accuracy"])


def test_parameters_that_are_not_finite_are_divergence_even_where_the_loss_was_finite(mlp_task: Task) -> None:
    def steep(outputs: Tensor, targets: Tensor) -> Tensor:
        return 1e3 * nn.functional.cross_entropy(outputs, targets)

    trajectory = Trajectory(replace(one_step(mlp_task), loss=steep), seed=0)
    record = trajectory.advance(Settings("sgd", lr=1e38))
    assert trajectory.diverged
    assert math.isfinite(record["train_loss"])
    assert math.isnan(record["test_loss"])


def test_a_test_loss_that_is_not_finite_is_divergence_with_finite_parameters(mlp_task: Task) -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4))

    trajectory = Trajectory(replace(one_step(mlp_task), model=model), seed=0)
    record = trajectory.advance(Settings("sgd", lr=1e30))
    assert trajectory.diverged
    assert all(bool(p.isfinite().all()) for p in trajectory.model.parameters())
    assert math.isnan(record["test_loss"])
    assert math.isnan(record["test_accuracy"])


def test_a_diverged_trajectory_does_not_advance_also_when_restored(mlp_task: Task) -> None:
    trajectory, other = Trajectory(mlp_task, seed=0), Trajectory(mlp_task, seed=0)
    trajectory.advance(Settings("sgd", lr=1e38))
    other.restore(trajectory.capture())
    for diverged in (trajectory, other):
        with pytest.raises(RuntimeError, match="diverged"):
            diverged.advance(PLAIN)


def test_values_per_step_of_another_number_are_refused(mlp_task: Task) -> None:
    with pytest.raises(ScheduleError, match="4 steps of an epoch, got 3"):
        Trajectory(mlp_task, seed=0).advance(Settings("sgd", lr=(0.1, 0.2, 0.3)))


@pytest.mark.parametrize("device", ["gpu", "mps", "cuda:first", ""])
def test_an_unknown_device_is_refused_with_the_choices(mlp_task: Task, device: str) -> None:
    with pytest.raises(ResourceError, match="'cpu', 'cuda'"):
        Trajectory(mlp_task, seed=0, device=device)


def test_a_captured_state_is_not_touched_by_training_on(mlp_task: Task) -> None:
    trajectory = Trajectory(mlp_task, seed=0)
    trajectory.advance(PLAIN)
    state = trajectory.capture()
    weights = {name: value.clone() for name, value in state["model"].items()}
    trajectory.restore(state)
    trajectory.advance(PLAIN)
    assert all(torch.equal(state["model"][name], value) for name, value in weights.items())
    assert state["epoch"] == 1


def test_a_compiled_model_shares_its_weights_and_their_names_with_the_plain_one(
    mlp_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda model: nn.Sequential(model))
    compiled, plain = (Trajectory(mlp_task, seed=0, numerics=Numerics(compile=flag)) for flag in (True, False))
    assert compiled.advance(PLAIN)["train_loss"] == plain.advance(PLAIN)["train_loss"]
    assert compiled.capture()["model"].keys() == plain.capture()["model"].keys()


def test_threads_of_the_process_are_put_back_after_an_epoch(mlp_task: Task) -> None:
    Trajectory(mlp_task, seed=0, numerics=Numerics(threads=2)).advance(PLAIN)
    assert torch.get_num_threads() == 1


def test_an_identity_tells_apart_all_that_changes_the_training(mlp_task: Task, cnn_task: Task) -> None:
    wider = replace(mlp_task, model=lambda: nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4)))
    identities = [
        Trajectory(mlp_task, seed=0).identity(),
        Trajectory(mlp_task, seed=1).identity(),
        Trajectory(mlp_task, seed=0, numerics=Numerics(threads=2)).identity(),
        Trajectory(replace(mlp_task, batch_size=8), seed=0).identity(),
        Trajectory(wider, seed=0).identity(),
        Trajectory(cnn_task, seed=0).identity(),
        Trajectory(replace(cnn_task, augmentation=Augmentation()), seed=0).identity(),
    ]
    assert all(one != other for index, one in enumerate(identities) for other in identities[:index])
    assert Trajectory(mlp_task, seed=0).identity() == identities[0]
