"""The report of located regimes."""

import json

import pytest

from analysis.located import Located
from tune_regimes import Regimes, task
from tune_regimes.search.locate_settings import LocateSettings


def located(tables, **options) -> Located:
    trials, epochs = tables
    trials = trials.assign(epochs=12, epochs_inherited=1, train_seconds=0.5)
    settings = LocateSettings((0.0, 0.9), 12, (0, 1), 0, 1e-4, 1e-3, 10.0, 1.4)
    regimes = Regimes(task("digits/mlp", **options), trials, epochs, settings, ("test_accuracy", "max"))
    return Located(regimes, ["tune-regimes", "run", "two_phase.py"])


@pytest.fixture
def report(sweep_tables) -> Located:
    return located(sweep_tables(momenta=(0.0, 0.9), unstable=5.0, broken=2.0))


def test_it_says_how_was_searched_and_what_was_found(report):
    text = report.markdown()
    assert text.startswith("# The regimes of digits/mlp\n")
    assert "960 epochs in 80 runs of 40 step sizes, of which 80 were inherited; 40 s of training" in text
    assert "momentum 0.9, 20 points: the largest lr that does not diverge is A = 0.1" in text
    assert "- momentum 0.5: A = " in text
    assert "(converted by the step size, lr / (1 - momentum))" in text
    assert "`tune-regimes run two_phase.py`" in text


def test_it_names_the_options_that_were_given_and_not_where_the_data_lie(report, sweep_tables):
    assert report.setup()[0] == "Task: digits/mlp"
    tables = sweep_tables(points=4, momenta=(0.0, 0.9))
    given = located(tables, width=0.25, train_size=500, data="/data/digits", test_size=100)
    assert given.setup()[0] == "Task: digits/mlp (test_size 100, width 0.25)"
    assert "/data" not in given.markdown()


def test_it_is_written_with_its_picture(report, tmp_path):
    report.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "located_regimes.png"}


def test_its_content_is_a_json_document(report):
    found = json.loads(json.dumps(report.content()))
    assert [row["momentum"] for row in found["regimes"]] == [0.0, 0.9]
    assert len(found["runs"]) == 40


def test_it_says_what_could_not_be_told_apart(report, sweep_tables):
    assert len(report.sections["Where the regimes lie"]) == 2
    smooth = located(sweep_tables(momenta=(0.0, 0.9), unstable=5.0, broken=2.0, rough=5.0))
    assert (
        "momentum 0.9: B is at A, as the runs are too short for the loss to rise: give more epochs" in smooth.markdown()
    )
    trials, epochs = sweep_tables(momenta=(0.0, 0.9))
    sound = located((trials[trials["config.step_size"] < 1.0], epochs))
    assert "momentum 0: nothing diverges, so A is the largest that was tried" in sound.markdown()
