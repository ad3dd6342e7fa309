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
    with pytest.raises(StudyError, match=r"task\.options\.batch_size: stored 50, asked 60"):
        check_same(SPEC, changed, "folder")


def test_the_versions_name_what_a_result_depends_on():
    assert {"python", "torch", "ray", "tune-regimes"} <= set(versions())


def test_the_command_that_asks_for_a_study_does_not_make_another_study():
    check_same({**SPEC, "origin": {"study": "a", "options": {"seeds": 2}}}, {**SPEC, "origin": None}, "folder")


def test_a_schedule_that_differs_is_told_by_the_field_that_does():
    def example(lr):
        return {**SPEC, "example": {"schedule": {"phases": [{"lr": 0.9, "epochs": 1}, {"lr": lr, "epochs": 2}]}}}

    with pytest.raises(StudyError, match=r"folder differs in example.schedule.phases\[1\].lr: stored 0.1, asked 0.2\."):
        check_same(example(0.1), example(0.2), "folder")
