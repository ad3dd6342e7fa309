"""Runs that are the same run: exponential learning rate and weight decay, momentum rescaled, AdamW scaled.

Intrinsic learning rate, appendices B and C. Gradients are given as a function of the weights and the number of the
step, so that both runs of a pair see the same batches. Every path has shape (steps + 1, n), the start first.
"""

from collections.abc import Callable

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_choice, check_count, check_number
from tune_regimes.theory.matrices import check_array

Gradient = Callable[[Array, int], Array]
MOMENTUM_FORMS = ("buffer", "two_step")


def sgd_path(gradient: Gradient, start: object, lrs: object, weight_decay: float = 0.0) -> Array:
    """Return SGD with weight decay, w' = (1 - lr wd) w - lr gradient(w): eq. 2.

    Args:
        gradient: Of (weights, step).
        start: w_0, shape (n,).
        lrs: One learning rate per step, shape (steps,), above 0.
        weight_decay: At least 0.

    Raises:
        TheoryError: A learning rate that is not positive, or one with lr wd of 1 or more.
    """
    path, rates = [check_array("start", start, (None,))], _rates(lrs)
    check_number("intrinsic learning rate lr * wd", float(rates.max()) * weight_decay, below=1.0)
    for step, lr in enumerate(rates):
        path.append((1.0 - lr * weight_decay) * path[-1] - lr * gradient(path[-1], step))
    return np.stack(path)


def exponential_lrs(lr: float, weight_decay: float, steps: int, *, printed: bool = False) -> Array:
    """Return the learning rates that replace weight decay on a scale-invariant loss, shape (steps,): appendix B.

    lr (1 - le)^(-(2 t + 1)) with le = lr wd. Then w_t of the run without weight decay is exactly (1 - le)^(-t) times
    w_t of the run with it. The paper prints the exponent -2t, half a step off: the directions then differ at once, by
    about le lr norm(gradient) / norm(w) per step.

    Args:
        lr: Constant learning rate of the run with weight decay, above 0.
        weight_decay: Constant, at least 0.
        steps: Number of learning rates.
        printed: Whether to use the exponent -2t.

    Raises:
        TheoryError: lr 0, le of 1 or more, or so many steps that the values leave the range of float64.
    """
    rate = check_number("learning rate", lr, positive=True)
    le = check_number("intrinsic learning rate lr * wd", rate * weight_decay, below=1.0)
    exponents = 2.0 * np.arange(check_count("steps", steps)) + (0.0 if printed else 1.0)
    logs = np.log(rate) - exponents * np.log1p(-le)
    if logs[-1] > np.log(np.finfo(np.float64).max):
        raise TheoryError(
            f"the learning rate must stay in the range of float64: received {steps} steps at lr * wd = {le:g}. "
            "Rescale the weights on the way, or take fewer steps."
        )
    return np.asarray(np.exp(logs))


def momentum_path(
    gradient: Gradient, start: object, lrs: object, *, momentum: float, weight_decay: float, form: str = "buffer"
) -> Array:
    """Return SGD with momentum and weight decay: appendix C.1.

    Args:
        gradient: Of (weights, step).
        start: w_0, shape (n,).
        lrs: One learning rate per step, shape (steps,), above 0.
        momentum: beta, in [0, 1).
        weight_decay: At least 0.
        form: "buffer" is torch's, v' = beta v + gradient + wd w; w' = w - lr v'. "two_step" is
            w' = w + beta (w - w_before) - lr (gradient + wd w). They are equal at a constant lr only.

    Raises:
        TheoryError: A learning rate that is not positive, a momentum out of range, or an unknown form.
    """
    check_choice("form of momentum", form, MOMENTUM_FORMS)
    beta, decay = check_number("momentum", momentum, below=1.0), check_number("weight decay", weight_decay)
    path = [check_array("start", start, (None,))]
    moved = np.zeros_like(path[0])
    for step, lr in enumerate(_rates(lrs)):
        pull = gradient(path[-1], step) + decay * path[-1]
        # `moved` is the buffer v, or the displacement: they differ by the factor -lr of the step that made them.
        moved = beta * moved + (pull if form == "buffer" else -lr * pull)
        path.append(path[-1] - lr * moved if form == "buffer" else path[-1] + moved)
    return np.stack(path)


