"""A stored study, as a search leaves it, and a study that pretends to run."""

import json

import pytest

from tune_regimes.cli.main import main
from tune_regimes.results import config_columns, write_epochs, write_spec, write_trial
from tune_regimes.schedule import Phase, two_phase
from tune_regimes.storage import Storage

EPOCHS = 4


def schedule_of(config):
    small = Phase(lr=0.01, momentum=0.95)
    return two_phase(epochs=EPOCHS, transition_epoch=config["at"], large=Phase(lr=0.9), small=small)


def epoch_rows(final, *, epochs=EPOCHS):
    zero = {"momentum": 0.0, "weight_decay": 0.0, "optimizer": "sgd", "inherited": False, "seconds": 0.5}
    loss = {"train_loss": 0.5, "train_accuracy": 0.9, "test_loss": 0.6}
    return [
        {"epoch": i, "phase": 1, "epoch_in_phase": i, "lr": 0.9, "test_accuracy": final - (epochs - i) / 100, **zero}
        | loss
        for i in range(1, epochs + 1)
    ]


class Stored:
    """A study's folder under construction.

    Three points of two seeds; `add` writes a trial as the search would.
    """

    def __init__(self, folder, **spec):
        self.folder = folder
        self.storage = Storage(folder)
        given = {"name": folder.name, "metric": "test_accuracy", "mode": "max", "seeds": [0, 1], "trials": 6}
        begun = {"task": {"name": "digits/mlp"}, "created": "2026-11-22T00:33:07+00:00", "host": "here"}
        write_spec(self.storage, {**given, **begun, **spec})

    def add(self, point, seed, final=None, status="completed", *, epochs=EPOCHS, **columns):
        trial_id, config = f"{point:05d}-s{seed}", {"at": point + 1}
        named = {"study": self.folder.name, "trial_id": trial_id, "point": point, "seed": seed, "status": status}
        counts = {"epochs": epochs, "epochs_trained": epochs, "epochs_inherited": 0, "train_seconds": epochs * 0.5}
        shown = {"host": "here", "device": "cpu", "schedule": schedule_of(config).to_json(), "versions": "{}"}
        final_columns = {} if final is None else {"final_test_accuracy": final, "best_test_accuracy": final}
        row = {**named, **counts, **shown, **config_columns(config), **final_columns, **columns}
        if epochs:
            write_epochs(self.storage, trial_id, epoch_rows(final or 0.5, epochs=epochs))
        write_trial(self.storage, row)
        return trial_id

    def add_all(self):
        for point, final in enumerate((0.8, 0.9, 0.7)):
            for seed in (0, 1):
                self.add(point, seed, final + seed / 100)


@pytest.fixture
def stored(tmp_path):
    return Stored(tmp_path / "studies" / "demo")


@pytest.fixture
def complete(stored):
    stored.add_all()
    return stored


@pytest.fixture
def command(capsys):
    """Runs a command line in this process; gives its exit status, standard output and standard error."""

    def run(*argv):
        capsys.readouterr()
        status = main([str(part) for part in argv])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def command_json(command):
    """As `command` with ``--json``: gives the exit status and the document."""

    def run(*argv):
        status, out, _ = command(*argv, "--json")
        return status, json.loads(out)

    return run
