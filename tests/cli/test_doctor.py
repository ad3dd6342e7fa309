"""What doctor finds, and what it advises."""

import importlib.metadata

import pytest

from tune_regimes.cli import doctor
from tune_regimes.tasks import task


@pytest.fixture
def without_ray(monkeypatch):
    """Starting Ray takes seconds; the studies that run in the tests show that it does."""
    monkeypatch.setattr(doctor, "ray", lambda: [doctor.Finding("ok", "ray", "pretended")])


def test_a_sound_installation_is_ok_in_every_line(without_ray, command, tmp_path):
    status, out, _ = command("doctor", "--storage", tmp_path / "studies")
    assert status == 0
    assert {line.split()[0] for line in out.splitlines() if not line.startswith("   ")} <= {"ok", "warn"}
    assert [line.split()[1] for line in out.splitlines()][:4] == ["python", "packages", "device", "ray"]
    assert not (tmp_path / "studies").exists()


def test_doctor_as_json_lists_its_findings(without_ray, command_json, tmp_path):
    status, findings = command_json("doctor", "--storage", tmp_path)
    assert status == 0
    assert {finding["what"] for finding in findings} == {"python", "packages", "device", "ray", "storage", "data"}
    assert all(set(finding) == {"state", "what", "found", "remedy"} for finding in findings)


def test_a_package_that_is_missing_or_too_old_fails_with_the_line_to_type(monkeypatch):
    monkeypatch.setattr(
        importlib.metadata, "requires", lambda name: ["ray[tune]>=99", "nowhere-to-be-found>=1", "rich>=1"]
    )
    (found,) = doctor.packages()
    assert found.state == "fail"
    assert "nowhere-to-be-found missing" in found.found
    assert found.remedy.endswith("-m pip install 'ray>=99' 'nowhere-to-be-found>=1'")


def test_storage_that_cannot_be_written_fails(tmp_path):
    (tmp_path / "file").write_text("")
    (found,) = doctor.storage(str(tmp_path / "file" / "studies"))
    assert found.state == "fail"
    assert "file stands where a folder is needed" in found.found


def test_storage_with_little_room_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_LEAST_FREE", float("inf"))
    (found,) = doctor.storage(str(tmp_path))
    assert found.state == "warn"
    assert "choose another --storage" in found.remedy


def test_data_that_are_missing_fail_and_doctor_goes_on(without_ray, command, tmp_path):
    (tmp_path / "empty").mkdir()
    options = ["--storage", tmp_path, "--task", "cifar10/simple_cnn", "--data", tmp_path / "empty"]
    status, out, _ = command("doctor", *options)
    assert status == 1
    assert out.splitlines()[-1].split()[:2] == ["fail", "data"]


def test_the_check_of_the_data_reports_each_sentence(monkeypatch):
    from tune_regimes import tasks

    monkeypatch.setattr(tasks, "check_data", lambda spec: ["one", "two"])
    assert [finding.found for finding in doctor.data(task("digits/mlp"))] == ["one", "two"]


def test_a_ray_that_does_not_start_fails_with_a_remedy(monkeypatch):
    from tune_regimes.search import cluster

    def broken(address):
        raise RuntimeError("no ports")

    monkeypatch.setattr(cluster, "cluster", broken)
    (found,) = doctor.ray()
    assert (found.state, found.found) == ("fail", "RuntimeError: no ports")
    assert "/dev/shm" in found.remedy
