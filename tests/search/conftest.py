"""One local Ray cluster for all studies that these tests run in their own process."""

import pytest


@pytest.fixture(scope="session")
def ray_cluster():
    import ray

    from tune_regimes.search.cluster import cluster

    with cluster(None):
        yield ray
