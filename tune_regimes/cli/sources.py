"""From what the command line names to a study: an entry of the catalogue, or an attribute of a user's module."""

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import Parameter, signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tune_regimes.errors import StudyError

if TYPE_CHECKING:
    from tune_regimes.search import Study

CHANGEABLE = ("name", "samples", "seeds", "scheduler", "searcher", "cost", "probes")
"""Options that any study takes, whether or not what builds it does: they are arguments of `Study` itself."""

Options = Mapping[str, Any]
_FLAGS = {"probes": "--probe"}
"""Options that may be given again and again are called by one of what they gather."""
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def build(source: str, scale: str | None, options: Options) -> "Study":
    """The study that the command line names.

    Args:
        source: A name of the catalogue, or ``"module:attribute"`` of a `Study` or of a function that returns one; the
            working directory is searched for the module first. The module may be given as a file, ``"path.py"``; its
            attribute is ``study`` unless another is named.
        scale: Name of a scale, or None for the study's own default.
        options: Options given by the user, by name.

    Returns:
        The study, with an ``origin`` from which `rebuild` makes it again.

    Raises:
        UsageError: For an unknown study, scale or option, or a module that cannot be imported.
    """
    if source.partition(":")[0].endswith(".py"):
        file, _, attribute = source.partition(":")
        return _from_module(f"{os.path.abspath(os.path.expanduser(file))}:{attribute or 'study'}", scale, options)
    if ":" in source:
        return _from_module(source, scale, options)
    from search_spaces.catalogue import OPTIONS, find_study

    own, changes = _divided(source, options, OPTIONS)
    return _changed(find_study(source)(scale, **own), changes)


def rebuild(spec: Mapping[str, Any], where: str, options: Options) -> "Study":
    """The study that a ``study.json`` describes.

    Args:
        spec: Its content.
        where: The study's folder, for messages.
        options: Options that replace stored ones: where the data lie now.

    Raises:
        UsageError: If the study was started from a script, or cannot be built again.
    """
    origin = spec.get("origin")
    if not origin:
        raise StudyError(
            f"only a study started by this command can be resumed by it; {where} was started by a script: run the "
            "script again, Study.run goes on where it was left"
        )
    changes = origin.get("changes", {})
    return build(origin["study"], origin.get("scale"), {**origin.get("options", {}), **changes, **options})


def _from_module(source: str, scale: str | None, options: Options) -> "Study":
    from tune_regimes.search import Study

    found = _attribute(source)
    if isinstance(found, Study):
        own, changes = _divided(source, options if scale is None else {**options, "scale": scale}, ())
        built = found
    else:
        given = dict(options) if scale is None else {"scale": scale, **options}
        taken = _parameters(source, found, given)
        own, changes = _divided(source, given, taken)
        built = found(**own)
    if not isinstance(built, Study):
        raise StudyError(f"{source} must be a Study, or a function that returns one; got {type(built).__name__}")
    if built.origin is None:
        own_options = {name: value for name, value in own.items() if name != "scale"}
        built = built.replaced(origin={"study": source, "scale": own.get("scale"), "options": own_options})
    return _changed(built, changes)


def _attribute(source: str) -> Any:
    module, _, attribute = source.partition(":")
    found: Any = imported(module)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise StudyError(f"module {module!r} has no {attribute!r}; it has {', '.join(_studies_of(found))}")
        found = getattr(found, part)
    return found


def imported(module: str) -> ModuleType:
    """A user's module; the working directory is searched first.

    Args:
        module: Its name, or the path of its file.

    Raises:
        StudyError: It cannot be imported.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return _executed(module) if module.endswith(".py") else import_module(module)
    except Exception as error:
        raise StudyError(
            f"a study is module:attribute of a module that can be imported; importing {module!r} failed: "
            f"{_explained(error)}; run the command in the module's folder, or install the module"
        ) from error


def _executed(path: str) -> ModuleType:
    """The module in a file, which may import its neighbours; it enters no table of modules under its plain name."""
    if os.path.dirname(path) not in sys.path:
        sys.path.insert(0, os.path.dirname(path))
    spec = spec_from_file_location(os.path.basename(path).removesuffix(".py"), path)
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def _studies_of(module: Any) -> Iterable[str]:
    public = [name for name in vars(module) if not name.startswith("_")]
    return public or ["nothing public"]


def _explained(error: Exception) -> str:
    """An error in one line, with the line of the user's code where it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames[-1].name == "<module>" else ""
    return f"{type(error).__name__}: {error}{place}"


def _parameters(source: str, function: Callable[..., Any], given: Options) -> Iterable[str]:
    """The options that a function takes; those that it needs must be given."""
    if not callable(function):
        raise StudyError(f"{source} must be a Study, or a function that returns one; got {type(function).__name__}")
    parameters = signature(function).parameters
    named = [name for name, parameter in parameters.items() if parameter.kind in _NAMED]
    missing = [name for name in named if parameters[name].default is Parameter.empty and name not in given]
    if missing:
        raise StudyError(f"{source} needs {_flags(missing)}; got {_flags(given)}: give what is missing")
    takes_all = any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values())
    return [*named, *given] if takes_all else named


def _divided(source: str, options: Options, takes: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options for what builds the study, and those that any study takes."""
    taken = set(takes)
    own = {name: value for name, value in options.items() if name in taken}
    changes = {name: value for name, value in options.items() if name not in taken and name in CHANGEABLE}
    if unknown := [name for name in options if name not in own and name not in changes]:
        names = [*sorted(taken), *(name for name in CHANGEABLE if name not in taken)]
        raise StudyError(f"the study {source} takes {_flags(names)}; got {_flags(unknown)}: leave it out")
    return own, changes


def _changed(study: "Study", changes: Options) -> "Study":
    if not changes:
        return study
    origin = None if study.origin is None else {**study.origin, "changes": dict(changes)}
    return study.replaced(**changes, origin=origin)


def _flags(names: Iterable[str]) -> str:
    return ", ".join(_FLAGS.get(name, f"--{name.replace('_', '-')}") for name in names) or "nothing"
