"""The user's own spelling of a study's folder is kept."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.cli.locations import located, parted
from tune_regimes.errors import StudyError

STORAGES = ["studies", "./studies", "../a b/c", "/data/studies", "/", ".", "~/x", "s3://b/s", "s3://b/s?region=eu"]


@given(st.sampled_from(STORAGES), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True))
def test_parting_a_folder_undoes_joining_it(storage, name):
    assert parted(located(storage, name), name) == storage


def test_a_folder_named_by_where_one_stands_is_parted_too(tmp_path, monkeypatch):
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path / "demo")
    assert parted(".", "demo") == os.fspath(tmp_path)
    assert parted("../demo/", "demo") == ".."


def test_a_renamed_folder_is_refused():
    with pytest.raises(StudyError, match="keep the study's name, 'demo'; got 'studies/other': rename it back"):
        parted("studies/other", "demo")
