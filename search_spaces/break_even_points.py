"""The points of ``break_even``'s studies: learning rates, batch sizes, momenta and looks at each scale.

The paper names few of its values: learning rates 0.1, 0.01 and 0.001 for SimpleCNN, 1.0 with BatchNorm, batch sizes 10
and 100, momenta 0.1, 0.5 and 0.9, learning rate 0.05 and batch size 128 while the other varies. The grids around them,
how often curvature is measured and the accuracies of the vertical lines are not given: what stands beside the printed
values here is ours. The smaller scales have fewer steps, so that their learning rates are larger: curvature grows until
training is no longer stable, and that takes a time in proportion to 1 / lr.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_regimes.schedule import Phase, Schedule, rescaled

BATCH_NORM_BATCHES = (10, 32, 100, 320)
"""Batch sizes of Fig. 26, of which 10 alone is printed; each is a task of its own, for BatchNorm normalises by it."""
EXAMPLES: Mapping[str, int] = {"smoke": 64, "replica": 64, "paper": 128}
"""Examples M in each gradient of K where the batch size of the training varies."""
EVERY: Mapping[str, int] = {"smoke": 1, "replica": 2, "paper": 1}
"""Epochs between two looks there."""


@dataclass(frozen=True)
class Grid:
    """What a study varies at a scale.

    Args:
        lrs: Learning rates, the largest first; one where something else varies.
        batch_sizes: Examples in a step, each a multiple of the task's batch size.
        momenta: Momenta.
        probes: What looks at the training, as on the command line.
        weight_decay: Weight decay, on kernels alone.
    """

    lrs: tuple[float, ...]
    probes: tuple[str, ...]
    batch_sizes: tuple[int, ...] = ()
    momenta: tuple[float, ...] = ()
    weight_decay: float = 0.0


def curvature(subset: float, **options: Any) -> str:
    """The curvature probe that measures H at each of its looks.

    Args:
        subset: Share of the training set that H is measured on; the paper's is 0.05.
        **options: Further options.

    Examples:
        >>> curvature(0.05, steps=39)
        'curvature:subset=0.05,hessian_every=1,steps=39'
    """
    given = {"subset": subset, "hessian_every": 1, **options}
    return "curvature:" + ",".join(f"{name}={value}" for name, value in given.items())


SUBSETS: Mapping[str, float] = {"smoke": 0.2, "replica": 0.1, "paper": 0.05}
"""Of the training set for H: about 100, 100 and 2,500 examples."""
LOOKS: Mapping[str, int] = {"smoke": 12, "replica": 16, "paper": 39}
"""Steps between two looks at the early phase; the paper looks at every step, or does not say."""
SPECTRUM = 10
"""Eigenvalues of H in the spectrum of Fig. 3."""
ROWS: Mapping[str, int] = {"smoke": 300, "replica": 512, "paper": 5000}
"""Training examples of Fig. 9, all of which K is measured on; the paper's are a tenth of CIFAR-10."""
SIZES: Mapping[str, int] = {"smoke": 20, "replica": 32, "paper": 128}
"""Examples M in the mini-batches of Fig. 9."""


def _grids(name: str) -> dict[str, Grid]:
    """The grids of every study at a scale but its learning rates, in the form of the paper's."""
    look = curvature(SUBSETS[name])
    fixed = curvature(SUBSETS[name], batch_size=EXAMPLES[name], every=EVERY[name])
    return {
        "lr": Grid(_LRS[name], (look,)),
        "batch_size": Grid((_BATCH_LR[name],), (fixed,), batch_sizes=_BATCHES[name]),
        "early": Grid(
            _EARLY[name],
            (curvature(SUBSETS[name], steps=LOOKS[name], top=SPECTRUM), f"predictions:steps={LOOKS[name]}"),
        ),
        "batch_norm": Grid(_BATCH_NORM[name], (look, "norms")),
        "no_batch_norm": Grid(_BATCH_NORM[name], (look,)),
        "batch_norm_batch": Grid((_BATCH_LR[name],), (fixed, "norms")),
        "momentum": Grid((_LRS[name][-1],), (look,), momenta=(0.1, 0.5, 0.9)),
        "momentum_lr": Grid(_HEAVY[name], (look,), momenta=(0.9,)),
        "decay": Grid(_LRS[name], (look,)),
        "resnet32": Grid(_RESNET[name], (look,), weight_decay=1e-4),
        "resnet32_batch_size": Grid((_BATCH_LR[name],), (fixed,), _RESNET_BATCHES[name], weight_decay=1e-4),
        "mlp": Grid(_MLP[name], (look,)),
        "single_example": Grid(_EXAMPLE_LRS[name], (f"curvature:hessian_every=0,batch_size=1,batches={ROWS[name]}",)),
        "mini_batch": Grid(_EXAMPLE_LRS[name], (f"curvature:hessian_every=0,batches={ROWS[name] // SIZES[name]}",)),
    }


