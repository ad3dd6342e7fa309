"""Specifications: named, registered, carried to another process, built there."""

import importlib
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from tune_regimes import tasks
from tune_regimes.errors import TaskError
from tune_regimes.tasks import Task, TaskSpec, register_task, task
from tune_regimes.tasks import spec as spec_module

MODULE = """
from torch import nn
import tune_regimes as tr

@tr.register_task("elsewhere")
def elsewhere(width=1):
    return tr.Task(lambda: nn.Flatten(), tr.task("digits/mlp").build().data)
"""


@pytest.fixture(autouse=True)
def only_built_in_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec_module, "_registered", {})


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module, importable during the test, that registers the task "elsewhere"."""
    (tmp_path / "their_tasks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("their_tasks")
    yield "their_tasks"
    sys.modules.pop("their_tasks", None)


def tiny(width: int = 1) -> Task:
    return Task(lambda: nn.Linear(width, 2), task("digits/mlp").build().data)


def in_a_fresh_process(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_naming_listing_and_checking_tasks_loads_no_torch(pack: Path) -> None:
    code = f"""
import sys, tune_regimes as tr
from tune_regimes import tasks
spec = tr.task("cifar10/vgg13_bn", data={str(pack)!r})
tr.TaskSpec.from_dict(spec.to_dict()), hash(spec), tasks.names(), tasks.check_data(spec)
print("torch" in sys.modules, "ray" in sys.modules)
"""
    assert in_a_fresh_process(code) == "False False"


def test_a_specification_survives_json_and_pickle() -> None:
    spec = task("digits/simple_cnn", width=0.5)
    assert TaskSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize("given", [{}, {"width": 0.5, "augment": True}, {"batch_size": 20, "data": "/data"}])
def test_the_changed_options_are_those_that_make_the_specification_again(given: dict[str, Any]) -> None:
    spec = task("digits/mlp", **given, train_size=500)
    assert spec.changed() == given
    assert task("digits/mlp", **spec.changed()) == spec


def test_all_options_of_a_registered_task_are_given() -> None:
    register_task("given")(lambda points=3: None)
    assert task("given").changed() == {}
    assert task("given", points=3).changed() == {"points": 3}


def test_equal_specifications_have_equal_hashes() -> None:
    assert len({task("digits/mlp"), task("digits/mlp", width=1), task("digits/mlp", width=2)}) == 2


def test_a_specification_cannot_be_changed_from_outside() -> None:
    given = {"layers": [1, 2]}
    spec = TaskSpec("own", given, tiny)
    given["layers"].append(3)
    assert spec.options["layers"] == [1, 2]
    with pytest.raises(TypeError):
        spec.options["layers"] = []  # type: ignore[index]


def test_the_identity_leaves_out_where_the_data_lie() -> None:
    here, there = (task("cifar10/vgg13_bn", data=folder) for folder in ("/here", "/there"))
    assert here.identity() == there.identity()
    assert here.identity() != task("cifar10/vgg13_bn", width=2).identity()


def test_unknown_tasks_are_refused_with_the_choices() -> None:
    register_task("mine")(tiny)
    with pytest.raises(TaskError, match=r"unknown task 'your'; choices: <data set>/<model> .* registered task: mine"):
        task("your")


def test_a_registered_task_is_named_listed_and_built() -> None:
    register_task("mine")(tiny)
    assert "mine" in tasks.names()
    built = task("mine", width=2).build()
    assert built.model().in_features == 2
    assert built.spec == task("mine", width=2)


def test_a_registered_function_stays_what_it_was() -> None:
    assert register_task("mine")(tiny) is tiny


def test_options_that_the_factory_does_not_take_are_refused_at_once() -> None:
    register_task("mine")(tiny)
    with pytest.raises(TaskError, match=r"takes the options \(width: int = 1\).*depth"):
        task("mine", depth=2)


def test_options_that_json_cannot_hold_are_refused_at_once() -> None:
    register_task("mine")(tiny)
    for value in (object(), float("nan")):
        with pytest.raises(TaskError, match="options of task 'mine' must be JSON"):
            task("mine", width=value)


def test_a_name_is_given_once() -> None:
    register_task("mine")(tiny)
    register_task("mine")(tiny)
    with pytest.raises(TaskError, match="'mine' is taken"):
        register_task("mine")(lambda: tiny())
    with pytest.raises(TaskError, match="'digits/mlp' is taken"):
        register_task("digits/mlp")(tiny)


def test_a_factory_must_return_a_task() -> None:
    register_task("mine")(lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(TaskError, match="must return a Task, got NoneType"):
        task("mine").build()


def test_a_factory_in_a_module_is_carried_by_name(elsewhere: str) -> None:
    spec = task("elsewhere")
    assert spec.factory == f"{elsewhere}:elsewhere"
    assert pickle.loads(pickle.dumps(spec)).build().steps_per_epoch == 3


def test_a_factory_in_a_module_comes_back_from_json_without_having_been_imported(elsewhere: str) -> None:
    values = json.loads(json.dumps(task("elsewhere", width=2).to_dict()))
    spec_module._registered.clear()
    assert TaskSpec.from_dict(values).build().spec.options == {"width": 2}


def test_a_module_that_is_missing_on_a_worker_is_named_with_the_remedy(elsewhere: str, tmp_path: Path) -> None:
    spec = task("elsewhere")
    sys.modules.pop(elsewhere)
    (tmp_path / "their_tasks.py").unlink()
    importlib.invalidate_caches()
    with pytest.raises(TaskError, match=r"'their_tasks', which cannot be imported on .*No module named.*runtime_env"):
        spec.build()


def test_a_function_that_has_left_its_module_is_named(elsewhere: str) -> None:
    spec = task("elsewhere")
    del sys.modules[elsewhere].elsewhere
    with pytest.raises(TaskError, match="has no attribute 'elsewhere'"):
        spec.build()


def test_a_local_function_is_carried_itself() -> None:
    cloudpickle = pytest.importorskip("ray.cloudpickle")
    register_task("local")(lambda width=3: tiny(width))
    spec = task("local")
    assert callable(spec.factory)
    copied = cloudpickle.loads(cloudpickle.dumps(spec))
    assert copied.build().model().in_features == 3
    assert copied.to_dict() == spec.to_dict()


def test_a_local_function_comes_back_from_json_only_where_it_is_registered() -> None:
    register_task("local")(lambda: tiny())
    values = task("local").to_dict()
    assert TaskSpec.from_dict(values) == task("local")
    spec_module._registered.clear()
    with pytest.raises(TaskError, match=r"'local' was defined in .*; run the script or notebook that registers it"):
        TaskSpec.from_dict(values)


def test_the_data_of_a_registered_task_are_not_checked() -> None:
    register_task("mine")(tiny)
    assert tasks.check_data(task("mine")) == ["task mine brings its own data, which is not checked"]


def test_the_front_of_the_floor_gives_its_names_and_no_others() -> None:
    assert all(getattr(tasks, name) is not None for name in tasks.__all__)
    assert set(dir(tasks)) == set(tasks.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Tusk'"):
        _ = tasks.Tusk  # type: ignore[attr-defined]