def plain_lr(lr: float, momentum: float) -> float:
    """Return lr / (1 - beta), the learning rate of plain SGD that momentum SGD resembles."""
    return lr / (1.0 - check_number("momentum", momentum, below=1.0))


def plain_lr_printed(lr: float, weight_decay: float, momentum: float) -> float:
    """Return lr wd / (1 - beta) as appendix C.1 prints it for the learning rate; it is the intrinsic one."""
    return plain_lr(lr, momentum) * weight_decay


def adamw_path(
    gradient: Gradient,
    start: object,
    *,
    alpha: float,
    weight_decay: float,
    steps: int,
    multiplier: float = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 0.0,
) -> Array:
    """Return AdamW, appendix C.2, Algorithm 1: theta' = theta - m (alpha mh / (sqrt(vh) + eps) + wd theta).

    With eps 0 and a scale-invariant loss, (C theta_0, C alpha) gives C theta_t: Theorem C.2. In torch's terms lr is
    m alpha and weight_decay is wd / alpha, so scaling needs lr C and weight_decay / C. (The algorithm as printed lost
    its colours: its line 6 adds wd theta for Adam with L2 only, line 12 for AdamW only.)

    Args:
        gradient: Of (weights, step).
        start: theta_0, shape (n,).
        alpha: Step size, above 0.
        weight_decay: lambda, at least 0; not multiplied by alpha.
        steps: Number of updates.
        multiplier: m, the schedule's eta_t, constant.
        betas: Decay rates of both moments, each in [0, 1).
        eps: Added to the root of the second moment.

    Raises:
        TheoryError: alpha 0, a value out of range, or a gradient entry that has been 0 so far while eps is 0.
    """
    rate, decay = check_number("alpha", alpha, positive=True), check_number("weight decay", weight_decay)
    one, two = (check_number(f"beta{i + 1}", beta, below=1.0) for i, beta in enumerate(betas))
    path, small = [check_array("start", start, (None,))], check_number("eps", eps)
    mean = square = np.zeros_like(path[0])
    for step in range(check_count("steps", steps)):
        g = gradient(path[-1], step)
        mean, square = one * mean + (1.0 - one) * g, two * square + (1.0 - two) * g**2
        root = np.sqrt(square / (1.0 - two ** (step + 1))) + small
        if not root.all():
            raise TheoryError(f"every entry needs a gradient when eps is 0: received 0 up to step {step}. Set eps.")
        move = rate * mean / (1.0 - one ** (step + 1)) / root + decay * path[-1]
        path.append(path[-1] - multiplier * move)
    return np.stack(path)


def single_example_lr(lr: float, batch: int) -> float:
    """Return lr / B, with which B steps on single examples resemble one on B: the linear scaling rule, section 5.3.

    It needs a loss per example that does not depend on the batch (no batch normalisation).
    """
    return check_number("learning rate", lr, positive=True) / check_count("batch", batch)


def single_example_intrinsic_lr(lr: float, weight_decay: float, batch: int) -> float:
    """Return le / B = lr wd / B, which alone sets the equilibrium under the linear scaling rule."""
    return single_example_lr(lr, batch) * check_number("weight decay", weight_decay)


def single_example_intrinsic_lr_printed(weight_decay: float, batch: int) -> float:
    """Return wd / B, which the text prints for it: runs that share it settle at different norms."""
    return check_number("weight decay", weight_decay) / check_count("batch", batch)


def _rates(lrs: object) -> Array:
    rates = check_array("learning rates", lrs, (None,))
    if (rates <= 0).any():
        raise TheoryError(f"learning rates must be above 0: received {rates.min():g}. Leave steps without any out.")
    return rates