_LRS = {"smoke": (0.3, 0.1, 0.03), "replica": (0.2, 0.1, 0.05), "paper": (0.1, 0.03, 0.01, 0.003)}
_BATCH_LR = {"smoke": 0.1, "replica": 0.1, "paper": 0.05}
_BATCHES = {"smoke": (10, 50, 250), "replica": (8, 24, 64), "paper": (10, 30, 100, 300)}
_EARLY = {"smoke": (0.3, 0.1), "replica": (0.2, 0.05), "paper": (0.01, 0.001)}
_BATCH_NORM = {"smoke": (1.0, 0.1, 0.01), "replica": (1.0, 0.1, 0.01), "paper": (1.0, 0.1, 0.01, 0.001)}
_HEAVY = {"smoke": (0.03, 0.01), "replica": (0.02, 0.005), "paper": (0.1, 0.01, 0.001)}
_RESNET = {"smoke": (0.3, 0.1, 0.03), "replica": (0.4, 0.1, 0.025), "paper": (0.2, 0.1, 0.05, 0.01)}
_RESNET_BATCHES = {"smoke": (10, 50, 250), "replica": (32, 128, 512), "paper": (32, 128, 512)}
_MLP = {"smoke": (0.4, 0.1, 0.03), "replica": (0.4, 0.2, 0.1, 0.05), "paper": (0.2, 0.05, 0.01, 0.003)}
_EXAMPLE_LRS = {"smoke": (0.3, 0.1, 0.03), "replica": (0.2, 0.1, 0.05), "paper": (0.1, 0.01, 0.001)}

GRIDS: Mapping[str, Mapping[str, Grid]] = {name: _grids(name) for name in SUBSETS}
"""By scale and study; the four studies of Fig. 26 share ``batch_norm_batch``."""

Config = Mapping[str, Any]


def constant_schedule(config: Config, *, grid: Grid, epochs: int, batch_size: int) -> Schedule:
    """A constant learning rate and momentum; a step takes as many batches as its batch size asks for.

    Examples:
        >>> grid = GRIDS["paper"]["batch_size"]
        >>> phase = constant_schedule({"batch_size": 100}, grid=grid, epochs=200, batch_size=10).phases[0]
        >>> phase.lr, phase.batches_per_step, phase.epochs
        (0.05, 10, 200)
    """
    phase = Phase(
        lr=config.get("lr", grid.lrs[0]),
        momentum=config.get("momentum", grid.momenta[0] if grid.momenta else 0.0),
        weight_decay=grid.weight_decay,
        decay="kernels" if grid.weight_decay else "all",
        batches_per_step=config.get("batch_size", batch_size) // batch_size,
        epochs=epochs,
    )
    return Schedule((phase,))


def decay_schedule(config: Config, *, grid: Grid, epochs: int, batch_size: int) -> Schedule:
    """A tenth of the learning rate after half of the epochs, the 100th of 200 (App. G).

    Examples:
        >>> schedule = decay_schedule({"lr": 0.1}, grid=GRIDS["paper"]["decay"], epochs=200, batch_size=128)
        >>> [(phase.lr, phase.epochs) for phase in schedule.phases]
        [(0.1, 100), (0.01, 100)]
    """
    return rescaled(epochs=epochs, lr=config["lr"], weight_decay=0.0, changes=[(epochs // 2, 0.1, 1.0)])


def early_schedule(config: Config, *, grid: Grid, epochs: int, batch_size: int) -> Schedule:
    """All epochs at the smallest learning rate, fewer at larger ones, by the root of 1 / lr.

    In inverse proportion the sums of steps would be equal; a large step gains less than in proportion.

    Examples:
        >>> grid = GRIDS["paper"]["early"]
        >>> [early_schedule({"lr": lr}, grid=grid, epochs=150, batch_size=128).epochs for lr in grid.lrs]
        [47, 150]
    """
    share = math.sqrt(min(grid.lrs) / config["lr"])
    return constant_schedule(config, grid=grid, epochs=max(1, round(epochs * share)), batch_size=batch_size)


def drawn(kind: str, grid: Grid) -> dict[str, Sequence[Any]]:
    """The values of the settings that a study varies: every combination is a point.

    Examples:
        >>> drawn("batch_size", GRIDS["paper"]["batch_size"])
        {'batch_size': (10, 30, 100, 300)}
    """
    return {"batch_size": {"batch_size": grid.batch_sizes}, "momentum": {"momentum": grid.momenta}}.get(
        kind, {"lr": grid.lrs}
    )
