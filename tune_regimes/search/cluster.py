"""The Ray cluster: start or join it, and refuse at once what it cannot do."""

import importlib
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from tune_regimes.errors import ResourceError, TaskError
from tune_regimes.tasks import TaskSpec

_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """A connection to Ray for as long as the block runs; one that exists already is used and left alone.

    Args:
        address: Address of an existing cluster (``"auto"`` finds it), or None for one of our own on this machine.

    Raises:
        ResourceError: If no cluster answers at the address, or Ray does not start here.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if ray.is_initialized():
        yield
        return
    if address is not None:
        _check_answers(address)
    try:
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # a node that does not come up in time raises no class of its own
        raise ResourceError(_no_cluster(address, error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Refuse an address at which nothing listens: Ray itself would try for minutes, then end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ResourceError(_no_cluster(address, error)) from error


def _no_cluster(address: str | None, error: Exception) -> str:
    if address is None:
        return (
            f"Ray must start on this machine; it did not: {_first_line(error)}. See that processors and memory are not "
            "taken by other programs, then run 'tune-regimes doctor'; or join a running cluster with address"
        )
    return (
        f"address must be that of a running Ray cluster; got {address!r}: {_first_line(error)}. "
        "Start one with 'ray start --head', or leave the address out to run on this machine"
    )


def check_resources(cpus: float, gpus: float) -> int:
    """How many trials fit on the cluster at once.

    Raises:
        ResourceError: If not even one trial fits.
    """
    has = ray.cluster_resources()  # type: ignore[no-untyped-call]
    for name, asked in (("CPU", cpus), ("GPU", gpus)):
        if asked > has.get(name, 0.0):
            raise ResourceError(
                f"a trial must fit on the cluster: it asks for {asked:g} {name}s, "
                f"the cluster has {has.get(name, 0.0):g}; "
                f"ask for fewer with {name.lower()}s_per_trial, or join a larger cluster with address"
            )
    fits = [has[name] / asked for name, asked in (("CPU", cpus), ("GPU", gpus)) if asked > 0]
    return max(1, int(min(fits) + 1e-9)) if fits else os.cpu_count() or 1


def check_importable(task: TaskSpec) -> None:
    """Import the module of a user's task on a worker before any trial starts.

    Raises:
        TaskError: If the worker cannot import it.
    """
    if not isinstance(task.factory, str):
        return
    module = task.factory.partition(":")[0]
    problem = ray.get(ray.remote(num_cpus=0)(_import_problem).remote(module))
    if problem is not None:
        raise TaskError(
            f"the task's module must be importable on the workers: importing {module!r} of task {task.name!r} failed "
            f"there ({problem}); install the package on every node, or put its folder on the workers' PYTHONPATH"
        )


def _import_problem(module: str) -> str | None:
    try:
        importlib.import_module(module)
    except Exception as error:
        return f"{type(error).__name__}: {error}, Python {sys.executable}"
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
