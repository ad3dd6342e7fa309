"""A two-phase search space around located regimes, and the Python file that holds it, ready to run."""

import json
import math
from dataclasses import dataclass

from tune_regimes.errors import StudyError
from tune_regimes.tasks import TaskSpec
from tune_regimes.tasks.spec import BUILTIN

MARGIN = 2.0
"""A large-step phase runs at A divided by this: the edge itself moves with the seed and the length of training."""
EPOCHS = 30
SAMPLES = 6
SEEDS = 3
FILE = "two_phase.py"
_LINE = 120 - len("TASK = ")


@dataclass(frozen=True)
class TwoPhaseSpace:
    """A large-step phase below A, then a small-step phase at or below B.

    The learning rate of the first phase takes two values only, so that trials share it up to their transition epochs.

    Args:
        task: What is trained.
        large: A, the largest learning rate that does not diverge, and its momentum.
        small: B, the largest learning rate at which the loss falls consistently, and its momentum.
        warm_up: Learning rate and epochs with which every schedule begins; 0 epochs for none.
        weight_decay: Weight decay of all phases.
        metric: What the study optimises, and whether "max" or "min" of it.
    """

    task: TaskSpec
    large: tuple[float, float]
    small: tuple[float, float]
    warm_up: tuple[float, int]
    weight_decay: float
    metric: tuple[str, str]

    @property
    def large_lrs(self) -> tuple[float, float]:
        """Learning rates of the large-step phase: a half and a quarter of A."""
        return _rounded(self.large[0] / MARGIN), _rounded(self.large[0] / MARGIN**2)

    @property
    def small_lrs(self) -> tuple[float, float]:
        """Range of the small-step phase: the decade that ends at B."""
        return _rounded(self.small[0] / 10), _rounded(self.small[0])

    def source(self) -> str:
        """The file: a module with ``study(epochs)``, which the command line can run.

        Raises:
            StudyError: The task cannot be built from another file.
        """
        lr, epochs = self.warm_up
        warm_up = f'tr.Phase(lr={lr!r}, weight_decay=WEIGHT_DECAY, epochs={epochs}, name="warm-up"),' if epochs else ""
        return _TEMPLATE.format(
            name=self.task.name,
            study=f"two_phase-{plain_name(self.task)}",
            imports=_imports(self.task),
            task=_call(self.task),
            large=self.large[0],
            large_momentum=self.large[1],
            large_lrs=self.large_lrs,
            small=self.small[0],
            small_momentum=self.small[1],
            small_lrs=self.small_lrs,
            warm_up=f"({warm_up})",
            warm_up_epochs=epochs,
            weight_decay=self.weight_decay,
            metric=self.metric[0],
            mode=self.metric[1],
            epochs=EPOCHS,
            samples=SAMPLES,
            seeds=SEEDS,
        )


def plain_name(task: TaskSpec) -> str:
    """A task's name as a folder may be called.

    Examples:
        >>> plain_name(TaskSpec("digits/mlp"))
        'digits-mlp'
    """
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in task.name).strip("-._")


def _imports(task: TaskSpec) -> str:
    """The line that registers a user's own task."""
    if task.factory == BUILTIN:
        return ""
    if not isinstance(task.factory, str):
        raise StudyError(
            f"a file that runs by itself needs a task that can be imported; task {task.name!r} was defined in a script "
            "or notebook: move its factory into a module"
        )
    module = task.factory.partition(":")[0]
    return f"\nimport {module}  # noqa: F401 (registers the task)"


def _call(task: TaskSpec) -> str:
    """The call that names the task, with the options that are not its defaults."""
    words = [_quoted(task.name), *(f"{name}={_quoted(value)}" for name, value in task.changed().items())]
    line = f"tr.task({', '.join(words)})"
    return line if len(line) <= _LINE else "tr.task(\n" + "".join(f"    {word},\n" for word in words) + ")"


def _quoted(value: object) -> str:
    """A JSON value as Python writes it, with double quotes."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _rounded(value: float) -> float:
    """Three digits, rounded down: what is proposed is not above what was found."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.floor(value / unit * (1 + 1e-12)) * unit:.3g}")


_TEMPLATE = '''"""A two-phase search space for {name}, around the regimes that were located on it.

A, the largest learning rate that does not diverge, is {large:.3g} at momentum {large_momentum:g}.
B, the largest at which the loss falls consistently, is {small:.3g} at momentum {small_momentum:g}.
The first points are the regimes alone: what a schedule has to beat.

Run it with ``tune-regimes run two_phase.py``; --epochs, --samples and --seeds change it.
"""

from functools import partial

from ray import tune

import tune_regimes as tr{imports}

TASK = {task}
WEIGHT_DECAY = {weight_decay!r}
WARM_UP = {warm_up}
WARM_UP_EPOCHS = {warm_up_epochs}
LARGE_LRS = {large_lrs}
"""A half and a quarter of A: two values, so that trials share the first phase up to their transition epochs."""
LARGE_MOMENTUM = {large_momentum!r}
SMALL_LRS = {small_lrs}
"""The decade that ends at B."""
SMALL_MOMENTUM = {small_momentum!r}


def schedule(config, epochs):
    """Large steps until the transition epoch, counted after the warm-up, then small ones."""
    phases = tr.two_phase(
        epochs=epochs - WARM_UP_EPOCHS,
        transition_epoch=config["transition_epoch"],
        large=tr.Phase(lr=config["large_lr"], momentum=LARGE_MOMENTUM),
        small=tr.Phase(lr=config["small_lr"], momentum=SMALL_MOMENTUM),
        weight_decay=WEIGHT_DECAY,
    ).phases
    return tr.Schedule((*WARM_UP, *phases))


def single_regimes(epochs):
    """The regimes alone: each large learning rate throughout, and B throughout."""
    last, small = epochs - WARM_UP_EPOCHS, SMALL_LRS[-1]
    large = [{{"large_lr": lr, "small_lr": small, "transition_epoch": last}} for lr in LARGE_LRS]
    return [*large, {{"large_lr": LARGE_LRS[0], "small_lr": small, "transition_epoch": 0}}]


def study(epochs={epochs}):
    """The study, with schedules of that many epochs."""
    return tr.Study(
        name="{study}",
        task=TASK,
        schedule=partial(schedule, epochs=epochs),
        space={{
            "large_lr": tune.grid_search(list(LARGE_LRS)),
            "small_lr": tune.loguniform(*SMALL_LRS),
            "transition_epoch": tune.randint(1, epochs - WARM_UP_EPOCHS),
        }},
        points_to_evaluate=single_regimes(epochs),
        samples={samples},
        seeds={seeds},
        metric="{metric}",
        mode="{mode}",
    )
'''
