"""A resumed study must be the one that was started."""

import pytest

from tune_regimes.errors import StudyError
from tune_regimes.search.specification import check_same, versions, with_circumstances

SPEC = {"name": "s", "seeds": [0, 1], "task": {"name": "digits/mlp", "options": {"data": None, "batch_size": 50}}}


def test_the_same_specification_passes_whenever_and_wherever_it_was_written():
    check_same({**with_circumstances(SPEC), "schema_version": 1, "host": "elsewhere"}, SPEC, "folder")


def test_every_difference_is_named_with_both_values():
    asked = {**SPEC, "seeds": [0, 1, 2], "name": "t"}
    with pytest.raises(StudyError) as caught:
        check_same(SPEC, asked, "folder")
    assert "seeds: stored [0, 1], asked [0, 1, 2]" in str(caught.value)
    assert "name: stored 's', asked 't'" in str(caught.value)


def test_moving_the_data_does_not_make_another_study_but_another_option_does():
    moved = {**SPEC, "task": {"name": "digits/mlp", "options": {"data": "/elsewhere", "batch_size": 50}}}
    check_same(SPEC, moved, "folder")
    changed = {**SPEC, "task": {"name": "digits/mlp", "options": {"data": None, "batch_size": 60}}}
    with pytest.raises(StudyError, match="task: stored"):
        check_same(SPEC, changed, "folder")


def test_the_versions_name_what_a_result_depends_on():
    assert {"python", "torch", "ray", "tune-regimes"} <= set(versions())
