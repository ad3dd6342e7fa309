"""Checks of the arrays that the quadratic and incremental models are given."""

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array

SYMMETRY = 1e-10


def check_array(name: str, values: object, shape: tuple[int | None, ...]) -> Array:
    """Return finite numbers as a float64 array that cannot be written to.

    Args:
        name: What the numbers are, for the message.
        values: Anything that NumPy makes an array of.
        shape: The length of each axis; None where any length of at least 1 will do.

    Returns:
        A copy of the given shape.

    Raises:
        TheoryError: Another shape, or a number that is not finite.

    Examples:
        >>> check_array("start", [1.0, 2.0], (3,))
        Traceback (most recent call last):
        tune_regimes.errors.TheoryError: start must have shape (3,): received shape (2,). Give an array of that shape.
    """
    array = np.array(values, dtype=np.float64)
    fits = array.ndim == len(shape) and array.size > 0
    if not fits or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True)):
        wanted = f"({', '.join('any' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"
        raise TheoryError(
            f"{name} must have shape {wanted}: received shape {array.shape}. Give an array of that shape."
        )
    if not np.isfinite(array).all():
        raise TheoryError(f"{name} must be finite: received {array[~np.isfinite(array)][0]}. Give finite numbers.")
    array.setflags(write=False)
    return array


def check_symmetric(name: str, values: object, *, dimension: int | None = None, low: float | None = 0.0) -> Array:
    """Return a symmetric matrix, or a stack of them, after checking its smallest eigenvalue.

    Args:
        name: What the matrix is, for the message.
        values: Shape (n, n), or (N, n, n) for a stack.
        dimension: The n that is asked for; None for any.
        low: The smallest eigenvalue allowed: 0 for positive semi-definite (up to rounding), None for any sign.

    Returns:
        A copy, shape as received.

    Raises:
        TheoryError: The matrix is not square, not symmetric, not finite or has an eigenvalue below `low`.

    Examples:
        >>> check_symmetric("A", [[1.0, 2.0], [2.0, 1.0]])
        Traceback (most recent call last):
        tune_regimes.errors.TheoryError: A must have no eigenvalue below 0: received one of -1. Give a positive
        semi-definite matrix.
    """
    rank = 3 if np.ndim(values) == 3 else 2  # type: ignore[arg-type]
    matrix = check_array(name, values, (None, dimension, dimension)[3 - rank :])
    if matrix.shape[-1] != matrix.shape[-2]:
        raise TheoryError(f"{name} must be square: received shape {matrix.shape}. Give a symmetric matrix.")
    size = float(np.abs(matrix).max())
    skew = float(np.abs(matrix - np.swapaxes(matrix, -1, -2)).max())
    if skew > SYMMETRY * size:
        raise TheoryError(f"{name} must be symmetric: received entries that differ by {skew:g}. Give (A + A^T) / 2.")
    if low is not None and (least := float(np.linalg.eigvalsh(matrix).min())) < low - SYMMETRY * size:
        raise TheoryError(
            f"{name} must have no eigenvalue below {low:g}: received one of {least:g}. "
            "Give a positive semi-definite matrix."
        )
    return matrix


def spectral_radius(matrix: Array) -> Array:
    """Return the largest modulus of an eigenvalue, for a square matrix of any kind or each of a stack: shape (...)."""
    radius: Array = np.abs(np.linalg.eigvals(matrix)).max(axis=-1)
    return radius
