"""One local Ray cluster for all studies that these tests run in their own process; searches that Optuna steers."""

import pytest


@pytest.fixture(scope="session")
def ray_cluster():
    import ray

    from tune_regimes.search.cluster import cluster

    with cluster(None):
        yield ray


@pytest.fixture
def points():
    """Opens the points of a TPE search over x, n and a constant, with two seeds; ``changes`` replace its arguments."""
    from ray import tune

    import tune_regimes as tr
    from tune_regimes.results import Storage
    from tune_regimes.search.optuna_points import OptunaPoints

    def schedule(config):
        return tr.two_phase(epochs=4, transition_epoch=2, large=tr.Phase(lr=0.1), small=tr.Phase(lr=0.01, momentum=0.9))

    def opened(folder=None, known=(), **changes):
        space = {"x": tune.uniform(-1.0, 1.0), "n": tune.randint(0, 5), "fixed": "a"}
        arguments = {"space": space, "samples": 6, "first": [], "known": dict(known), "name": "s"}
        arguments |= {"objectives": {"test_accuracy": "max"}, "seeds": [0, 1], "schedule": schedule, "seed": 1}
        arguments |= {"folder": None if folder is None else Storage(folder)}
        return OptunaPoints(**(arguments | changes))

    return opened


@pytest.fixture
def loaded():
    """Opens the journal in a folder as anybody would, with Optuna alone."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    def opened(folder, name="s"):
        backend = JournalFileBackend(str(folder / "optuna.journal"))
        return optuna.load_study(study_name=name, storage=JournalStorage(backend))

    return opened
