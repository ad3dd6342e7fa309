"""L-BFGS: several evaluations of one group of batches in a step."""

from typing import Any

import torch
from torch import Tensor, nn

from tune_regimes.schedule import Settings, at_step
from tune_regimes.training.method import Buffers, Named, captured, restored
from tune_regimes.training.objective import Objective, Replay

_SCRATCH = "al"


class Lbfgs:
    """torch.optim.LBFGS on the mean loss of the step's batches plus ``weight_decay / 2 * |w|^2``.

    A step is up to `max_iter` iterations, and at most ``max(1, max_iter * 5 // 4)`` evaluations or little more, as in
    torch. All evaluations of a step see the same batches and the same dropout; running statistics of BatchNorm move in
    the first of them only. Pairs of updates and gradient changes are remembered across steps: they are true curvature
    where all steps have the same batches (full batch), and noisy otherwise. A learning rate of 0 leaves all as it is.

    Args:
        model: the model whose parameters they are.
        named: the parameters that are trained, by name.
    """

    def __init__(self, model: nn.Module, named: Named) -> None:
        self._model, self._named = model, named
        self._optimizer = torch.optim.LBFGS(list(named.values()))

    def step(self, settings: Settings, index: int, objective: Objective) -> None:
        """Run the iterations of one step with the values of batch `index`."""
        if at_step(settings.lr, index) == 0.0:
            objective()  # torch's line search divides by its first step
            return
        self._write(settings, index)
        objective.keep()
        self._optimizer.step(_Closure(self._model, self._named, objective, self._decays(settings, index)))  # type: ignore[no-untyped-call]

    def fill(self, settings: Settings) -> None:
        """Make as long a history as can be."""
        first = next(iter(self._named.values()))
        flat = sum(p.numel() for p in self._named.values())
        vectors = [first.new_zeros(flat) for _ in range(2 * settings.history_size + 2)]
        history = settings.history_size
        self._optimizer.state[first] = {
            "func_evals": 2**31 - 1, "n_iter": 2**31 - 1, "d": vectors[-1], "t": 0.0,
            "old_dirs": vectors[:history], "old_stps": vectors[history : 2 * history],
            "ro": [first.new_zeros(()) for _ in range(history)], "H_diag": first.new_zeros(()),
            "prev_flat_grad": vectors[-2], "prev_loss": 0.0,
        }  # fmt: skip

    def capture(self) -> Buffers:
        """Return copies of the history on the CPU, under the name of the first parameter."""
        buffers = captured(self._optimizer, self._named)
        return {name: {k: v for k, v in values.items() if k != _SCRATCH} for name, values in buffers.items()}

    def restore(self, buffers: Buffers) -> None:
        """Take up a captured history."""
        restored(self._optimizer, self._named, buffers)

    def _write(self, settings: Settings, index: int) -> None:
        self._optimizer.param_groups[0].update(
            lr=at_step(settings.lr, index),
            max_iter=settings.max_iter,
            max_eval=max(1, settings.max_iter * 5 // 4),
            history_size=settings.history_size,
            line_search_fn=None if settings.line_search == "none" else settings.line_search,
        )
        for state in self._optimizer.state.values():
            _shorten(state, settings.history_size)

    def _decays(self, settings: Settings, index: int) -> dict[str, float]:
        decay = at_step(settings.weight_decay, index)
        kernels_only = settings.decay == "kernels"
        return {name: decay for name, p in self._named.items() if decay and (p.ndim >= 2 or not kernels_only)}


class _Closure:
    """The objective with weight decay, evaluated as often as L-BFGS asks."""

    def __init__(self, model: nn.Module, named: Named, objective: Objective, decays: dict[str, float]) -> None:
        self._named, self._objective, self._decays = named, objective, decays
        self._replay, self._evaluated = Replay(model), False

    def __call__(self) -> Tensor:
        for parameter in self._named.values():
            parameter.grad = None
        if not self._evaluated:
            self._evaluated = True
            return self._decayed(self._objective())
        with self._replay.again():
            return self._decayed(self._objective())

    @torch.no_grad()
    def _decayed(self, loss: Tensor) -> Tensor:
        for name, parameter in self._named.items():
            if parameter.grad is None:
                continue
            if name in self._decays:
                loss = loss + 0.5 * self._decays[name] * parameter.square().sum()
                parameter.grad.add_(parameter, alpha=self._decays[name])
            # torch flattens gradients by a view, which those in channels_last order do not have.
            parameter.grad = parameter.grad.contiguous()
        return loss


def _shorten(state: dict[str, Any], history_size: int) -> None:
    """Forget the oldest pairs beyond a smaller history; torch drops no more than one at a time."""
    for name in ("old_dirs", "old_stps", "ro"):
        if state.get(name):
            del state[name][:-history_size]
    state.pop(_SCRATCH, None)
