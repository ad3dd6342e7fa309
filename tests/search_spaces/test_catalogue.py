import re
import subprocess
import sys

import pytest

from search_spaces import OPTIONS, Scale, find_study, studies
from tune_regimes.errors import StudyError, TaskError

SCALE = Scale("for tests", "digits/mlp", epochs=4, samples=1, seeds=2, task_options={"train_size": 100})


@pytest.mark.parametrize("entry", studies(), ids=lambda entry: entry.name)
def test_every_study_says_what_it_is_for(entry) -> None:
    assert entry.summary
    assert entry.figures
    assert all(re.fullmatch(r"P[0-4]-\d\d[a-z]?", claim) for claim in entry.claims)
    assert list(entry.scales) == ["smoke", "replica", "paper"]
    assert entry.default_scale == "smoke"
    assert all(scale.summary for scale in entry.scales.values())


def test_names_are_unique() -> None:
    names = [entry.name for entry in studies()]
    assert len(set(names)) == len(names)


def test_an_unknown_study_is_refused_with_the_choices() -> None:
    with pytest.raises(StudyError, match=r"two_regimes.transition_epoch, two_regimes.lr_momentum.*; got 'momentum'"):
        find_study("momentum")


def test_an_unknown_scale_is_refused_with_the_choices() -> None:
    with pytest.raises(StudyError, match="smoke, replica, paper; got 'huge': choose one"):
        find_study("two_regimes.lr_momentum")("huge")


def test_an_unknown_option_is_refused_with_the_choices() -> None:
    with pytest.raises(StudyError, match=r"data, model, augment, epochs, samples, seeds; got lr: leave it out"):
        find_study("two_regimes.lr_momentum")("smoke", lr=0.1)


def test_an_unknown_model_is_refused_with_the_choices() -> None:
    with pytest.raises(TaskError, match="unknown model 'vgg'"):
        find_study("two_regimes.lr_momentum")("smoke", model="vgg")


def test_every_option_changes_the_scale() -> None:
    given = {"data": "/pack", "model": "mlp", "augment": True, "epochs": 9, "samples": 5, "seeds": [1, 2]}
    assert set(given) == set(OPTIONS)
    changed = SCALE.with_options(**given)
    assert (changed.epochs, changed.samples, changed.seeds) == (9, 5, [1, 2])
    assert changed.task_options == {"train_size": 100, "data": "/pack", "augment": True}


def test_a_model_may_bring_its_data_set() -> None:
    assert SCALE.with_options(model="simple_cnn").task == "digits/simple_cnn"
    assert SCALE.with_options(model="mnist/simple_cnn").task == "mnist/simple_cnn"


def test_what_is_not_given_stays_as_the_scale_has_it() -> None:
    assert SCALE.with_options(**dict.fromkeys(OPTIONS)) == SCALE


def test_listing_studies_loads_neither_torch_nor_ray() -> None:
    code = "import sys, search_spaces; search_spaces.studies(); print({'ray', 'torch', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
