"""Angles between successive steps, and the means over iterations that the noisy quadratic's saturation is read from."""

import numpy as np
import numpy.typing as npt

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_choice, check_count, check_number

AVERAGES = ("disjoint", "moving")
"""The readings of "averaged across 20 iterations": blocks that share no iteration, or a window that slides by one."""


def angle(inner: npt.ArrayLike, norm: npt.ArrayLike, previous_norm: npt.ArrayLike, epsilon: float = 0.0) -> Array:
    """The angle of two vectors from their inner product and norms, AutoDrop's Eq. 2.

    Args:
        inner: Inner products.
        norm: L2 norms of the one, of a shape that broadcasts with that of `inner`.
        previous_norm: L2 norms of the other.
        epsilon: Added to the product of the norms. With 0, the default, a vector of norm 0 stands at 90 degrees to
            every other, which is what any epsilon above 0 gives it.

    Returns:
        Degrees in [0, 180]; the cosine is clamped to [-1, 1].

    Raises:
        TheoryError: `epsilon` is below 0.

    Examples:
        >>> angle([0.0, 1.0, -1.0, 0.0], [1.0, 1.0, 1.0, 0.0], 1.0).round(9).tolist()
        [90.0, 0.0, 180.0, 90.0]
    """
    bottom = np.asarray(norm, np.float64) * np.asarray(previous_norm, np.float64) + check_number("epsilon", epsilon)
    cosine = np.asarray(inner, np.float64) / np.where(bottom > 0.0, bottom, 1.0)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def angular_velocity(iterates: npt.ArrayLike, epsilon: float = 0.0) -> Array:
    """The angle between each displacement and the one before, AutoDrop's definition 1.

    Args:
        iterates: Parameters at the ends of epochs (or iterations), shape (T + 1, ..., d), T >= 2.
        epsilon: See `angle`.

    Returns:
        Degrees per epoch, in float64, shape (T - 1, ...); entry j is the angle between x_(j+2) - x_(j+1) and
        x_(j+1) - x_j.

    Raises:
        TheoryError: Fewer than three iterates, or no axis of coordinates.
    """
    positions = np.asarray(iterates, np.float64)
    if positions.ndim < 2 or len(positions) < 3:
        raise TheoryError(
            f"an angular velocity needs at least three iterates, each a vector: received shape {positions.shape}. "
            "Give an array of shape (iterates, ..., coordinates)."
        )
    steps = np.diff(positions, axis=0)
    norms = np.sqrt(np.sum(steps * steps, axis=-1))
    return angle(np.sum(steps[1:] * steps[:-1], axis=-1), norms[1:], norms[:-1], epsilon)


def means(values: npt.ArrayLike, window: int = 20, average: str = "disjoint") -> Array:
    """Means over windows of successive iterations, along the first axis.

    Args:
        values: Shape (T, ...).
        window: Iterations of a mean.
        average: "disjoint" (a rest at the end is dropped) or "moving".

    Returns:
        Shape (T // window, ...) or (T - window + 1, ...).

    Raises:
        TheoryError: Another average, or fewer values than a window.

    Examples:
        >>> means([1.0, 2.0, 3.0, 6.0, 9.0], window=2).tolist()
        [1.5, 4.5]
        >>> means([1.0, 3.0, 5.0], window=2, average="moving").tolist()
        [2.0, 4.0]
    """
    array = np.asarray(values, np.float64)
    check_choice("average", average, AVERAGES)
    if check_count("window", window) > len(array):
        raise TheoryError(
            f"a mean over {window} iterations needs as many values: received {len(array)}. "
            "Give more values or a smaller window."
        )
    if average == "moving":
        return np.asarray(np.lib.stride_tricks.sliding_window_view(array, window, axis=0).mean(axis=-1))
    blocks = len(array) // window
    return np.asarray(array[: blocks * window].reshape(blocks, window, *array.shape[1:]).mean(axis=1))
