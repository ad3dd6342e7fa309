"""Names and options of the built-in tasks are checked without torch."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tune_regimes.errors import TaskError
from tune_regimes.tasks import models
from tune_regimes.tasks.options import Options
from tune_regimes.tasks.registry import DATASETS, MODELS, resolve, split_name


def test_the_models_that_are_named_are_those_that_can_be_built() -> None:
    assert set(MODELS) == set(models.BUILDERS)


def test_every_option_has_a_default_and_all_but_the_network_s_own_start_are_resolved() -> None:
    known = {field.name for field in fields(Options)}
    assert set(resolve("digits/mlp", {})) == known - {"init", "init_scale", "init_seed"}
    assert set(resolve("digits/mlp", {"init": "ntk", "init_scale": 2, "init_seed": 0})) == known


def test_the_network_s_own_start_said_or_not_is_one_task() -> None:
    assert resolve("digits/mlp", {"init": "default", "init_scale": 1, "init_seed": None}) == resolve("digits/mlp", {})


def test_the_models_that_say_so_in_their_names_are_scale_invariant() -> None:
    assert {name for name, info in MODELS.items() if info.scale_invariant} == {n for n in MODELS if n.endswith("_si")}


def test_a_full_batch_is_the_training_split_where_its_size_is_told() -> None:
    assert resolve("digits/mlp", {"batch_size": "full"})["batch_size"] == 500
    assert resolve("digits/mlp", {"batch_size": "full", "train_size": 90}) == resolve(
        "digits/mlp", {"batch_size": 90, "train_size": 90}
    )
    assert resolve("cifar10/mlp", {"batch_size": "full"})["batch_size"] == "full"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("digit/mlp", r"unknown data set 'digit' .*did you mean 'digits'\?.*choices: digits, mnist"),
        ("digits/cnn", r"unknown model 'cnn' in 'digits/cnn'.*choices: mlp, simple_cnn"),
        ("digits/", "unknown model ''"),
        ("digits/vgg13_bn", "at least 32 pixels, those of digits have 8; models that fit: mlp, simple_cnn"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_the_choices(name: str, said: str) -> None:
    with pytest.raises(TaskError, match=said):
        split_name(name)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("batch_size", True),
        ("batch_size", "all"),
        ("train_size", 0),
        ("test_size", -3),
        ("split_seed", -1),
        ("split_seed", "a"),
        ("width", 0),
        ("width", float("nan")),
        ("width", "2"),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("padding", "zeros"),
        ("init", "xavier"),
        ("init", 3),
        ("init_scale", 0),
        ("init_scale", -1.0),
        ("init_scale", float("inf")),
        ("init_scale", "2"),
        ("init_seed", -1),
        ("init_seed", 1.0),
        ("init_seed", True),
        ("init_seed", "0"),
        ("augment", "yes"),
        ("normalize", 1),
        ("download", "yes"),
        ("data", 3),
        ("data", ""),
    ],
)
def test_an_option_out_of_range_is_refused_with_its_name(option: str, value: Any) -> None:
    with pytest.raises(TaskError, match=f"{option} must be"):
        resolve("digits/mlp", {option: value})


def test_an_unknown_option_is_refused_with_the_choices() -> None:
    with pytest.raises(TaskError, match=r"unknown option 'batchsize'.*did you mean 'batch_size'\?.*choices: data,"):
        resolve("digits/mlp", {"batchsize": 3})


def test_a_training_split_smaller_than_a_batch_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(TaskError, match="got 40 rows for batches of 50"):
        resolve("digits/mlp", {"train_size": 40})


def test_none_asks_for_the_default() -> None:
    assert resolve("digits/mlp", {"batch_size": None}) == resolve("digits/mlp", {})


def test_two_spellings_of_an_option_resolve_to_one() -> None:
    assert resolve("digits/mlp", {"width": 1, "dropout": 0}) == resolve("digits/mlp", {})


def test_a_folder_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert resolve("mnist/mlp", {"data": "here"})["data"] == str(tmp_path / "here")
    assert resolve("mnist/mlp", {"data": Path("~/there")})["data"] == str(tmp_path / "home" / "there")


def test_a_mirrored_digit_is_no_digit() -> None:
    assert [name for name, info in DATASETS.items() if not info.flip] == ["digits", "mnist"]


def test_the_mlp_sees_its_inputs_in_zero_to_one_as_the_paper_says() -> None:
    assert resolve("fashion_mnist/mlp", {})["normalize"] is False
    assert resolve("fashion_mnist/simple_cnn", {})["normalize"] is True
    assert resolve("fashion_mnist/mlp", {"normalize": True})["normalize"] is True
