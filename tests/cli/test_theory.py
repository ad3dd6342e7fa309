"""``theory`` lists toy experiments, and runs one."""

import analysis.theory.experiments
from analysis.theory.experiments import Experiment, Findings, exact

VERDICT = exact("P1-13", "So it is", "by hand", True, {"apart": 0.0}, cases=3)
FINDINGS = Findings("toy.one", "a paper", ("one line",), (VERDICT,), sections={"Gaps": ["drop 1: 41"]})
EXPERIMENT = Experiment("toy.one", "what it does", "a paper", ("4",), ("P1-13",), lambda: FINDINGS)


def test_experiments_are_listed_with_figures_and_claims(command, command_json):
    status, out, _ = command("theory")
    assert status == 0
    assert "autodrop.noisy_quadratic" in out
    entry = command_json("theory")[1][0]
    assert (entry["name"], entry["figures"], entry["claims"][0]) == ("autodrop.noisy_quadratic", ["1"], "P1-03")


def test_an_experiment_is_run_and_its_report_written(monkeypatch, command, tmp_path):
    monkeypatch.setattr(analysis.theory.experiments, "experiments", lambda: (EXPERIMENT,))
    status, out, _ = command("theory", "toy.one", "--output", tmp_path / "there")
    assert status == 0
    lines = [line.strip() for line in out.splitlines()]
    assert "P1-13  holds          So it is" in lines
    assert "drop 1: 41" in lines
    assert (tmp_path / "there" / "report.md").read_text().startswith("# toy.one")


def test_a_report_goes_to_a_folder_of_its_own_by_default(monkeypatch, command_json, tmp_path):
    monkeypatch.setattr(analysis.theory.experiments, "experiments", lambda: (EXPERIMENT,))
    monkeypatch.chdir(tmp_path)
    _, found = command_json("theory", "toy.one")
    assert found["verdicts"][0]["verdict"] == "holds"
    assert (tmp_path / "theory" / "toy.one" / "report.md").exists()


def test_an_unknown_experiment_is_a_mistake(command):
    status, _, err = command("theory", "nothing")
    assert status == 2
    assert "the toy experiments are autodrop.noisy_quadratic" in err
