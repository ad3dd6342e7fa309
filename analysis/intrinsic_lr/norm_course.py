"""The norm of scale-invariant weights as measured, beside the course that Lemma 5.2 predicts, and when it settles.

With G = norm(w)^2 and eta the learning rate, gamma = (G / eta)^2 is the inverse square of the effective learning rate.
The prediction takes gamma at the first epoch as it is measured, and from then on nothing but the settings and the
gradients' second moment.

Source: Li, Lyu and Arora, Reconciling Modern Deep Learning with Traditional Optimization Analyses, 2020, Sec. 5.1.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.statistics import Array
from tune_regimes.errors import UsageError
from tune_regimes.theory.effective_lr import effective_lr, gamma_after, gamma_of

COLUMNS = ("lr", "momentum", "weight_decay", "steps", "norm_squared", "gradient_second_moment")
"""What a prediction needs of an epochs table: the last two from the probes ``norms`` and ``curvature``."""


def predicted_gamma(
    start: float, steps: ArrayLike, lr: ArrayLike, weight_decay: ArrayLike, second_moment: ArrayLike
) -> Array:
    """Gamma at the end of each epoch by Lemma 5.2, eq. 12, with epsilon 0 within an epoch.

    In an epoch of t steps gamma becomes e^(-4 le t) gamma + q / (2 le) (1 - e^(-4 le t)), le = lr x weight_decay, and
    gamma + 2 q t without weight decay. Between epochs a change of lr multiplies gamma by (old lr / new lr)^2. The lemma
    has q = Tr Sigma, the trace of the covariance: here it is the full second moment E norm(gradient)^2 at the unit
    weights, since the mean gradient makes the weights grow as well (ours, exact for one step).

    Args:
        start: Gamma at the end of the first epoch, as measured.
        steps: Optimizer steps of each epoch, shape [epochs].
        lr: Learning rate of each epoch; with momentum, lr / (1 - momentum).
        weight_decay: Of each epoch.
        second_moment: q of each epoch.

    Returns:
        Shape [epochs]; the first is `start`.

    Raises:
        TheoryError: A negative number.

    Examples:
        >>> predicted_gamma(3.0, [10, 10, 10], [0.1, 0.1, 0.05], [0.0, 0.0, 0.0], [2.0, 2.0, 2.0]).tolist()
        [3.0, 43.0, 212.0]
    """
    times, rates, decays, moments = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(values, float)) for values in (steps, lr, weight_decay, second_moment))
    )
    gammas = [float(start)]
    for epoch in range(1, len(times)):
        entered = gammas[-1] * (rates[epoch - 1] / rates[epoch]) ** 2
        le = float(rates[epoch] * decays[epoch])
        gammas.append(float(gamma_after(times[epoch], entered, le, float(moments[epoch]))))
    return np.array(gammas)


def norm_course(epochs: pd.DataFrame) -> pd.DataFrame:
    """Gamma and the effective learning rate of one run, measured and predicted.

    The network must be scale invariant in all that is trained: ``gradient_second_moment`` is that of all parameters.
    The second moment of an epoch is that at its end, since that is when the probes look.

    Args:
        epochs: The rows of one trial of an epochs table, with `COLUMNS` and ``epoch``; epochs without a measurement are
            left out, and their steps are counted to the next one.

    Returns:
        Columns ``epoch``, ``step`` (steps from the first), ``gamma``, ``predicted_gamma``, ``effective_lr``,
        ``predicted_effective_lr``.

    Raises:
        UsageError: A column is missing, or no epoch has been measured.
    """
    if missing := [name for name in ("epoch", *COLUMNS) if name not in epochs]:
        raise UsageError(
            f"a predicted norm needs the columns {', '.join(COLUMNS)}; {', '.join(missing)} missing: run the study "
            "with --probe norms --probe curvature"
        )
    rows = epochs.sort_values("epoch").astype(dict.fromkeys(COLUMNS, float))
    rows = rows.assign(step=rows["steps"].cumsum(), size=rows["lr"] / (1 - rows["momentum"].fillna(0.0)))
    rows = rows[np.isfinite(rows[list(COLUMNS[4:])]).all(axis=1) & (rows["size"] > 0)]
    if not len(rows):
        raise UsageError("a predicted norm needs an epoch with norm_squared and gradient_second_moment, got none")
    size, norms = rows["size"].to_numpy(), rows["norm_squared"].to_numpy()
    moments = norms * rows["gradient_second_moment"].to_numpy()
    gamma = gamma_of(norms, size)
    between = np.diff(rows["step"].to_numpy(), prepend=0.0)
    predicted = predicted_gamma(gamma[0], between, size, rows["weight_decay"].to_numpy(), moments)
    curves = {"gamma": gamma, "predicted_gamma": predicted}
    rates = {"effective_lr": effective_lr(gamma), "predicted_effective_lr": effective_lr(predicted)}
    return rows[["epoch", "step"]].assign(**curves, **rates).reset_index(drop=True)


def settled_at(
    norm_squared: ArrayLike, intrinsic_steps: ArrayLike, tolerance: float = 0.05, window: float = 1.0
) -> int | None:
    """The first index at which a norm has settled: the criterion of the policy ``Equilibrium``, on what was measured.

    It has settled when all values of G that were measured over the last `window` / le steps, from the latest before
    them on, lie within a factor of 1 + `tolerance`.

    Args:
        norm_squared: G after each epoch, shape [epochs], of a stretch with constant settings.
        intrinsic_steps: lr x weight_decay / (1 - momentum), summed over the steps of each epoch.
        tolerance: Largest relative change of G.
        window: In units of 1 / le.

    Returns:
        None where it never does.

    Examples:
        >>> settled_at([9, 4, 2, 1.01, 1.0, 1.0], 0.5)
        5
        >>> settled_at([9, 4, 2], 0.5) is None
        True
    """
    values = np.asarray(norm_squared, float)
    times = np.cumsum(np.broadcast_to(np.asarray(intrinsic_steps, float), values.shape))
    for last, now in enumerate(times):
        since = int(np.searchsorted(times, now - window * (1 - 1e-9), side="right")) - 1
        part = values[max(since, 0) : last + 1]
        if since >= 0 and np.isfinite(part).all() and part.max() <= (1 + tolerance) * part.min():
            return last
    return None
