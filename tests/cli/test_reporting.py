"""``report`` prints verdicts and paths; ``export`` replaces nothing unasked."""

import os
from dataclasses import dataclass, field

import pandas as pd
import pytest

import analysis
from analysis.document import markdown_table
from analysis.theory.experiments import Findings
from analysis.verdicts import Verdict
from tune_regimes.cli.reporting import show_findings
from tune_regimes.errors import StudyError

VERDICT = Verdict(
    "P0-18",
    "The two are the same",
    "holds",
    "TOST",
    statistics={"difference": 0.001},
    p_values={"within": 0.01},
    n={"points": 12},
    note="on one task",
)


@dataclass
class PretendedReport:
    """Stands in for the analysis, which its own tests test."""

    verdicts: tuple = (VERDICT,)
    sections: dict = field(default_factory=lambda: {"Where the regimes lie": ["below lr 0.1"]})
    directories: list = field(default_factory=list)

    def write(self, directory):
        self.directories.append(directory)
        return [f"{directory}/report.md", f"{directory}/figure.png"]


@pytest.fixture
def pretended(monkeypatch):
    report = PretendedReport()

    def analyse(results, others):
        report.others = [other.storage.path() for other in others]
        return report

    monkeypatch.setattr(analysis, "analyse", analyse, raising=False)
    return report


def test_a_report_prints_verdicts_with_their_grounds_and_the_paths(pretended, complete, command):
    status, out, _ = command("report", complete.folder)
    assert status == 0
    lines = [line.strip() for line in out.splitlines()]
    assert "P0-18  holds          The two are the same" in lines
    assert "difference 0.001; p(within) 0.01; n: points 12; on one task" in lines
    assert "below lr 0.1" in lines
    assert f"{complete.folder}/report/figure.png" in lines
    assert f"trials  {complete.folder}/trials" in lines


def test_a_report_takes_in_other_studies(pretended, complete, command):
    command("report", complete.folder)
    assert pretended.others == []
    command("report", complete.folder, "--with", complete.folder, "--with", complete.folder)
    assert pretended.others == [str(complete.folder)] * 2


def test_a_report_goes_where_it_is_told(pretended, complete, command, tmp_path):
    command("report", complete.folder, "--output", tmp_path / "there")
    assert pretended.directories == [os.fspath(tmp_path / "there")]


def test_a_report_as_json_holds_verdicts_and_paths(pretended, complete, command_json):
    _, found = command_json("report", complete.folder)
    (verdict,) = found["verdicts"]
    assert (verdict["claim"], verdict["verdict"], verdict["n"]) == ("P0-18", "holds", {"points": 12})
    assert found["paths"][0].endswith("report.md")


def test_a_study_with_nothing_to_report_is_a_mistake(monkeypatch, stored, command):
    def refuse(results, others):
        raise StudyError("a report needs a trial that has ended")

    monkeypatch.setattr(analysis, "analyse", refuse, raising=False)
    assert command("report", stored.folder) == (2, "", "tune-regimes: error: a report needs a trial that has ended\n")


def test_an_export_writes_three_tables_and_replaces_them_only_when_told(complete, command, command_json, tmp_path):
    target = tmp_path / "out"
    status, found = command_json("export", complete.folder, target)
    assert status == 0
    assert [os.path.basename(path) for path in found["paths"]] == ["trials.parquet", "epochs.parquet", "points.parquet"]
    assert len(pd.read_parquet(target / "points.parquet")) == 3
    status, _, err = command("export", complete.folder, target)
    assert status == 2
    assert "replaces files only when told to" in err
    assert command("export", complete.folder, target, "--overwrite")[0] == 0


def test_an_export_as_csv_is_read_by_anything(complete, command, tmp_path):
    status, out, _ = command("export", complete.folder, tmp_path / "out", "--format", "csv")
    assert (status, len(out.splitlines())) == (0, 3)
    assert (tmp_path / "out" / "trials.csv").read_text().startswith('"schema_version"')


def test_a_section_that_is_a_table_is_shown_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    cells = markdown_table(["phase 2", "lr"], [["K-FAC", "0.001"]])
    show_findings(Findings("a.b", "a paper", (), sections={"Reached": cells}), ["report.md"])
    shown = capsys.readouterr().out.splitlines()
    assert shown[:4] == ["Reached", "  | phase 2 | lr |", "  | --- | --- |", "  | K-FAC | 0.001 |"]
