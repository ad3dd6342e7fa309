"""Options reach the data, the model and the task."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tune_regimes.errors import DataError
from tune_regimes.tasks import Augmentation, task


def test_digits_need_no_options() -> None:
    built = task("digits/simple_cnn").build()
    assert (len(built.data.train), len(built.data.test), built.batch_size) == (500, 1297, 50)
    assert built.steps_per_epoch == 10
    assert built.augmentation == Augmentation()


def test_the_same_specification_shares_its_data() -> None:
    assert task("digits/mlp", width=2).build().data is task("digits/mlp", dropout=0.1).build().data


def test_other_sizes_and_seeds_draw_other_data() -> None:
    kinds = [{}, {"split_seed": 1}, {"train_size": 400}, {"test_size": 400}, {"normalize": True}]
    digests = {task("digits/mlp", **kind).build().data.digest for kind in kinds}
    assert len(digests) == len(kinds)


def test_augmentation_follows_the_data_set_unless_asked_otherwise(pack: Path) -> None:
    small = {"data": pack, "batch_size": 10}
    assert task("cifar10/mlp", **small).build().augmentation == Augmentation(flip=True, crop=4)
    assert task("cifar10/mlp", augment=False, **small).build().augmentation == Augmentation()
    reflect = task("digits/mlp", augment=True, padding="reflect").build().augmentation
    assert reflect == Augmentation(flip=False, crop=1, padding="reflect")


def test_images_are_normalised_unless_the_model_wants_them_in_zero_to_one() -> None:
    assert task("digits/simple_cnn").build().data.mean == (0.3053,)
    assert task("digits/mlp").build().data.mean is None


def test_width_and_dropout_reach_the_model() -> None:
    model = task("digits/simple_cnn", width=0.25, dropout=0.3).build().model()
    assert [m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)] == [8, 8, 16, 16]
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.3]


def test_the_initialisation_reaches_the_model_and_the_identity() -> None:
    spec = task("digits/simple_cnn", width=0.25, init="ntk", init_scale=3)
    weights = [m.weight for m in spec.build().model().modules() if isinstance(m, nn.Conv2d)]
    assert weights[2].std().item() == pytest.approx(3, rel=0.1)
    kinds = [{}, {"init": "ntk"}, {"init": "kaiming"}, {"init": "kaiming", "init_scale": 3}, {"init_scale": 3}]
    assert len({task("digits/simple_cnn", **kind) for kind in kinds}) == len(kinds)


def test_the_seed_of_the_initial_weights_reaches_the_task_and_the_identity() -> None:
    plain, seeded = (task("digits/mlp", **option).build() for option in ({}, {"init_seed": 3}))
    assert (plain.init_seed, seeded.init_seed) == (None, 3)
    assert "init_seed" not in plain.identity()
    kinds = [{}, {"init_seed": 0}, {"init_seed": 3}]
    assert len({str(task("digits/mlp", **kind).build().identity()) for kind in kinds}) == len(kinds)


def test_a_full_batch_takes_every_row_in_one_step(pack: Path) -> None:
    built = task("cifar10/mlp", data=pack, batch_size="full").build()
    assert (built.batch_size, built.steps_per_epoch) == (30, 1)
    assert built.spec is not None
    assert built.spec.options["batch_size"] == 30
    assert built.identity() == task("cifar10/mlp", data=pack, batch_size=30).build().identity()


def test_a_full_batch_of_a_drawn_split_takes_what_was_drawn() -> None:
    built = task("digits/mlp_si", batch_size="full", train_size=90).build()
    assert (built.batch_size, built.steps_per_epoch, len(built.data.train)) == (90, 1, 90)


def test_the_classes_of_the_data_set_are_the_outputs_of_the_model() -> None:
    built = task("digits/resnet20").build()
    assert built.model().eval()(torch.zeros(2, 1, 8, 8)).shape == (2, built.data.num_classes)


def test_a_data_set_that_lies_in_a_folder_must_be_told_where() -> None:
    with pytest.raises(DataError, match="cifar10 needs data=<folder>"):
        task("cifar10/mlp").build()
