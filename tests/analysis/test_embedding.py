"""The coordinates of predictions are their principal components, whatever the way to them."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.embedding import PredictionRows, embed, prediction_rows, principal_components
from analysis.figures.embedding import prediction_paths
from tune_regimes.errors import UsageError


def spectra(trials: int = 3, epochs: int = 4, examples: int = 30, classes: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = []
    for trial in range(trials):
        for epoch in range(1, epochs + 1):
            values = rng.integers(classes, size=examples).astype(float)
            place = {"trial_id": f"{trial:05d}-s0", "epoch": epoch, "step": 10, "name": "predicted_class"}
            parts.append(pd.DataFrame({**place, "index": np.arange(examples), "value": values}))
    return pd.concat(parts, ignore_index=True).sample(frac=1, random_state=0)


@settings(max_examples=30)
@given(st.integers(2, 9), st.integers(1, 12), st.integers(0, 99))
def test_they_are_the_principal_components_of_the_indicators(rows: int, examples: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(-1, 3, size=(rows, examples))
    hot = (labels[:, :, None] == np.arange(3)).reshape(rows, -1).astype(float)
    u, s, _ = np.linalg.svd(hot - hot.mean(axis=0), full_matrices=False)
    found = principal_components(labels)
    for axis in range(min(2, len(s))):
        others = np.abs(np.delete(s, axis) - s[axis])
        if s[axis] > 1e-9 and (not len(others) or others.min() > 1e-6):
            expected = u[:, axis] * s[axis]
            np.testing.assert_allclose(np.abs(found[:, axis] @ expected), s[axis] ** 2, rtol=1e-8)
        np.testing.assert_allclose(np.linalg.norm(found[:, axis]), s[axis], atol=1e-6)


def test_with_as_many_components_as_rows_they_keep_the_disagreements() -> None:
    labels = np.random.default_rng(1).integers(4, size=(5, 20))
    points = principal_components(labels, 5)
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared, 2 * (labels[:, None] != labels[None]).sum(axis=2), atol=1e-9)


def test_rows_are_read_in_the_order_of_runs_epochs_and_examples() -> None:
    table = spectra()
    rows = prediction_rows(table)
    assert rows.classes.shape == (12, 30)
    assert rows.table.to_dict("list")["epoch"] == [1, 2, 3, 4] * 3
    own = table[(table["trial_id"] == "00001-s0") & (table["epoch"] == 3)].sort_values("index")
    assert rows.classes[6].tolist() == own["value"].tolist()


def test_of_several_looks_in_an_epoch_the_last_counts() -> None:
    table = spectra(trials=1, epochs=2)
    early = table.assign(step=5, value=0.0)
    rows = prediction_rows(pd.concat([table, early, table.assign(name="hessian")]))
    np.testing.assert_array_equal(rows.classes, prediction_rows(table).classes)


def test_an_example_without_a_class_agrees_with_nothing() -> None:
    table = spectra(trials=1, epochs=2, examples=3)
    table.loc[table["index"] == 1, "value"] = np.nan
    rows = prediction_rows(table)
    assert (rows.classes[:, 1] == -1).all()
    alone = principal_components(rows.classes[:, [1]])
    assert alone.tolist() == [[0, 0], [0, 0]]


def test_the_embedding_keeps_the_table_beside_its_coordinates() -> None:
    found = embed(prediction_rows(spectra()))
    assert list(found) == ["trial_id", "epoch", "x", "y"]
    assert found[["x", "y"]].mean().to_numpy() == pytest.approx([0, 0], abs=1e-9)
    assert found["x"].std() >= found["y"].std() > 0


@pytest.mark.slow
def test_umap_separates_runs_that_disagree_where_it_is_installed() -> None:
    pytest.importorskip("umap")
    rng = np.random.default_rng(0)
    centres = rng.integers(10, size=(2, 200))
    labels = np.where(rng.random((40, 200)) < 0.1, rng.integers(10, size=(40, 200)), np.repeat(centres, 20, axis=0))
    table = pd.DataFrame({"trial_id": [f"{row:02d}" for row in range(40)], "epoch": 1})
    first, second = (embed(PredictionRows(table, labels), "umap", seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    points = first[["x", "y"]].to_numpy()
    apart = np.linalg.norm(points[:20].mean(axis=0) - points[20:].mean(axis=0))
    assert apart > 3 * max(points[:20].std(axis=0).max(), points[20:].std(axis=0).max())


def test_without_umap_the_line_to_type_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(UsageError, match=r"run: pip install 'tune-regimes\[embedding\]', or take method='pca'"):
        embed(prediction_rows(spectra()), "umap")


def test_what_cannot_be_embedded_is_refused() -> None:
    table = spectra(trials=1, epochs=2)
    with pytest.raises(UsageError, match="run the study with --probe predictions"):
        prediction_rows(table.assign(name="hessian"))
    with pytest.raises(UsageError, match="must predict the same examples, got 29 to 30"):
        prediction_rows(table.drop(index=table.index[(table["index"] == 29) & (table["epoch"] == 1)]))
    with pytest.raises(UsageError, match="pca needs the predictions of 2 epochs or more, got 1"):
        embed(prediction_rows(table[table["epoch"] == 1]))
    with pytest.raises(UsageError, match="umap needs the predictions of 5 epochs or more, got 2"):
        embed(prediction_rows(table), "umap")
    with pytest.raises(UsageError, match="must be one of pca, umap, got 'tsne'"):
        embed(prediction_rows(table), "tsne")


def test_the_figure_has_a_path_for_each_run_and_a_label_for_each_setting() -> None:
    found = embed(prediction_rows(spectra()))
    found["config.lr"] = np.where(found["trial_id"] == "00000-s0", 0.1, 0.01)
    found["train_accuracy"] = np.linspace(0, 1, len(found))
    figure = prediction_paths(found, by="config.lr", color="train_accuracy")
    figure.draw_without_rendering()
    paths, bar = figure.axes
    assert {line.get_gid() for line in paths.lines if line.get_gid()} == set(found["trial_id"])
    assert [text.get_text() for text in paths.get_legend().get_texts()] == ["lr 0.1", "lr 0.01"]
    assert bar.get_ylabel() == "train accuracy"


def test_the_figure_of_nothing_says_so() -> None:
    figure = prediction_paths(pd.DataFrame({"trial_id": [], "epoch": [], "x": [], "y": []}))
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.axes[0].texts] == ["no predictions to draw"]
