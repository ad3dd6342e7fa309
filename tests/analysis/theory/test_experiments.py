from dataclasses import replace
from pathlib import Path

import pytest

from analysis.theory.experiments import Findings, exact, experiments, find_experiment
from tune_regimes.errors import TheoryError


@pytest.mark.parametrize("experiment", experiments(), ids=lambda experiment: experiment.name)
def test_every_experiment_says_what_it_is_for(experiment) -> None:
    assert experiment.summary
    assert experiment.figures
    assert all(claim.startswith("P") for claim in experiment.claims)


def test_names_are_unique() -> None:
    names = [experiment.name for experiment in experiments()]
    assert len(set(names)) == len(names)


def test_an_unknown_experiment_is_refused_with_the_choices() -> None:
    with pytest.raises(
        TheoryError, match=r"the toy experiments are autodrop.noisy_quadratic, .*; got 'nothing': choose"
    ):
        find_experiment("nothing")


def test_a_report_says_what_was_computed_and_is_written_with_its_figures(tmp_path: Path) -> None:
    paths = find_experiment("autodrop.velocity_model")().write(tmp_path)
    assert [Path(path).name for path in paths] == ["report.md", "model.png"]
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# autodrop.velocity_model\n\n- Command: `tune-regimes theory autodrop.velocity_model`\n")
    assert "epsilon = 0.6, gamma = 0.05: ours, the paper gives none" in text
    assert "| P1-13 |" in text


def test_a_report_without_verdicts_has_no_heading_for_them() -> None:
    found = Findings("a.b", "a paper", ("one line",))
    assert found.markdown() == "# a.b\n\n- Command: `tune-regimes theory a.b`\n- Source: a paper\n- one line\n"
    verdict = exact("P1-13", "so it is", "by hand", True, {}, cases=3)
    assert "## Verdicts" in replace(found, verdicts=(verdict,)).markdown()


@pytest.mark.parametrize(("right", "verdict"), [(True, "holds"), (False, "does not hold")])
def test_what_is_computed_is_never_undecided(right: bool, verdict: str) -> None:
    assert exact("P1-13", "so it is", "by hand", right, {}).verdict == verdict
