"""From a name on the command line to a study, and back to it from what the study stored."""

import json
import sys

import pytest

from tune_regimes.cli.sources import build, rebuild
from tune_regimes.errors import StudyError, TaskError

MODULE = """
from ray import tune
import tune_regimes as tr

def schedule(config):
    return tr.Schedule((tr.Phase(lr=config["lr"], epochs=2),))

def make(*, seeds=1, task="digits/mlp", **more):
    space = {"lr": tune.loguniform(1e-3, 1.0)}
    return tr.Study(name="mine", task=tr.task(task), schedule=schedule, space=space, samples=3, seeds=seeds, **more)

study = make()

def scaled(scale="small", epochs=5, model=None):
    return make(seeds={"small": 1, "large": 3}[scale])

def needs(data):
    return make()

def takes_all(**options):
    return make(seeds=options.get("seeds", 1))

def with_origin():
    return make(origin={"study": "elsewhere", "options": {}})

def no_study():
    return 7

number = 7
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_module.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    yield "my_module"
    sys.modules.pop("my_module", None)


def stored(study):
    """What the study's ``study.json`` gives back."""
    return json.loads(json.dumps(study.spec()))


def test_a_study_of_the_catalogue_takes_its_options(tmp_path):
    study = build(
        "two_regimes.lr_momentum", "smoke", {"samples": 2, "seeds": [3, 4], "epochs": 5, "model": "simple_cnn"}
    )
    assert (study.samples, study.seeds, study.task.name) == (2, [3, 4], "digits/simple_cnn")
    assert set(study.lengths) == {5}


def test_a_study_of_the_catalogue_is_built_again_from_what_it_stored():
    options = {"seeds": 2, "epochs": 5, "name": "mine", "scheduler": "asha", "searcher": "random"}
    study = build("two_regimes.transition_epoch", None, options)
    again = rebuild(stored(study), "folder", {})
    assert (study.name, study.scheduler) == ("mine", "asha")
    assert again.spec() == study.spec()


def test_a_study_in_a_module_of_the_working_directory_is_found(module):
    study = build(f"{module}:study", None, {})
    assert (study.name, study.trials) == ("mine", 3)
    assert study.origin == {"study": "my_module:study", "scale": None, "options": {}}


def test_a_study_in_a_module_takes_the_options_that_every_study_takes(module):
    study = build(f"{module}:study", None, {"samples": 5, "seeds": 2, "name": "other", "searcher": "optuna"})
    assert (study.name, study.trials, study.searcher) == ("other", 10, "optuna")
    assert rebuild(stored(study), "folder", {}).spec() == study.spec()


def test_a_function_is_called_with_what_it_takes_and_the_rest_changes_its_study(module):
    study = build(f"{module}:scaled", "large", {"epochs": 7, "samples": 2})
    assert (study.seeds, study.samples) == ([0, 1, 2], 2)
    assert study.origin == {
        "study": "my_module:scaled",
        "scale": "large",
        "options": {"epochs": 7},
        "changes": {"samples": 2},
    }
    assert rebuild(stored(study), "folder", {}).spec() == study.spec()


def test_a_function_with_keywords_takes_everything(module):
    assert build(f"{module}:takes_all", "any", {"seeds": 4, "model": "m"}).origin["options"] == {
        "seeds": 4,
        "model": "m",
    }


def test_an_origin_that_a_function_gives_its_study_stays(module):
    assert build(f"{module}:with_origin", None, {}).origin == {"study": "elsewhere", "options": {}}


def test_data_that_have_moved_replace_those_that_were_stored():
    study = build("two_regimes.transition_epoch", "replica", {"data": "/old"})
    assert study.task.options["data"] == "/old"
    assert rebuild(stored(study), "folder", {"data": "/new"}).task.options["data"] == "/new"


def test_a_study_started_by_a_script_is_resumed_by_the_script():
    with pytest.raises(StudyError, match=r"studies/mine was started by a script: run the script again"):
        rebuild({"name": "mine", "origin": None}, "studies/mine", {})


@pytest.mark.parametrize(
    ("source", "scale", "options", "message"),
    [
        ("nothing", None, {}, "the studies are two_regimes.transition_epoch, "),
        (
            "two_regimes.lr_momentum",
            "huge",
            {},
            "scales of two_regimes.lr_momentum are smoke, replica, paper; got 'huge'",
        ),
        ("two_regimes.lr_momentum", None, {"scheduler": "pbt"}, "fifo, asha, regime_asha, hyperband"),
        ("two_regimes.lr_momentum", None, {"name": "a/b"}, "a study's name must be"),
        ("no_such_module:study", None, {}, "importing 'no_such_module' failed: ModuleNotFoundError"),
        ("my_module:nothing", None, {}, "has no 'nothing'; it has .*study"),
        ("my_module:", None, {}, "has no ''"),
        ("my_module:number", None, {}, "must be a Study, or a function that returns one; got int"),
        ("my_module:no_study", None, {}, "must be a Study, or a function that returns one; got int"),
        ("my_module:study", "smoke", {}, "takes --name, --samples, --seeds, --scheduler, .*, --probe; got --scale"),
        ("my_module:scaled", None, {"data": "/d"}, "takes --epochs, --model, --scale, --name, .*; got --data"),
        ("my_module:needs", None, {}, "needs --data; got nothing"),
    ],
)
def test_what_cannot_be_a_study_is_refused_with_the_choices(module, source, scale, options, message):
    with pytest.raises(StudyError, match=message):
        build(source, scale, options)


def test_an_unknown_model_is_refused_with_the_choices():
    with pytest.raises(TaskError, match="unknown model 'vgg12'"):
        build("two_regimes.lr_momentum", None, {"model": "vgg12"})


def test_a_module_with_a_mistake_in_it_is_named_with_the_line(tmp_path, module):
    (tmp_path / "broken.py").write_text("import math\nmath.nothing\n")
    with pytest.raises(StudyError, match=r"AttributeError: .*'nothing' \(.*broken\.py, line 2\)"):
        build("broken:study", None, {})
