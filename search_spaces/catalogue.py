"""The studies that can be run by name: what each tests, at which scales, with which options.

Nothing here loads torch or ray; building a study does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tune_regimes.errors import StudyError

if TYPE_CHECKING:
    from tune_regimes.search import Study

PAPERS = ("two_regimes", "autodrop", "intrinsic_lr", "sgdl", "second_phase", "break_even")
"""Modules of this package, one per paper; each has ``STUDIES``, its entries by short name."""

OPTIONS: Mapping[str, str] = {
    "data": "where the images lie: a folder of hub-style Parquet files, torchvision's own folder, or an image folder",
    "model": "another model on the same data set, as in resnet18, or a whole task, as in cifar100/resnet18",
    "augment": "random crops and flips on or off, where the scale's own choice is not wanted",
    "epochs": "epochs of every schedule",
    "samples": "points drawn in each cell of the grid",
    "seeds": "how many seeds each point runs with, or a list of them",
}
"""What every study can be told, with its meaning; each has a default that its scale gives."""


@dataclass(frozen=True)
class Scale:
    """How large a study is run, and on what.

    Args:
        summary: What it is for, and what it takes.
        task: Name of the task, as for ``tune_regimes.task``.
        task_options: Options of the task.
        epochs: Epochs of every schedule.
        samples: Points drawn in each cell of the grid.
        seeds: Seeds of each point: how many, or which.
    """

    summary: str
    task: str
    epochs: int
    samples: int
    seeds: int | Sequence[int] = 3
    task_options: Mapping[str, Any] = field(default_factory=dict)

    def with_options(self, **options: Any) -> "Scale":
        """The scale with what is given of :data:`OPTIONS` in place of its own; None gives nothing.

        Raises:
            StudyError: An option that no study has.

        Examples:
            >>> scale = Scale("for tests", "digits/mlp", epochs=12, samples=2)
            >>> changed = scale.with_options(model="mlp_bn", seeds=5, data=None)
            >>> changed.task, changed.seeds, changed.epochs
            ('digits/mlp_bn', 5, 12)
        """
        given = {name: value for name, value in options.items() if value is not None}
        if unknown := sorted(set(given) - set(OPTIONS)):
            raise StudyError(f"a study's options are {', '.join(OPTIONS)}; got {', '.join(unknown)}: leave it out")
        task_options = {name: given.pop(name) for name in set(given) & {"data", "augment"}}
        task = _other_model(self.task, given.pop("model", None))
        return replace(self, task=task, task_options={**self.task_options, **task_options}, **given)


@dataclass(frozen=True)
class StudyEntry:
    """A study of a paper; calling it with a scale and options builds it.

    Args:
        name: ``"<paper>.<study>"``.
        summary: What it does, in one line.
        source: The paper.
        figures: The figures that it replicates.
        claims: Numbers of the claims that its analysis judges.
        scales: Its scales by name, the smallest first.
        builder: Builds the study from the name of a scale and that scale with the options in place.
    """

    name: str
    summary: str
    source: str
    figures: tuple[str, ...]
    claims: tuple[str, ...]
    scales: Mapping[str, Scale]
    builder: Callable[..., "Study"]

    @property
    def default_scale(self) -> str:
        """The smallest scale."""
        return next(iter(self.scales))

    def scale(self, name: str) -> Scale:
        """The scale of that name.

        Raises:
            StudyError: There is none such.
        """
        if name not in self.scales:
            raise StudyError(
                f"the scales of {self.name} are {', '.join(self.scales)}; got {name!r}: choose one of them"
            )
        return self.scales[name]

    def __call__(self, scale: str | None = None, **options: Any) -> "Study":
        """Build the study.

        Args:
            scale: Name of the scale; None is the smallest.
            **options: What is given of :data:`OPTIONS`; None gives nothing.

        Raises:
            StudyError: An unknown scale or option.
            TaskError: A model or task that there is none of.
        """
        name = scale or self.default_scale
        given = {option: value for option, value in options.items() if value is not None}
        origin = {"study": self.name, "scale": name, "options": given}
        return self.builder(name, self.scale(name).with_options(**given), origin=origin)


def make_study(
    study: str,
    name: str,
    scale: Scale,
    schedule: Callable[[Any], Any],
    space: Mapping[str, Any],
    origin: dict[str, Any] | None,
    **further: Any,
) -> "Study":
    """A study on the task of a scale, with its samples and seeds.

    Args:
        study: ``"<paper>.<study>"``.
        name: Name of the scale.
        scale: The scale, options in place.
        schedule: A function from a config to what is trained.
        space: Domains of Ray Tune by name; see :func:`grid_of`.
        origin: The catalogue entry and what it was asked.
        **further: More of the study's arguments.
    """
    import tune_regimes as tr

    return tr.Study(
        name=f"{study}-{name}",
        task=tr.task(scale.task, **scale.task_options),
        schedule=schedule,
        space=space,
        samples=scale.samples,
        seeds=scale.seeds,
        origin=origin,
        **further,
    )


def grid_of(values: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """A space that visits every combination of these values."""
    from ray import tune

    return {setting: tune.grid_search(list(each)) for setting, each in values.items()}


def studies() -> tuple[StudyEntry, ...]:
    """Every study of every paper.

    Examples:
        >>> [entry.name for entry in studies()][:2]
        ['two_regimes.transition_epoch', 'two_regimes.lr_momentum']
    """
    modules = [import_module(f"search_spaces.{paper}") for paper in PAPERS]
    return tuple(entry for module in modules for entry in module.STUDIES.values())


def find_study(name: str) -> StudyEntry:
    """The study of that name.

    Raises:
        StudyError: There is none such.

    Examples:
        >>> find_study("two_regimes.lr_momentum").default_scale
        'smoke'
        >>> find_study("transition")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tune_regimes.errors.StudyError: the studies are two_regimes.transition_epoch, ...; got 'transition': choose ...
    """
    known = {entry.name: entry for entry in studies()}
    if name not in known:
        raise StudyError(f"the studies are {', '.join(known)}; got {name!r}: choose one of them")
    return known[name]


def _other_model(task: str, model: str | None) -> str:
    if model is None:
        return task
    return model if "/" in model else f"{task.partition('/')[0]}/{model}"
