"""The regimes of a small task are located in this process: what is trained, what is shared, and what is refused."""

import math
import tempfile

import pandas as pd
import pytest
import torch
from torch import nn

import tune_regimes as tr
from tune_regimes.errors import DataError, StudyError, TaskError
from tune_regimes.results import Results

TASK = tr.task("digits/mlp", train_size=100, test_size=50, batch_size=20)
SHORT = {"momenta": [0.9], "epochs": 3, "seeds": 1, "lowest": 0.01, "highest": 1000.0, "resolution": 3.0}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The regimes of a small task, and the folder of their runs."""
    folder = tmp_path_factory.mktemp("located")
    return tr.locate(TASK, output=folder, **{**SHORT, "momenta": [0.9, 0.0], "seeds": 2}), folder


def spirals(noise=False, scale=1.0):
    """Two classes in the plane, or labels that say nothing; ``scale`` multiplies the inputs."""

    def split(seed):
        generator = torch.Generator().manual_seed(seed)
        inputs = torch.randn(80, 2, generator=generator)
        labels = torch.randint(2, (80,), generator=generator) if noise else (inputs[:, 0] > 0).long()
        return tr.Split(inputs * scale, labels)

    def model():
        return nn.Linear(2, 2)

    return tr.Task(model, tr.Data(split(0), split(1), num_classes=2), batch_size=20)


@pytest.fixture
def own_task(monkeypatch):
    from tune_regimes.tasks import spec

    monkeypatch.setattr(spec, "_registered", {})
    tr.register_task("half_planes")(spirals)
    return lambda **options: tr.task("half_planes", **options)


def test_each_momentum_has_its_own_regimes_and_the_small_steps_are_below_the_large_ones(found):
    regimes, _ = found
    table = regimes.table
    assert table["momentum"].tolist() == [0.0, 0.9]
    assert (table["small_lr"] <= table["large_lr"]).all()
    assert (table["large_lr"] < table["diverging_lr"]).all()
    assert (table["diverging_lr"] / table["large_lr"] <= 3.2).all()


def test_the_warm_up_is_trained_once_for_each_seed(found):
    regimes, _ = found
    first = regimes.epochs[regimes.epochs["epoch"] == 1]
    trained = first[~first["inherited"]]
    assert sorted(trained["trial_id"]) == ["00000-s0", "00000-s1"]
    assert len(first) == len(regimes.trials) > 10
    assert first.groupby(first["trial_id"].str[-2:])["train_loss"].nunique().tolist() == [1, 1]


def test_the_runs_lie_in_a_folder_that_reads_as_a_study(found):
    regimes, folder = found
    stored = Results.load(folder)
    assert stored.trials["trial_id"].tolist() == regimes.trials["trial_id"].tolist()
    assert stored.trials["final_train_loss"].equals(regimes.trials["final_train_loss"])
    assert not list(folder.glob("states/*/*.pin"))


def test_the_same_call_again_reads_what_is_stored(found, monkeypatch):
    regimes, folder = found
    monkeypatch.setattr(tr.Trajectory, "advance", None)
    again = tr.locate(TASK, output=folder, **{**SHORT, "momenta": [0.9, 0.0], "seeds": 2})
    pd.testing.assert_frame_equal(again.table, regimes.table)


def test_another_call_in_the_same_folder_is_refused(found):
    _, folder = found
    with pytest.raises(StudyError, match=r"differs in .*epochs: stored 3, asked 4"):
        tr.locate(TASK, output=folder, **{**SHORT, "momenta": [0.9, 0.0], "seeds": 2, "epochs": 4})


def test_a_search_that_was_cut_off_goes_on(tmp_path, found):
    seen = []

    def stop_at_third(run):
        seen.append(run)
        if len(seen) == 3:
            raise KeyboardInterrupt

    options = {**SHORT, "momenta": [0.0, 0.9], "seeds": 2, "output": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        tr.locate(TASK, on_point=stop_at_third, **options)
    assert not list(tmp_path.glob("states/*/*.pin"))
    pd.testing.assert_frame_equal(tr.locate(TASK, **options).table, found[0].table)


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    regimes = tr.locate(TASK, **{**SHORT, "highest": 1.0})
    assert len(regimes.trials) >= 3
    assert list(tmp_path.iterdir()) == []


def test_a_search_without_warm_up_begins_at_the_step_size_itself():
    regimes = tr.locate(TASK, **{**SHORT, "highest": 1.0, "warm_up": 0})
    assert regimes.epochs.groupby("trial_id")["epoch"].max().unique().tolist() == [3]
    assert not regimes.epochs["inherited"].any()


def test_every_point_is_told_when_it_is_done():
    seen = []
    regimes = tr.locate(TASK, on_point=seen.append, **{**SHORT, "highest": 1.0})
    assert [run["step_size"] for run in seen] == pytest.approx(regimes.runs["step_size"].tolist())


def test_a_task_of_ones_own_without_divergence_says_so_by_the_end_of_the_range(own_task):
    regimes = tr.locate(own_task(), **{**SHORT, "highest": 1.0})
    assert math.isnan(regimes.table.loc[0, "diverging_lr"])
    assert regimes.table.loc[0, "large_step_size"] == pytest.approx(1.0)


def test_labels_that_say_nothing_are_no_task_with_regimes(own_task):
    with pytest.raises(StudyError, match=r"below 90% of its first value.* none of 4 step sizes from 0.0001 to 0.00316"):
        tr.locate(own_task(noise=True), **{**SHORT, "lowest": 1e-4, "highest": 4e-3})


def test_a_task_on_which_the_lowest_step_size_diverges_says_what_to_lower(own_task):
    with pytest.raises(StudyError, match=r"seed 0 did in epoch 1: lower the range \(lowest\)"):
        tr.locate(own_task(scale=1e30), **SHORT)
    with pytest.raises(StudyError, match=r"range 0.01 to 1000 does within 3 epochs.*lower the range \(lowest\)"):
        tr.locate(own_task(scale=1e30), **{**SHORT, "warm_up": 0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 1}, "epochs must be at least 2.*got 1: give more"),
        ({"epochs": True}, "epochs must be at least 2"),
        ({"momenta": [0.0, 1.0]}, r"momenta must be distinct numbers in \[0, 1\).*got \[0.0, 1.0\]"),
        ({"momenta": [-0.1]}, r"\[0, 1\)"),
        ({"momenta": [0.9, 0.9]}, "distinct"),
        ({"momenta": []}, "at least one"),
        ({"seeds": []}, "seeds must be distinct and at least one"),
        ({"seeds": 0}, "seeds must be a whole number of at least 1; got 0"),
        ({"warm_up": -1}, "warm_up must be a whole number"),
        ({"lowest": 200.0}, "the lowest first; got 200 to 100"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_trained(options, message, tmp_path):
    with pytest.raises(StudyError, match=message):
        tr.locate(TASK, output=tmp_path / "there", **options)
    assert not (tmp_path / "there").exists()


def test_data_that_are_missing_are_named_before_anything_is_written(tmp_path):
    with pytest.raises(DataError):
        tr.locate(tr.task("cifar10/mlp", data=str(tmp_path / "none")), output=tmp_path / "there")
    assert not (tmp_path / "there").exists()
    with pytest.raises(TaskError, match="unknown model"):
        tr.locate(tr.task("digits/mlq"))
