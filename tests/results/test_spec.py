"""study.json: what is no study is told apart, with what was found instead."""

import json
from pathlib import Path

import pytest

from tune_regimes.errors import StudyError
from tune_regimes.results import SCHEMA_VERSION, read_spec, write_spec
from tune_regimes.storage import Storage

SPEC = {"name": "demo", "metric": "test_loss", "mode": "min", "seeds": [1, 2]}


def test_a_spec_comes_back_with_its_version(storage: Storage) -> None:
    write_spec(storage, {**SPEC, "points_to_evaluate": ({"lr": 0.1},)})
    expected = {**SPEC, "schema_version": SCHEMA_VERSION, "points_to_evaluate": [{"lr": 0.1}]}
    assert read_spec(storage) == expected


def test_a_missing_folder_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"must hold study.json; .*/nowhere does not exist; check the path"):
        read_spec(Storage(tmp_path / "nowhere"))


def test_an_empty_folder_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is empty; check the path"):
        read_spec(Storage(tmp_path))


def test_a_folder_of_other_things_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(StudyError, match=r"holds photos/, notes.txt; check the path"):
        read_spec(Storage(tmp_path))


def test_the_folder_of_the_studies_names_them(tmp_path: Path) -> None:
    for name in ("vgg", "resnet"):
        write_spec(Storage(tmp_path).child(name), SPEC)
    with pytest.raises(StudyError, match="holds the folders of studies instead; add one of their names: resnet, vgg"):
        read_spec(Storage(tmp_path))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"{}", b'{"schema_version": 1}', b"\xff"])
def test_a_damaged_spec_is_said_to_be_damaged(storage: Storage, content: bytes) -> None:
    storage.write("study.json", content)
    with pytest.raises(StudyError, match=r"demo/study.json must hold schema_version, .*it is damaged"):
        read_spec(storage)


def test_results_of_a_newer_version_are_not_guessed_at(storage: Storage) -> None:
    storage.write("study.json", json.dumps({**SPEC, "schema_version": SCHEMA_VERSION + 1}).encode())
    with pytest.raises(StudyError, match="upgrade tune-regimes"):
        read_spec(storage)
