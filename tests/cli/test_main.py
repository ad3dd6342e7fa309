"""The entry point: exit statuses, one message for a mistake, and nothing heavy loaded for help."""

import json
import subprocess
import sys

import pytest

import tune_regimes
from tune_regimes.cli import reading
from tune_regimes.search.points import SEARCHERS
from tune_regimes.search.schedulers import SCHEDULERS

HEAVY = {"torch", "ray", "pandas", "matplotlib", "pyarrow", "numpy", "rich", "optuna"}


def loaded_by(*argv):
    """The heavy modules that a command line loads, in a process of its own."""
    code = f"import sys; from tune_regimes.cli.main import main; main({list(argv)!r}); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return HEAVY & set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))


@pytest.mark.parametrize("argv", [["--help"], ["fork", "--help"], ["--version"], ["run"], ["studies", "--json"]])
def test_help_versions_mistakes_and_the_catalogue_load_nothing_heavy(argv):
    assert loaded_by(*argv) == set()


def test_help_names_every_command(command):
    status, out, _ = command("--help")
    assert status == 0
    for name in (
        "studies",
        "run",
        "plan",
        "status",
        "resume",
        "show",
        "best",
        "diff",
        "fork",
        "report",
        "export",
        "doctor",
    ):
        assert f"\n    {name} " in out


def test_help_names_every_scheduler_and_searcher(command):
    _, out, _ = command("run", "--help")
    assert all(name in out for name in (*SCHEDULERS, *SEARCHERS))


def test_the_version_is_that_of_the_package(command):
    assert command("--version")[:2] == (0, f"tune-regimes {tune_regimes.__version__}\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: COMMAND; see 'tune-regimes --help'"),
        (["rum"], "invalid choice: 'rum'"),
        (["run"], "the following arguments are required: STUDY; see 'tune-regimes run --help'"),
        (["run", "a", "--time-budget", "soon"], "argument --time-budget: must be a positive time"),
        (["run", "a", "--seeds", "0"], "argument --seeds: must be a whole number of at least 1"),
        (["run", "a", "--depth", "3"], "unrecognized arguments: --depth 3"),
        (["run", "unknown"], "got 'unknown': choose one of them"),
        (["run", "two_regimes.lr_momentum", "--scale", "huge"], "got 'huge': choose one of them"),
        (["run", "two_regimes.lr_momentum", "--model", "vgg99"], "unknown model 'vgg99'"),
        (["resume", "nowhere"], "a study's folder must hold study.json"),
        (["doctor", "--task", "digits/none"], "unknown model 'none'"),
        (["doctor", "--data", "/d"], "got --data /d alone: add --task"),
        (["export", "nowhere", "out", "--format", "xls"], "argument --format: invalid choice: 'xls'"),
    ],
)
def test_a_mistake_gets_one_message_and_status_2_and_leaves_nothing(argv, message, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = command(*argv)
    assert (status, out) == (2, "")
    assert err.startswith("tune-regimes: error: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_outside_a_run_ends_with_status_130(command, monkeypatch):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "status", interrupted)
    assert command("status", "anything") == (130, "", "tune-regimes: interrupted\n")


def test_a_reader_that_goes_away_is_no_traceback(complete):
    line = f"{sys.executable} -m tune_regimes show {complete.folder} 00000-s0 --json"
    done = subprocess.run(
        ["bash", "-c", f"{line} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "141"
    assert done.stderr == ""


def test_the_module_runs_as_the_command_does():
    argv = [sys.executable, "-m", "tune_regimes", "studies"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert "two_regimes.transition_epoch" in done.stdout


def test_the_catalogue_lists_figures_claims_and_scales(command, command_json):
    _, out, _ = command("studies")
    assert "two_regimes.lr_momentum" in out
    assert "--scale paper" in out
    entry = command_json("studies")[1][0]
    assert entry["name"] == "two_regimes.transition_epoch"
    assert "7" in entry["figures"]
    assert "P0-19" in entry["claims"]
    assert set(entry["scales"]) == {"smoke", "replica", "paper"}
