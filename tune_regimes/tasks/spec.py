"""Naming a task: a specification, small, hashable and JSON-able, that is built where it is needed. No torch here."""

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from tune_regimes.errors import TaskError
from tune_regimes.tasks.options import FULL
from tune_regimes.tasks.registry import DATASETS, MODELS, resolve, split_name

if TYPE_CHECKING:
    from tune_regimes.tasks.definition import Task

BUILTIN = "tune_regimes.tasks.builtin:build"
_LOCATION = ("data", "download")
_registered: dict[str, Callable[..., "Task"]] = {}
_Factory = TypeVar("_Factory", bound=Callable[..., Any])


@dataclass(frozen=True)
class TaskSpec:
    """The name and options of a task; :meth:`build` makes the task itself. Made by :func:`task`.

    Attributes:
        name: ``"<data set>/<model>"``, or the name a user registered.
        options: keyword arguments of the factory, JSON-able (a path becomes a string); of a built-in task all of
            them, defaults filled in.
        factory: what builds the task: ``"module:qualname"`` where that can be imported, else the function itself.

    Raises:
        TaskError: for options that JSON cannot hold.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    factory: "str | Callable[..., Task]" = BUILTIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(_as_json(self.name, self.options)))

    def __hash__(self) -> int:
        return hash((self.name, json.dumps(dict(self.options), sort_keys=True), self.factory))

    def __reduce__(self) -> tuple[type["TaskSpec"], tuple[Any, ...]]:
        return TaskSpec, (self.name, dict(self.options), self.factory)

    def build(self) -> "Task":
        """Make the task, loading its data (once per process).

        Raises:
            TaskError: when the factory cannot be imported here, refuses the options or returns no Task.
            DataError: when the data are missing, incomplete or damaged.
        """
        from tune_regimes.tasks.definition import Task

        factory = self.factory if callable(self.factory) else _import(self.name, self.factory)
        named = {"name": self.name} if self.factory == BUILTIN else {}
        built = factory(**named, **self.options)
        if not isinstance(built, Task):
            raise TaskError(f"the factory of task {self.name!r} must return a Task, got {type(built).__name__}")
        return replace(built, spec=self._counted(built.batch_size))

    def _counted(self, rows: int) -> "TaskSpec":
        """The same with the rows of a full batch, which are known once the data are: both spellings are one task."""
        full = self.factory == BUILTIN and self.options["batch_size"] == FULL
        return replace(self, options={**self.options, "batch_size": rows}) if full else self

    def identity(self) -> dict[str, Any]:
        """Name and options as JSON, without where the data lie: moving a folder does not make another task.

        That is what the options named ``data`` and ``download`` say, in registered tasks too.
        """
        return {"name": self.name, "options": {k: v for k, v in self.options.items() if k not in _LOCATION}}

    def changed(self) -> dict[str, Any]:
        """The options that are not the defaults: with them, :func:`task` makes the same specification again."""
        usual = resolve(self.name, {}) if self.factory == BUILTIN else {}
        return {name: value for name, value in self.options.items() if name not in usual or usual[name] != value}

    def to_dict(self) -> dict[str, Any]:
        """As JSON. A factory that cannot be imported is written as where it was defined."""
        factory = self.factory if isinstance(self.factory, str) else _address(self.factory)
        return {
            "name": self.name,
            "options": dict(self.options),
            "factory": factory,
            "importable": isinstance(self.factory, str),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TaskSpec":
        """Back from :meth:`to_dict`; a factory that is not importable is looked up among the registered tasks.

        Raises:
            TaskError: when it is not registered in this process, or a built-in task or option is unknown.
        """
        name, options, factory = values["name"], values["options"], values["factory"]
        if factory == BUILTIN or name in _registered:
            return task(name, **options)
        if values["importable"]:
            return cls(name, options, factory)
        raise TaskError(
            f"task {name!r} was defined in {factory}, which cannot be imported; run the script or notebook that "
            f"registers it, or move it into an importable module"
        )


def _as_json(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(options), allow_nan=False, default=os.fspath))
    except (TypeError, ValueError) as error:
        raise TaskError(f"options of task {name!r} must be JSON (numbers, strings, lists, ...): {error}") from None
    return copy


def _address(factory: Callable[..., Any]) -> str:
    kind = type(factory)
    module = getattr(factory, "__module__", kind.__module__)
    return f"{module}:{getattr(factory, '__qualname__', kind.__qualname__)}"


def _import(name: str, factory: str) -> Callable[..., Any]:
    module, _, qualname = factory.partition(":")
    try:
        found: Any = import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise TaskError(
            f"task {name!r} is built by {qualname} of module {module!r}, which cannot be imported on "
            f"{platform.node()} by {sys.executable}: {error}. Install the module there, give the workers its folder "
            f"(Ray's runtime_env, PYTHONPATH), or define the task in the script that starts the study"
        ) from error
    checked: Callable[..., Any] = found
    return checked


def register_task(name: str) -> Callable[[_Factory], _Factory]:
    """Decorate a factory ``(**options) -> Task`` so that ``task(name, **options)`` finds it.

    Registering the same function again (a notebook cell that is run twice) replaces it.

    Raises:
        TaskError: when the name is that of a built-in task or of another registered one.
    """

    def register(factory: _Factory) -> _Factory:
        before = _registered.get(name)
        if _is_builtin(name) or (before is not None and _address(before) != _address(factory)):
            raise TaskError(f"task name {name!r} is taken; register under another name")
        _registered[name] = factory
        return factory

    return register


def _is_builtin(name: str) -> bool:
    dataset, _, model = name.partition("/")
    return dataset in DATASETS and model in MODELS


def task(name: str, **options: Any) -> TaskSpec:
    """The specification of a built-in or registered task, its name and options checked; nothing is loaded yet.

    Args:
        name: see :func:`names`.
        options: of a built-in task, see :class:`tune_regimes.tasks.options.Options`; of a registered one, the
            keyword arguments of its factory.

    Raises:
        TaskError: for an unknown task, model or option (the choices are listed), or a value out of range.

    Examples:
        >>> task("digits/mlp", batch_size=20).options["batch_size"]
        20
        >>> task("digits/mlq")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        tune_regimes.errors.TaskError: unknown model 'mlq' in 'digits/mlq' (did you mean 'mlp'?); ...
    """
    factory = _registered.get(name)
    if factory is not None:
        return _registered_spec(name, factory, options)
    if "/" not in name:
        raise TaskError(_unknown(name))
    return TaskSpec(name, resolve(name, options))


def _unknown(name: str) -> str:
    registered = f", or a registered task: {', '.join(sorted(_registered))}" if _registered else ""
    return (
        f"unknown task {name!r}; choices: <data set>/<model> with a data set of {', '.join(DATASETS)} "
        f"and a model of {', '.join(MODELS)}{registered}"
    )


def _registered_spec(name: str, factory: Callable[..., "Task"], options: Mapping[str, Any]) -> TaskSpec:
    try:
        signature(factory).bind(**options)
    except TypeError as error:
        raise TaskError(f"task {name!r} takes the options {signature(factory)}: {error}") from None
    return TaskSpec(name, options, _importable(factory) or factory)


def _importable(factory: Callable[..., Any]) -> str | None:
    """``"module:qualname"`` where another process can import that, else None (a script, a notebook, a closure)."""
    address = _address(factory)
    module, _, qualname = address.partition(":")
    found: Any = sys.modules.get(module) if module != "__main__" else None
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return address if found is factory else None


def names() -> list[str]:
    """Names of all tasks: the built-in ones, data set by data set, then those registered in this process.

    Examples:
        >>> "digits/simple_cnn" in names()
        True
    """
    built_in = [
        f"{dataset}/{model}"
        for dataset, info in DATASETS.items()
        for model, needs in MODELS.items()
        if needs.smallest <= min(info.shape[:2])
    ]
    return built_in + sorted(_registered)


def check_data(spec: TaskSpec) -> list[str]:
    """Whether a task's data are complete, as far as that is cheap to see; neither model nor torch is loaded.

    Returns:
        What was found, as sentences: the source, the splits and their sizes.

    Raises:
        DataError: when the data are missing or incomplete, naming the file.
    """
    if spec.factory != BUILTIN:
        return [f"task {spec.name} brings its own data, which is not checked"]
    from tune_regimes.tasks import datasets

    return datasets.check(split_name(spec.name)[0], spec.options)
