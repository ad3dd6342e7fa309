"""The real command line on a real study, run once for all tests."""

import json
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest

STATES = ("completed", "pruned", "diverged")


@pytest.mark.slow
def test_a_run_prints_one_document_and_its_progress_on_the_other_stream(smoke_run, smoke_study):
    found = json.loads(smoke_run.stdout)
    assert found["state"] == "complete"
    assert sum(found["trials"][state] for state in STATES if state in found["trials"]) >= 24
    assert found["best"]["n"] == 2
    assert found["best"]["low"] < found["best"]["mean"] < found["best"]["high"]
    assert found["next"] == ["tune-regimes", "report", found["path"]]
    first, *lines = smoke_run.stderr.splitlines()
    assert first.endswith(f"into {found['path']}: starting")
    assert all("trials ended" in line for line in lines)


@pytest.mark.slow
def test_the_tables_are_read_by_pandas_alone(smoke_study):
    trials = pd.read_parquet(smoke_study / "trials")
    epochs = pd.read_parquet(smoke_study / "epochs")
    assert set(trials["status"]) <= set(STATES)
    assert not epochs.duplicated(["trial_id", "epoch"]).any()
    assert len(epochs) == trials["epochs"].sum()


@pytest.mark.slow
def test_a_complete_study_runs_again_without_training(smoke_study, tmp_path, command_json):
    copy = shutil.copytree(smoke_study, tmp_path / smoke_study.name)
    before = {path: path.read_bytes() for path in copy.rglob("*.parquet")}
    status, found = command_json("resume", copy, "--quiet")
    assert (status, found["state"]) == (0, "complete")
    assert {path: path.read_bytes() for path in copy.rglob("*.parquet")} == before


@pytest.mark.slow
def test_every_reading_command_reads_it(smoke_study, command, command_json):
    assert command_json("status", smoke_study)[1]["trials"]["waiting"] == 0
    trial = command_json("best", smoke_study, "-n", "1")[1][0]
    assert command("show", smoke_study, f"{trial['point']:05d}-s0")[0] == 0


@pytest.mark.slow
def test_its_report_judges_every_claim_and_draws_the_figures(smoke_study, tmp_path, command_json):
    status, found = command_json("report", smoke_study, "--output", tmp_path / "report")
    assert status == 0
    assert {verdict["claim"] for verdict in found["verdicts"]} >= {"P0-18", "P0-19", "P0-20", "P0-21"}
    assert all(verdict["test"] and verdict["n"] for verdict in found["verdicts"])
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"report.md", "accuracy_by_transition_epoch.png"} <= written
    assert len(found["paths"]) == len(written)


@pytest.mark.slow
@pytest.mark.kills
def test_ctrl_c_ends_a_run_resumably(tmp_path):
    line = [sys.executable, "-m", "tune_regimes", "run", "two_regimes.lr_momentum", "--epochs", "2000", "--json"]
    line += ["--time-budget", "5m", "--max-concurrent", "1"]
    with subprocess.Popen(
        [*line, "--name", "mine"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        _wait_for_the_first_epochs(running)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=300)
    found = json.loads(out)
    assert (running.returncode, found["state"]) == (130, "interrupted"), err
    assert found["trials"]["running"] >= 1
    assert found["next"] == ["tune-regimes", "resume", "studies/mine", "--max-concurrent", "1"]
    assert len(list((tmp_path / "studies" / "mine" / "states").rglob("*.state"))) >= 1


def _wait_for_the_first_epochs(process):
    lines = []
    while "trials ended" not in "".join(lines[-1:]):
        lines.append(process.stderr.readline())
        assert lines[-1], f"the run ended before its first epochs: {''.join(lines)}"
