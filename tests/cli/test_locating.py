"""``locate`` on the command line: what it prints and writes, and that ``run`` takes what it wrote."""

import pytest

from tune_regimes.cli.sources import build

SMALL = ["--option", "train_size=100", "--option", "test_size=50", "--option", "batch_size=20"]
QUICK = ["--epochs", "3", "--seeds", "1", "--lowest", "0.01", "--highest", "100"]


@pytest.fixture
def located(command, tmp_path, monkeypatch):
    """The command on a small task, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return lambda *more: command("locate", "digits/mlp", *SMALL, *QUICK, *more)


def test_it_prints_the_regimes_and_what_to_type_next_and_writes_a_study_that_run_takes(located, tmp_path):
    status, out, _ = located("--momentum", "0", "0.9")
    assert status == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0].startswith("momentum 0  lr 0.01")
    assert any(line.startswith("momentum 0.9, ") and "A = " in line and "B = " in line for line in lines)
    assert "`tune-regimes run locate/digits-mlp/two_phase.py --store locate/digits-mlp/states`" in lines
    assert {"report.md", "located_regimes.png", "two_phase.py", "study.json"} <= {
        path.name for path in (tmp_path / "locate" / "digits-mlp").iterdir()
    }
    study = build("locate/digits-mlp/two_phase.py", None, {"epochs": 9, "seeds": 2})
    assert (study.name, study.seeds, set(study.lengths)) == ("two_phase-digits-mlp", [0, 1], {9})
    assert study.task.options["train_size"] == 100
    assert study.origin["study"] == f"{tmp_path}/locate/digits-mlp/two_phase.py:study"


def test_json_is_one_document_and_progress_goes_elsewhere(command_json, tmp_path):
    status, found = command_json("locate", "digits/mlp", *SMALL, *QUICK, "--momentum", "0.5", "--output", tmp_path)
    assert status == 0
    assert [row["momentum"] for row in found["regimes"]] == [0.5]
    assert found["next"][:3] == ["tune-regimes", "run", f"{tmp_path}/two_phase.py"]
    assert found["paths"][-1] == f"{tmp_path}/two_phase.py"


def test_a_task_of_ones_own_is_found_by_the_module_that_registers_it(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shared = ["--momentum", "0", "--option", "points=80", *QUICK[:2], "--seeds", "1", "--lowest", "0.1", "--quiet"]
    status, _, err = command("locate", "examples.own_task:spirals", *shared, "--epochs", "12")
    assert (status, err) == (0, "")
    source = (tmp_path / "locate" / "spirals" / "two_phase.py").read_text()
    assert "import examples.own_task  # noqa: F401 (registers the task)" in source
    assert 'tr.task("spirals", points=80)' in source


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digits/mlq"], "unknown model 'mlq' in 'digits/mlq' (did you mean 'mlp'?)"),
        (["digits/mlp", "--option", "widht=2"], "unknown option 'widht'"),
        (["digits/mlp", "--option", "width"], "must be NAME=VALUE such as train_size=2000; got 'width'"),
        (["digits/mlp", "--epochs", "1"], "epochs must be at least 2"),
        (["digits/mlp", "--momentum", "0", "1"], "momenta must be distinct numbers in [0, 1)"),
        (["digits/mlp", "--momentum", "-0.5"], "must be a number of at least 0"),
        (["digits/mlp", "--lowest", "0"], "the range of step sizes must be two positive numbers"),
        (["cifar10/mlp", "--data", "nowhere"], "nowhere"),
        (["no_module:spirals"], "importing 'no_module' failed"),
    ],
)
def test_a_mistake_is_one_message_and_nothing_is_written(words, message, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = command("locate", *words)
    assert status == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []
