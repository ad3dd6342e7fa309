"""Stratified draws: balanced, nested, and the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.arrays import check_classes, check_labels, draw, stratified

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(lambda values: np.array(values, dtype=np.int64))


@settings(deadline=None)
@given(LABELS, st.data(), st.integers(0, 2**32))
def test_a_draw_has_the_size_asked_for_and_no_row_twice(labels: np.ndarray, data: st.DataObject, seed: int) -> None:
    size = data.draw(st.integers(1, len(labels)))
    rows = stratified(labels, size, seed)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert len(rows) == size


@settings(deadline=None)
@given(LABELS, st.data(), st.integers(0, 9))
def test_a_smaller_draw_is_part_of_a_larger_one(labels: np.ndarray, data: st.DataObject, seed: int) -> None:
    small, large = sorted(data.draw(st.tuples(*[st.integers(1, len(labels))] * 2)))
    assert set(stratified(labels, small, seed)) <= set(stratified(labels, large, seed))


@settings(deadline=None)
@given(LABELS, st.data(), st.integers(0, 9))
def test_every_class_gets_its_share_up_to_a_row(labels: np.ndarray, data: st.DataObject, seed: int) -> None:
    size = data.draw(st.integers(1, len(labels)))
    drawn = labels[stratified(labels, size, seed)]
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        exact = count * size / len(labels)
        assert abs(int((drawn == label).sum()) - exact) <= len(np.unique(labels)) / 2


def test_balanced_classes_stay_balanced() -> None:
    labels = np.tile(np.arange(10), 100)
    assert np.bincount(labels[stratified(labels, 200, 0)]).tolist() == [20] * 10


def test_another_seed_draws_other_rows() -> None:
    labels = np.zeros(100, dtype=np.int64)
    assert stratified(labels, 10, 0).tolist() == stratified(labels, 10, 0).tolist()
    assert stratified(labels, 10, 0).tolist() != stratified(labels, 10, 1).tolist()


def test_no_size_draws_all_rows_in_order() -> None:
    assert draw(np.array([3, 1, 2]), None, 0, "split").tolist() == [0, 1, 2]


def test_more_rows_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(DataError, match="split train holds 3 images, 4 were asked for"):
        draw(np.array([0, 1, 2]), 4, 0, "split train")


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_named(label: int) -> None:
    with pytest.raises(DataError, match=rf"labels must lie in 0\.\.2, got {label} in row 1 of x"):
        check_labels(np.array([0, label, label]), 3, lambda row: f"row {row} of x")


def test_a_split_without_one_of_the_classes_is_refused() -> None:
    with pytest.raises(DataError, match="must hold all 3 classes, got 2"):
        check_classes(np.array([0, 2, 2]), 3, "split train")
