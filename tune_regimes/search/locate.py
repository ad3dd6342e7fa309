"""Locate the two regimes of a task: short trainings at constant step sizes, a coarse grid first, then bisection.

It runs in this process, without Ray: each step size depends on what became of the one before, so there is little to run
at once, and a small task is done in less time than a cluster takes to start. All else is what a study does: a run is a
trial with the rows, states and resumption of one, and lies in a study's folder. Every run begins with the same warm-up
at the lowest step size; it is trained once for each seed and inherited from the store of states by all others.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pandas as pd

from tune_regimes.errors import StudyError
from tune_regimes.results.regimes import FALLING, LEARNED
from tune_regimes.search.bracketing import Tried
from tune_regimes.search.locate_settings import LocateSettings, listed_seeds
from tune_regimes.search.regimes import Regimes
from tune_regimes.search.sweep import Sweep, open_sweep
from tune_regimes.storage import Storage
from tune_regimes.tasks import TaskSpec, check_data

OnPoint = Callable[[pd.Series], None]


def locate(
    task: TaskSpec,
    *,
    momenta: Sequence[float] = (0.0, 0.9),
    epochs: int = 8,
    seeds: int | Sequence[int] = 2,
    warm_up: int = 1,
    weight_decay: float = 1e-4,
    lowest: float = 1e-3,
    highest: float = 100.0,
    resolution: float = 1.4,
    output: str | os.PathLike[str] | None = None,
    store: str | None = None,
    device: str = "cpu",
    threads: int = 1,
    on_point: OnPoint | None = None,
) -> Regimes:
    """Find the largest learning rate that does not diverge (A), and the largest at which the loss falls steadily (B).

    The criteria are those of `tune_regimes.results.regimes`. What they give depends on how long is trained: over more
    epochs a large step has more occasions to diverge, and the loss more to rise.

    Args:
        task: What is trained, from `tune_regimes.task`.
        momenta: Momenta of SGD, each of which is searched by itself.
        epochs: Epochs of a run after its warm-up, at least 2.
        seeds: Seeds of each step size: a number (0..n-1) or the seeds themselves.
        warm_up: Epochs at the lowest step size, without momentum, with which every run begins; 0 for none.
        weight_decay: Weight decay throughout.
        lowest: Step size lr / (1 - momentum) at which the search begins.
        highest: Step size at which it ends if nothing diverges.
        resolution: Ratio of neighbouring step sizes below which neither regime is searched more closely.
        output: Folder of the runs, where the same call goes on after an interruption; None to keep nothing.
        store: Folder or URI of states that studies share; None for one in the folder.
        device: "cpu" or "cuda".
        threads: CPU threads.
        on_point: Called with its row of `Regimes.runs` when a step size has been tried.

    Returns:
        The regimes.

    Raises:
        UsageError: An argument cannot be used, no learning rate learns, or all diverge.

    References:
        Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, Sec. 3.
    """
    settings = LocateSettings(
        tuple(map(float, momenta)), epochs, listed_seeds(seeds), warm_up, weight_decay, lowest, highest, resolution
    )
    check_data(task)
    with (
        _folder(output) as folder,
        open_sweep(task, settings, folder, store=store, device=device, threads=threads) as sweep,
    ):
        for momentum in settings.momenta:
            _search(sweep, momentum, on_point or (lambda run: None))
        accurate = "accuracy" in sweep.place.task.metrics
    metric = ("test_accuracy", "max") if accurate else ("test_loss", "min")
    return Regimes(task, *sweep.tables(), settings, metric)


def _search(sweep: Sweep, momentum: float, on_point: OnPoint) -> None:
    """Try step sizes at one momentum until both regimes are bracketed.

    Raises:
        StudyError: All of them diverge, or none learns.
    """
    steps: dict[int, float] = {}
    tried: list[Tried] = []
    while (step_size := sweep.settings.bracketing.next(tried)) is not None:
        steps[sweep.add(step_size, momentum)] = step_size
        runs = sweep.described().loc[list(steps)]
        on_point(runs.iloc[-1])
        outcomes = zip(steps.values(), runs["diverges"], runs["falling"] >= FALLING, strict=True)
        tried = [Tried(step, bool(diverges), bool(falls)) for step, diverges, falls in outcomes]
        if tried[0].diverges:
            raise StudyError(_all_diverge(sweep.settings, momentum))
    sound = runs.loc[~runs["diverges"].astype(bool), "final_loss"]
    if not (sound < LEARNED * _initial(sweep)).any():
        raise StudyError(_none_learns(sweep, runs, momentum))


def _initial(sweep: Sweep) -> float:
    """The training loss of the first epoch at the lowest step size, over seeds."""
    trials, epochs = sweep.tables()
    first = epochs["trial_id"].isin(trials.loc[trials["point"] == 0, "trial_id"]) & (epochs["epoch"] == 1)
    return float(epochs.loc[first, "train_loss"].mean())


def _all_diverge(settings: LocateSettings, momentum: float) -> str:
    return (
        f"the lowest step size must not diverge; with momentum {momentum:g} that of the range {settings.lowest:g} to "
        f"{settings.highest:g} does within {settings.epochs} epochs, and larger ones would: lower the range (lowest), "
        "or check the scale of the data and the loss"
    )


def _none_learns(sweep: Sweep, runs: pd.DataFrame, momentum: float) -> str:
    steps, least = runs["step_size"], runs["final_loss"].min()
    return (
        f"at least one learning rate must bring the training loss below {LEARNED:.0%} of its first value, "
        f"{_initial(sweep):.4g}; with momentum {momentum:g} none of {len(runs)} step sizes from {steps.min():.3g} to "
        f"{steps.max():.3g} did within {sweep.settings.epochs} epochs, the least was {least:.4g}: give more epochs or "
        "a wider range (lowest, highest), or check the data and the labels"
    )


@contextmanager
def _folder(output: str | os.PathLike[str] | None) -> Iterator[Storage]:
    """The folder of the runs, or one that is gone afterwards."""
    if output is not None:
        yield Storage(output)
        return
    with tempfile.TemporaryDirectory(prefix="tune-regimes-") as path:
        yield Storage(path)
