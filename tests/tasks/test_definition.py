"""A task is checked when it is made, and knows what tells it from another."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tune_regimes.errors import TaskError
from tune_regimes.tasks import Augmentation, Data, Split, Task, accuracy
from tune_regimes.tasks.definition import top5_accuracy


def data(rows: int = 10, *, image: bool = True) -> Data:
    inputs = torch.zeros(rows, 8, 8, 1, dtype=torch.uint8) if image else torch.zeros(rows, 3)
    split = Split(inputs, torch.arange(rows) % 2)
    return Data(split, split, 2)


def make(**changes: Any) -> Task:
    return Task(**{"model": lambda: nn.Linear(3, 2), "data": data(), "batch_size": 4} | changes)


def test_an_epoch_has_whole_batches_only() -> None:
    assert make().steps_per_epoch == 2
    assert make(batch_size=10).steps_per_epoch == 1


@pytest.mark.parametrize("batch_size", [0, -1, 11])
def test_a_batch_is_at_least_one_row_and_at_most_the_training_split(batch_size: int) -> None:
    with pytest.raises(TaskError, match=rf"1\.\.10 .* got {batch_size}"):
        make(batch_size=batch_size)


def test_an_evaluation_batch_has_at_least_one_row() -> None:
    with pytest.raises(TaskError, match="eval_batch_size"):
        make(eval_batch_size=0)


def test_a_seed_of_the_initial_weights_is_at_least_0() -> None:
    make(init_seed=0)
    with pytest.raises(TaskError, match="init_seed must be at least 0, or None for the training's own, got -1"):
        make(init_seed=-1)


def test_no_metric_may_be_named_loss() -> None:
    with pytest.raises(TaskError, match="'loss'"):
        make(metrics={"loss": accuracy})


def test_only_images_are_augmented() -> None:
    with pytest.raises(TaskError, match="augmentation needs uint8 images"):
        make(data=data(image=False), augmentation=Augmentation(flip=True))


def test_reflection_reaches_no_further_than_the_image() -> None:
    make(augmentation=Augmentation(crop=7, padding="reflect"))
    with pytest.raises(TaskError, match="at most 7 pixels"):
        make(augmentation=Augmentation(crop=8, padding="reflect"))


@pytest.mark.parametrize(("field", "value"), [("crop", -1), ("padding", "mirror")])
def test_an_augmentation_out_of_range_is_refused(field: str, value: object) -> None:
    with pytest.raises(TaskError, match=field):
        replace(Augmentation(), **{field: value})


def test_an_augmentation_that_does_nothing_is_false() -> None:
    assert not Augmentation()
    assert Augmentation(flip=True)
    assert Augmentation(crop=1)


def test_accuracy_is_the_share_of_right_answers() -> None:
    outputs = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 5.0]])
    assert accuracy(outputs, torch.tensor([0, 1, 1, 1])).item() == 0.75


def test_the_fifth_largest_output_still_counts_among_the_five_largest() -> None:
    outputs = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0, 0.0]]).repeat(6, 1)
    assert top5_accuracy(outputs, torch.arange(6)).item() == pytest.approx(5 / 6)
    assert top5_accuracy(outputs[:2], torch.tensor([4, 5])).item() == 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 5},
        {"eval_batch_size": 7},
        {"init_seed": 0},
        {"augmentation": Augmentation(crop=1)},
        {"augmentation": Augmentation(crop=1, padding="reflect")},
        {"loss": nn.functional.nll_loss},
        {"metrics": {}},
        {"data": data(12)},
    ],
)
def test_the_identity_changes_with_what_changes_training_or_its_records(change: dict[str, Any]) -> None:
    assert make(**change).identity() != make().identity()


def test_the_identity_is_json_and_the_same_for_the_same_task() -> None:
    assert json.dumps(make().identity(), sort_keys=True) == json.dumps(make().identity(), sort_keys=True)
