"""Joining a Ray cluster that exists, and one that does not."""

import subprocess
import sys
import textwrap

import pytest
import ray

from tune_regimes.errors import ResourceError
from tune_regimes.search.cluster import cluster

SCRIPT = """
import sys
from ray import tune
from ray.cluster_utils import Cluster
import tune_regimes as tr
from tune_regimes.errors import ResourceError

def study():
    task = tr.task("digits/mlp", train_size=100, test_size=50, batch_size=25)
    schedule = lambda config: tr.cosine(epochs=config["epochs"], lr=0.1)
    space = {"epochs": tune.grid_search([2, 3])}
    return tr.Study(name="joined", task=task, schedule=schedule, space=space, metric="test_loss", mode="min")

try:
    study().run(sys.argv[1], address="127.0.0.1:1")
except ResourceError as error:
    print("REFUSED", error)
head = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
results = study().run(sys.argv[1], address=head.address, cpus_per_trial=0.5)
print("RAN", sorted(results.trials.status), sorted(results.trials.epochs))
print("TORCH", "torch" in sys.modules)
head.shutdown()
"""


@pytest.mark.slow
def test_a_study_joins_the_cluster_at_an_address_and_refuses_one_that_does_not_answer(tmp_path):
    script = tmp_path / "join.py"
    script.write_text(textwrap.dedent(SCRIPT))
    storage = tmp_path / "studies"
    command = [sys.executable, script, storage]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    refused, ran, torch = (line for line in done.stdout.splitlines() if line.startswith(("REFUSED", "RAN", "TORCH")))
    assert "must be that of a running Ray cluster; got '127.0.0.1:1'" in refused
    assert ran == "RAN ['completed', 'completed'] [2, 3]"
    assert torch == "TORCH False", "whoever starts a study waits for an import of torch, which the workers alone need"
    assert [path.name for path in storage.iterdir()] == ["joined"]
    assert not (storage / "joined" / "ray").exists()


def test_a_ray_that_does_not_start_here_is_a_mistake_with_a_remedy(monkeypatch):
    def overloaded(**options):
        raise Exception("The current node timed out during startup.\nMore.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", overloaded)
    with (
        pytest.raises(ResourceError, match=r"it did not: The current node timed out during startup\.\. See that"),
        cluster(None),
    ):
        pass
