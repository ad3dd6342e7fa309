from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import analysis
from analysis.document import command
from tune_regimes.errors import StudyError
from tune_regimes.schedule import Phase, Plateau, Schedule, forked

PNG = b"\x89PNG\r\n"
QUICK = pytest.mark.usefixtures("quick_figures")


def test_a_transition_study_is_reported_with_its_verdicts(
    transition_tables: Callable, store: Callable, tmp_path: Path
) -> None:
    results = store(transition_tables(points=3, seeds=2), "two_regimes.transition_epoch")
    paths = analysis.report(results, tmp_path / "report")
    figures = ["accuracy_by_transition_epoch", "accuracy_distributions", "best_schedule", "stage_tree"]
    assert [Path(path).name for path in paths] == ["report.md", *(f"{name}.png" for name in figures)]
    assert all(Path(path).read_bytes().startswith(PNG) for path in paths[1:])
    text = Path(paths[0]).read_text()
    for claim in ("P0-18", "P0-19", "P0-20", "P0-21", "P0-21b"):
        assert f"| {claim} |" in text
    assert "`tune-regimes run two_regimes.transition_epoch --scale smoke --seeds 2`" in text
    assert "54 completed; 27 points with 2 seeds each" in text
    assert "torch 2.15.0" in text


@QUICK
def test_a_sweep_is_reported_with_its_verdicts_and_regimes(
    sweep_tables: Callable, store: Callable, tmp_path: Path
) -> None:
    results = store(sweep_tables(points=6, seeds=1), "two_regimes.lr_momentum")
    report = analysis.analyse(results)
    assert [verdict.claim for verdict in report.verdicts] == ["P0-13", "P0-14", "P0-15", "P0-16", "P0-17"]
    assert len(report.sections["Where the regimes lie"]) == 3
    text = Path(report.write(tmp_path / "report")[0]).read_text()
    assert "- momentum 0.9, 6 points: the largest lr that does not diverge is A = " in text
    drawn = {"accuracy_by_lr", "best_loss_curves", "matched_lrs", "located_regimes", "stage_tree"}
    assert set(report.figures) >= drawn


def test_other_architectures_are_judged_together(sweep_tables: Callable, store: Callable) -> None:
    first = store(sweep_tables(seeds=1), "two_regimes.lr_momentum")
    second = store(sweep_tables(seeds=1), "two_regimes.lr_momentum", "another", "digits/resnet20")
    verdict = analysis.analyse(first, [second]).verdicts[2]
    assert (verdict.claim, verdict.verdict, verdict.n) == ("P0-15", "holds", {"tasks": 2})


@pytest.mark.parametrize("study", [None, "my_module:my_study"])
def test_a_study_of_the_users_own_gets_a_general_report(
    sweep_tables: Callable, store: Callable, tmp_path: Path, study: str | None
) -> None:
    paths = analysis.report(store(sweep_tables(points=3, seeds=2), study), tmp_path / "report")
    names = ["report.md", "best_schedule.png", "metric_by_setting.png", "stage_tree.png"]
    assert [Path(path).name for path in paths] == names
    text = Path(paths[0]).read_text()
    assert "## Best schedule\n\ntest accuracy 0." in text
    assert "## Verdicts" not in text


def test_the_report_says_what_sharing_saved(course_tables: Callable, store: Callable) -> None:
    whole = Schedule((Phase(lr=0.1, epochs=6),))
    courses = [{"policy": whole}, {"policy": forked(whole, 4, [Phase(lr=0.01, epochs=6)]), "inherited": 4}]
    text = analysis.analyse(store(course_tables(courses), None)).markdown()
    assert "16 epochs asked for, 12 trained, 4 inherited: a saving of 25 %. The tree has 12 epochs." in text


def test_forked_trials_are_in_the_tree_and_not_in_the_verdicts(sweep_tables: Callable, store: Callable) -> None:
    trials, epochs = sweep_tables(points=3, seeds=1, momenta=(0.0, 0.9))
    plain = analysis.analyse(store((trials, epochs), "two_regimes.lr_momentum"))
    source = trials.iloc[-1:]
    fork = {"trial_id": "00099-s0", "point": 99, "final_test_accuracy": 0.99, "config.fork.trial": source["trial_id"]}
    rows = epochs[epochs["trial_id"] == source["trial_id"].iloc[0]].assign(trial_id="00099-s0")
    tables = pd.concat([trials, source.assign(**fork)]), pd.concat([epochs, rows])
    forked_too = analysis.analyse(store(tables, "two_regimes.lr_momentum", "with-a-fork"))
    assert forked_too.lines() == plain.lines()
    assert f"{len(epochs) + len(rows)} epochs asked for" in forked_too.markdown()


@QUICK
def test_a_study_of_adaptive_policies_is_reported(course_tables: Callable, store: Callable, tmp_path: Path) -> None:
    courses = [{"policy": Plateau(Phase(lr=lr, epochs=6), patience=1)} for lr in (0.1, 0.2)]
    text = Path(analysis.report(store(course_tables(courses), None), tmp_path / "report")[0]).read_text()
    assert "| 1 |  | 6 | sgd | 0.1 |" in text
    assert "An adaptive policy: observations change these settings." in text


@QUICK
def test_a_report_is_replaced_by_the_next(sweep_tables: Callable, store: Callable, tmp_path: Path) -> None:
    results = store(sweep_tables(points=2, seeds=1), None)
    assert analysis.report(results, tmp_path / "report") == analysis.report(results, tmp_path / "report")


def test_no_completed_trial_is_said_and_not_raised(sweep_tables: Callable, store: Callable) -> None:
    trials, epochs = sweep_tables(points=2, seeds=1)
    results = store((trials.assign(status="diverged", final_test_accuracy=None), epochs), "two_regimes.lr_momentum")
    report = analysis.analyse(results)
    assert {verdict.verdict for verdict in report.verdicts} == {"undecided"}
    assert "## Best schedule\n\nNone: " in report.markdown()


def test_a_study_without_trials_cannot_be_reported(sweep_tables: Callable, store: Callable) -> None:
    trials, epochs = sweep_tables(points=2, seeds=1)
    with pytest.raises(StudyError, match="a report needs trials"):
        analysis.analyse(store((trials.iloc[:0], epochs.iloc[:0]), None))


def test_the_command_says_what_was_changed_too() -> None:
    origin = {"study": "a.b", "scale": None, "options": {"augment": False}, "changes": {"scheduler": "asha"}}
    assert command({"origin": origin}) == "tune-regimes run a.b --no-augment --scheduler asha"


def test_the_command_and_the_task_do_not_say_where_files_lie(sweep_tables: Callable, store: Callable) -> None:
    results = store(sweep_tables(points=2, seeds=1), None)
    origin = {"study": "/home/me/two_phase.py:study", "options": {"data": "/data/cifar10", "epochs": 9}}
    task = {"name": "mine", "options": {"data": "/data/cifar10", "labels": "/data/labels.csv", "width": 0.5}}
    results.spec.update(origin=origin, task=task)
    text = analysis.analyse(results).markdown()
    assert "- Command: `tune-regimes run two_phase.py:study --data cifar10 --epochs 9`\n" in text
    assert "- Task: mine (labels labels.csv, width 0.5)\n" in text
