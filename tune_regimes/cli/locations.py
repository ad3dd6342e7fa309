"""Paths and addresses as the user wrote them: joined to a study's folder, and parted from it."""

import os

from tune_regimes.errors import StudyError


def located(storage: str, name: str) -> str:
    """The folder of a study in a storage, in the user's own spelling.

    Examples:
        >>> located("studies/", "vgg"), located("s3://bucket/studies?region=eu", "vgg")
        ('studies/vgg', 's3://bucket/studies/vgg?region=eu')
    """
    address, mark, query = storage.partition("?") if "://" in storage else (storage, "", "")
    return f"{address.rstrip('/') or '/'}/{name}".replace("//", "/", int(address == "/")) + mark + query


def parted(path: str, name: str) -> str:
    """The storage that holds the folder of a study.

    Args:
        path: The folder.
        name: The study's name, which the folder must still have.

    Raises:
        StudyError: The folder has another name.

    Examples:
        >>> parted("s3://bucket/studies/vgg/?region=eu", "vgg")
        's3://bucket/studies?region=eu'
        >>> parted("studies/vgg", "vgg")
        'studies'
    """
    address, mark, query = path.partition("?") if "://" in path else (path, "", "")
    if "://" not in path and os.path.basename(address.rstrip("/")) in ("", ".", ".."):
        address = os.path.abspath(address)
    parent, _, folder = address.rstrip("/").rpartition("/")
    if folder != name:
        raise StudyError(f"a study's folder must keep the study's name, {name!r}; got {path!r}: rename it back")
    root = "/" if address.startswith("/") else "."
    return (parent or root) + mark + query
