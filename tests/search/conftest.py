"""One local Ray cluster for all studies that these tests run in their own process."""

import pytest


@pytest.fixture(scope="session")
def ray_cluster():
    import ray

    from tune_regimes.search.cluster import cluster

    with cluster(None):
        yield ray


@pytest.fixture
def rows_of():
    """The epochs of a study without what differs from run to run: (trial_id, epoch) -> values."""

    def rows(results):
        frame = results.epochs.drop(columns="seconds").astype(object)
        return {(row["trial_id"], row["epoch"]): tuple(row) for _, row in frame.where(frame.notna(), None).iterrows()}

    return rows
