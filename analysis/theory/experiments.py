"""Toy experiments: the figures and claims of the papers that need no network, from :mod:`tune_regimes.theory`.

An experiment computes in seconds to a minute and gives a report like a study's. To add one, write a function that
returns :class:`Findings` in a module of this package, enter it in that module's ``EXPERIMENTS``, and the module in
`MODULES`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module

from analysis.document import Document, Plate, bullets
from analysis.statistics import Effect
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, Quantity, Verdict
from tune_regimes.errors import TheoryError

MODULES = (
    "noisy_quadratic",
    "saturation_rule",
    "velocity_model",
    "ill_conditioned",
    "incremental_descent",
    "toy_loss",
    "settling",
)
"""Modules of this package with ``EXPERIMENTS``."""


@dataclass(frozen=True)
class Findings(Document):
    """What a toy experiment says.

    Args:
        name: The experiment, ``"<paper>.<name>"``.
        source: The paper and its figures.
        setup: What was computed, in words, a line each; what the paper leaves open among it.
        verdicts: One per claim.
        plates: The figures, the most important first.
        sections: Further text in Markdown by heading.
    """

    name: str
    source: str
    setup: Sequence[str]
    verdicts: tuple[Verdict, ...] = ()
    plates: tuple[Plate, ...] = ()
    sections: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def head(self) -> list[str]:
        """The experiment's name, where it comes from, and what was computed."""
        command = f"Command: `tune-regimes theory {self.name}`"
        return [f"# {self.name}", bullets([command, f"Source: {self.source}", *self.setup])]


@dataclass(frozen=True)
class Experiment:
    """A toy experiment of a paper; calling it makes the computation.

    Args:
        name: ``"<paper>.<name>"``.
        summary: What it does, in one line.
        source: The paper.
        figures: The figures that it replicates.
        claims: Numbers of the claims that it judges.
        run: Makes the computation.
    """

    name: str
    summary: str
    source: str
    figures: tuple[str, ...]
    claims: tuple[str, ...]
    run: Callable[[], Findings]

    def __call__(self) -> Findings:
        """Make the computation."""
        return self.run()


def experiments() -> tuple[Experiment, ...]:
    """Every toy experiment.

    Examples:
        >>> [experiment.name for experiment in experiments()][:2]
        ['autodrop.noisy_quadratic', 'autodrop.saturation_rule']
    """
    modules = [import_module(f"analysis.theory.{module}") for module in MODULES]
    return tuple(experiment for module in modules for experiment in module.EXPERIMENTS)


def find_experiment(name: str) -> Experiment:
    """The toy experiment of that name.

    Raises:
        TheoryError: There is none such.
    """
    known = {experiment.name: experiment for experiment in experiments()}
    if name not in known:
        raise TheoryError(f"the toy experiments are {', '.join(known)}; got {name!r}: choose one of them")
    return known[name]


def interval(effect: Effect) -> tuple[float, float, float]:
    """A mean over replicates with its 90 % interval."""
    return (effect.difference, *effect.interval(0.90))


def exact(
    claim: str, statement: str, test: str, right: bool, statistics: Mapping[str, Quantity], note: str = "", **n: int
) -> Verdict:
    """A verdict on something that is computed and leaves nothing to chance: it holds or does not."""
    return Verdict(claim, statement, HOLDS if right else DOES_NOT_HOLD, test, statistics, n=n, note=note)
