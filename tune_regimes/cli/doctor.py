"""``doctor``: what is installed, which devices there are, whether Ray starts, storage is writable and data complete."""

import os
import platform
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from tune_regimes.cli import formatting, output
from tune_regimes.errors import DataError, StorageError, UsageError

if TYPE_CHECKING:
    from tune_regimes.tasks import TaskSpec

OK, WARN, FAIL = "ok", "warn", "fail"
_STYLES = {OK: "green", WARN: "yellow", FAIL: "bold red"}
_LEAST_FREE = 1e9


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        state: "ok", "warn" (it works, but not as well as it could) or "fail".
        what: What was checked.
        found: What was found, in words.
        remedy: What to do about it; empty where all is well, or where what was found says it.
    """

    state: str
    what: str
    found: str
    remedy: str = ""


def doctor(args: Namespace) -> int:
    """Run every check, print each finding as it comes, and return 1 where one failed.

    Raises:
        UsageError: The task is unknown, or data are given without one.
    """
    checks = _checks(args)
    found = []
    for check in checks:
        for finding in check():
            found.append(finding)
            if not args.json:
                _show(finding)
    if args.json:
        output.document([asdict(finding) for finding in found])
    return 1 if any(finding.state == FAIL for finding in found) else 0


def _checks(args: Namespace) -> list[Callable[[], Iterable[Finding]]]:
    from tune_regimes.tasks import task

    if args.data is not None and args.task is None:
        raise UsageError(f"data are checked for a task; got --data {args.data} alone: add --task, as in cifar10/mlp")
    spec = task(args.task or "digits/mlp", **({} if args.data is None else {"data": args.data}))
    return [python, packages, devices, ray, lambda: storage(args.storage), lambda: data(spec)]


def _show(finding: Finding) -> None:
    text = f"{finding.found}\n{finding.remedy}" if finding.remedy else finding.found
    output.pairs([(f"{finding.state:<5} {finding.what}", text)], _STYLES[finding.state], width=16)


def python() -> Iterator[Finding]:
    """The interpreter."""
    found = f"{platform.python_version()} ({sys.executable}) on {platform.platform()}"
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(OK if supported else WARN, "python", found, "" if supported else "tested on 3.11 to 3.13: use one")


def packages() -> Iterator[Finding]:
    """The packages that this one requires, each with the version that it has and the least that it needs."""
    versions, wrong = [], []
    for requirement in metadata.requires("tune-regimes") or ():
        name, least = parsed(requirement)
        if not name:
            continue
        version = _version(name)
        versions.append(f"{name} {version or 'missing'}")
        if version is None or numbers(version) < numbers(least):
            wrong.append(f"'{name}>={least}'")
    remedy = f"{sys.executable} -m pip install {' '.join(wrong)}" if wrong else ""
    yield Finding(FAIL if wrong else OK, "packages", ", ".join(versions), remedy)


def parsed(requirement: str) -> tuple[str, str]:
    """Name and least version of a requirement; no name for one that belongs to an extra.

    Examples:
        >>> parsed("ray[tune]>=2.55"), parsed('mypy>=1.14; extra == "dev"')
        (('ray', '2.55'), ('', ''))
    """
    if "extra ==" in requirement:
        return "", ""
    name, _, least = requirement.partition(";")[0].strip().partition(">=")
    return name.partition("[")[0].strip(), least.strip() or "0"


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version.

    Examples:
        >>> numbers("2.11.0+cpu") >= numbers("2.11")
        True
    """
    parts = version.partition("+")[0].split(".")
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in parts[:3])


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def devices() -> Iterator[Finding]:
    """What torch trains on."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding(FAIL, "device", f"torch cannot be imported: {error}", "install torch again")
        return
    threads = formatting.counted(torch.get_num_threads(), "thread")
    yield Finding(OK, "device", f"CPU, {formatting.counted(_cores(), 'core')}, torch uses {threads}")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Finding(OK, "device", f"GPU {index}: {properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    if not torch.cuda.is_available() and shutil.which("nvidia-smi"):
        remedy = "install a CUDA build of torch that fits the driver; until then trials train on the CPU"
        yield Finding(WARN, "device", f"an NVIDIA driver is here, but torch {torch.__version__} cannot use it", remedy)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ray() -> Iterator[Finding]:
    """Whether Ray starts here and runs something."""
    try:
        from ray import cluster_resources, get, remote

        from tune_regimes.search.cluster import cluster

        with cluster(None):
            get(remote(num_cpus=0)(platform.node).remote(), timeout=120)
            has: dict[str, float] = cluster_resources()  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever keeps Ray from running is what this check is for
        remedy = "see that 'ray[tune]' is installed whole, and that /tmp, /dev/shm and local ports can be used"
        yield Finding(FAIL, "ray", f"{type(error).__name__}: {error}", remedy)
        return
    yield Finding(OK, "ray", f"starts and runs tasks here: {has.get('CPU', 0):g} CPUs, {has.get('GPU', 0):g} GPUs")


def storage(location: str) -> Iterator[Finding]:
    """Whether studies can be stored there."""
    from tune_regimes.storage import Storage

    try:
        target = Storage(location)
        is_new = not target.exists()
        target.check_writable()
        if is_new:
            target.delete()
    except StorageError as error:
        yield Finding(FAIL, "storage", str(error))
        return
    if not target.is_local:
        yield Finding(OK, "storage", f"{target} is writable")
        return
    free = shutil.disk_usage(os.path.dirname(target.uri) if is_new else target.uri).free
    scarce = free < _LEAST_FREE
    remedy = "states and tables need room: free some, or choose another --storage" if scarce else ""
    yield Finding(WARN if scarce else OK, "storage", f"{target} is writable, {free / 1e9:.1f} GB free", remedy)


def data(spec: "TaskSpec") -> Iterator[Finding]:
    """Whether the data of a task are complete."""
    from tune_regimes.tasks import check_data

    try:
        for sentence in check_data(spec):
            yield Finding(OK, "data", sentence)
    except DataError as error:
        yield Finding(FAIL, "data", str(error))
