"""Weights along a run: snapshots, how far they are apart, and what their averages predict.

A training is a pure function of its task, seed and policy, so that its weights after any epoch are had by training
again: no snapshots need to be stored for it.

Source: Intrinsic Learning Rate (Li, Lyu and Arora, 2020), section 6.3, figures 6 and 7.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from tune_regimes.errors import UsageError
from tune_regimes.schedule import Policy
from tune_regimes.tasks import Task
from tune_regimes.theory.checks import Array
from tune_regimes.training import Numerics, State, Trajectory
from tune_regimes.training.averaging import recompute_batchnorm
from tune_regimes.training.batches import device_data
from tune_regimes.training.means import Means
from tune_regimes.training.observables import weight_norm
from tune_regimes.training.randomness import global_stream

NUMERICS = Numerics()


def snapshots(
    task: Task,
    policy: Policy,
    seed: int,
    epochs: Sequence[int],
    *,
    device: str = "cpu",
    numerics: Numerics = NUMERICS,
) -> list[State]:
    """Train as far as the last of some epochs, and return the state after each of them.

    Args:
        task: What is trained.
        policy: A schedule, or a policy that reacts.
        seed: Of the training.
        epochs: How many epochs are completed at each snapshot, rising, from 0 (the initial weights).
        device: As for a `Trajectory`.
        numerics: As for a `Trajectory`.

    Returns:
        Captured states on the CPU, of the size of the model and the optimizer's buffers each.

    Raises:
        UsageError: No epochs, epochs that do not rise or lie beyond the policy's, or a training that diverges before
            the last of them.
        ResourceError: As a `Trajectory`.
    """
    wanted = list(epochs)
    if not wanted or wanted != sorted(set(wanted)) or wanted[0] < 0 or wanted[-1] > policy.epochs:
        raise UsageError(
            f"snapshots are taken after epochs that rise, from 0 to {policy.epochs} (those of the schedule), got "
            f"{wanted}; name each once, in order"
        )
    trajectory = Trajectory(task, seed=seed, device=device, numerics=numerics)
    state, found = policy.start(), []
    for epoch in range(wanted[-1] + 1):
        if epoch in wanted:
            found.append(trajectory.capture())
        if epoch < wanted[-1]:
            record = trajectory.advance(policy.settings(state, trajectory.steps_per_epoch))
            _check_going(trajectory, wanted)
            state = policy.observe(state, record)
    return found


def trained_names(states: Sequence[State]) -> list[str]:
    """The names of the trained parameters, as snapshots of one training tell them apart from buffers.

    Raises:
        UsageError: No state was taken after an epoch.
    """
    starts = [state["start"] for state in states if state["start"] is not None]
    if not starts:
        raise UsageError(
            f"at least one of the snapshots must be of a training that has begun, got {len(states)} without; "
            "take one after epoch 1 or later"
        )
    return list(starts[0])


def weight_norms(states: Sequence[State]) -> Array:
    """The L2 norm of all trained parameters in each snapshot, shape [snapshots], summed in float64."""
    names = trained_names(states)
    return np.array([weight_norm(state["model"][name] for name in names) for state in states])


def weight_distances(states: Sequence[State]) -> Array:
    """The distances |W_i - W_j| between the trained parameters of snapshots: figures 6 and 7.

    Args:
        states: From `snapshots`; at least one was taken after an epoch.

    Returns:
        Shape [snapshots, snapshots], symmetric with a diagonal of 0, summed in float64; NaN where weights are not
        finite. It takes a float64 copy of one parameter for each snapshot at a time.

    Raises:
        UsageError: No state was taken after an epoch.
    """
    squares = torch.zeros(len(states), len(states), dtype=torch.float64)
    for name in trained_names(states):
        rows = torch.stack([state["model"][name].double().flatten() for state in states])
        squares += torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").square()
    finite = torch.tensor([math.isfinite(norm) for norm in weight_norms(states)])
    squares[~finite] = squares[:, ~finite] = torch.nan
    return np.asarray(squares.sqrt().numpy())


def averaged_weights(states: Sequence[State], names: Sequence[str] | None = None) -> dict[str, Tensor]:
    """The mean of the trained parameters of snapshots by name, taken in float64, in their own type.

    Args:
        states: One snapshot or more.
        names: The parameters; None for all that are trained, for which a snapshot must be of a training that has begun.

    Raises:
        UsageError: No snapshots, or no names and no state that was taken after an epoch.
    """
    if not states:
        raise UsageError("an average needs at least one snapshot, got none; name an epoch")
    chosen = trained_names(states) if names is None else names
    parts = {name: [state["model"][name] for state in states] for name in chosen}
    return {name: torch.stack(each).double().mean(dim=0).to(each[0].dtype) for name, each in parts.items()}


def averaged_accuracy(
    task: Task, states: Sequence[State], *, seed: int = 0, device: str = "cpu", numerics: Numerics = NUMERICS
) -> dict[str, float]:
    """What a model with the mean weights of snapshots gives on the test set.

    The running statistics of BatchNorm are computed anew over one epoch of training batches, as means over batches:
    those of the snapshots are not those of their mean. A single snapshot is treated alike, so that it can be compared.

    Args:
        task: What was trained.
        states: One snapshot or more of one training.
        seed: Of the order, crops and flips of the batches that the statistics come from.
        device: Where to compute.
        numerics: In which type, and with how many threads.

    Returns:
        ``test_loss`` and ``test_<metric>``; NaN where the mean is not finite.

    Raises:
        UsageError: No snapshots.
        ResourceError: There is no such device.
    """
    model = Trajectory(task, seed=seed, device=device, numerics=numerics).model
    mean = averaged_weights(states, [name for name, p in model.named_parameters() if p.requires_grad])
    model.load_state_dict({**states[-1]["model"], **mean})
    where = next(model.parameters()).device
    data, means, settled = device_data(task, where), Means("test", task.metrics), numerics.resolved(where)
    with settled.applied(where), settled.autocast(where), global_stream(where, seed, "averaged"), torch.no_grad():
        recompute_batchnorm(model, (inputs for inputs, _ in data.train(seed, states[-1]["epoch"])))
        model.eval()
        for inputs, targets in data.test():
            outputs = model(inputs)
            means.add(task.loss(outputs, targets), outputs, targets)
    finite = math.isfinite(weight_norm(mean.values()))
    return {name: value if finite else math.nan for name, value in means.result().items()}


def pairwise_averages(
    task: Task,
    states: Sequence[State],
    metric: str = "test_accuracy",
    *,
    seed: int = 0,
    device: str = "cpu",
    numerics: Numerics = NUMERICS,
) -> Array:
    """The metric of the average of any two snapshots: figures 6 and 7.

    Args:
        task: What was trained.
        states: Snapshots of one training.
        metric: A name that `averaged_accuracy` gives.
        seed: As there, as are all others.
        device: Where to compute.
        numerics: In which type, and with how many threads.

    Returns:
        Shape [snapshots, snapshots], symmetric; on the diagonal the snapshots themselves. Each pair costs a pass over
        the training set, where the model has BatchNorm, and one over the test set.

    Raises:
        UsageError: As `averaged_accuracy`, or a metric that the task does not have.
    """
    values = np.full((len(states), len(states)), math.nan)
    for i, one in enumerate(states):
        for j, other in enumerate(states[: i + 1]):
            pair = [one] if i == j else [other, one]
            found = averaged_accuracy(task, pair, seed=seed, device=device, numerics=numerics)
            values[i, j] = values[j, i] = _metric(found, metric)
    return values


def _check_going(trajectory: Trajectory, wanted: list[int]) -> None:
    if trajectory.diverged:
        raise UsageError(
            f"snapshots are of a training that goes on, and this one diverged in epoch {trajectory.epoch} of "
            f"{wanted[-1]}; take them before it, or choose a smaller learning rate"
        )


def _metric(found: Mapping[str, float], name: str) -> float:
    if name not in found:
        raise UsageError(f"metric must be one of {', '.join(found)}, got {name!r}")
    return found[name]
