"""Splits and data are checked when they are made."""

import pytest
import torch

from tune_regimes.errors import DataError
from tune_regimes.tasks import Data, Split


def images(rows: int = 4, channels: int = 1, size: int = 8) -> Split:
    return Split(torch.zeros(rows, size, size, channels, dtype=torch.uint8), torch.arange(rows) % 3)


def test_images_and_float_vectors_are_accepted() -> None:
    assert Data(images(), images(2), 3).is_image
    vectors = Split(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]))
    assert not Data(vectors, vectors, 2).is_image


@pytest.mark.parametrize(
    "inputs",
    [
        torch.zeros(4, 8, 8, dtype=torch.uint8),
        torch.zeros(4, 2, dtype=torch.float64),
        torch.zeros(4, dtype=torch.float32),
        torch.zeros(4, 3, dtype=torch.int64),
    ],
)
def test_other_types_and_shapes_of_inputs_are_refused(inputs: torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"inputs must be images, uint8 .*, or float32"):
        Split(inputs, torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize("targets", [torch.zeros(4), torch.zeros(4, 1, dtype=torch.int64), torch.zeros(4).int()])
def test_targets_other_than_int64_class_numbers_are_refused(targets: torch.Tensor) -> None:
    with pytest.raises(DataError, match="targets must be int64"):
        Split(torch.zeros(4, 2), targets)


def test_every_input_needs_a_target() -> None:
    with pytest.raises(DataError, match="got 4 inputs and 3 targets"):
        Split(torch.zeros(4, 2), torch.zeros(3, dtype=torch.int64))


def test_a_split_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="at least one row"):
        Split(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))


def test_a_row_that_is_not_finite_is_named() -> None:
    inputs = torch.zeros(4, 2)
    inputs[2, 1] = torch.nan
    with pytest.raises(DataError, match="row 2 is not"):
        Split(inputs, torch.zeros(4, dtype=torch.int64))


def test_a_target_out_of_range_is_named_with_its_split_and_row() -> None:
    with pytest.raises(DataError, match=r"0\.\.1 for 2 classes, test row 2 has 2"):
        Data(images(2), images(4), num_classes=2)


def test_train_and_test_must_agree_in_shape() -> None:
    with pytest.raises(DataError, match="must agree"):
        Data(images(size=8), images(size=9), 3)


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,), None), (None, (0.5,)), ((0.5, 0.5), (1.0, 1.0)), ((0.5,), (0.0,)), ((0.5,), (1.0, 1.0))]
)
def test_mean_and_std_must_fit_the_channels(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="mean and std"):
        Data(images(), images(), 3, mean, std)


def test_float_inputs_take_no_mean_and_std() -> None:
    vectors = Split(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(DataError, match="for uint8 images"):
        Data(vectors, vectors, 1, (0.0, 0.0), (1.0, 1.0))


def test_the_digest_depends_on_every_array_and_on_the_normalisation_only() -> None:
    def data(change: str = "") -> Data:
        train, test = images(), images(2)
        if change == "pixel":
            test.inputs[1, 0, 0, 0] = 1
        if change == "target":
            train.targets[0] = 1
        mean = (0.6,) if change == "mean" else (0.5,)
        return Data(train, test, 4 if change == "classes" else 3, mean, (0.5,))

    assert data().digest == data().digest
    changed = {data(change).digest for change in ("", "pixel", "target", "mean", "classes")}
    assert len(changed) == 5


def test_the_digest_tells_how_the_same_bytes_are_shaped() -> None:
    def data(*shape: int) -> Data:
        split = Split(torch.zeros(*shape), torch.zeros(4, dtype=torch.int64))
        return Data(split, split, 2)

    assert data(4, 2, 3).digest != data(4, 3, 2).digest
