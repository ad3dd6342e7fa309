"""Muon for kernels, AdamW for all other parameters."""

from typing import Any

import torch
from torch import nn

from tune_regimes.errors import ScheduleError, TaskError
from tune_regimes.schedule import Settings, at_step
from tune_regimes.training.method import Buffers, Named, captured, clip, restored
from tune_regimes.training.objective import Objective


class Muon:
    """Kernels by torch.optim.Muon, each as a matrix of shape [outputs, rest]; biases and scales by AdamW.

    The momentum of a kernel's gradient (Nesterov) is replaced by its nearest orthogonal matrix, approximately: five
    Newton-Schulz iterations in bfloat16 (Jordan et al., "Muon", 2024). Updates are scaled by ``0.2 * sqrt(max(rows,
    columns))``, the size of AdamW's (Liu et al., "Muon is Scalable for LLM Training", 2025), so that both take one
    learning rate. Weight decay is decoupled in both. AdamW has torch's own betas and eps.

    Args:
        named: the parameters that are trained, by name.

    Raises:
        ScheduleError: this version of torch has no Muon.
        TaskError: there is no kernel among the parameters.
    """

    def __init__(self, named: Named) -> None:
        self._named = named
        self._kernels = {name: p for name, p in named.items() if p.ndim >= 2}
        self._others = {name: p for name, p in named.items() if p.ndim < 2}
        # torch's Muon takes matrices only: these stand for the kernels, whose values and gradients they are lent.
        self._matrices = {name: nn.Parameter(p.detach().flatten(1)) for name, p in self._kernels.items()}
        self._muon = _torch_muon()(list(self._require_matrices()), adjust_lr_fn="match_rms_adamw")
        self._adamw = torch.optim.AdamW(list(self._others.values()), fused=True) if self._others else None

    def step(self, settings: Settings, index: int, objective: Objective) -> None:
        """Compute the gradients, clip them, and apply them with the values of batch `index`."""
        objective()
        clip(self._named, settings)
        self._apply(settings, index)

    def fill(self, settings: Settings) -> None:
        """Make the buffers by a step."""
        self._apply(settings, 0)

    def capture(self) -> Buffers:
        """Return copies of the buffers on the CPU."""
        moments = captured(self._adamw, self._others) if self._adamw else {}
        return captured(self._muon, self._matrices) | moments

    def restore(self, buffers: Buffers) -> None:
        """Take up captured buffers."""
        restored(self._muon, self._matrices, buffers)
        if self._adamw:
            restored(self._adamw, self._others, buffers)

    def _require_matrices(self) -> list[nn.Parameter]:
        if not self._matrices:
            raise TaskError(
                "muon needs a trainable kernel (a parameter of two dimensions or more), and the model trains only "
                f"{', '.join(self._named) or 'nothing'}; use optimizer='adamw'."
            )
        return list(self._matrices.values())

    @torch.no_grad()
    def _apply(self, settings: Settings, index: int) -> None:
        lr, decay = at_step(settings.lr, index), at_step(settings.weight_decay, index)
        for group in self._muon.param_groups:
            group.update(lr=lr, weight_decay=decay, momentum=at_step(settings.momentum, index))
        self._lend()
        self._muon.step()
        self._take_back()
        if self._adamw:
            self._adamw.param_groups[0].update(lr=lr, weight_decay=decay if settings.decay == "all" else 0.0)
            self._adamw.step()

    def _lend(self) -> None:
        for name, kernel in self._kernels.items():
            matrix = self._matrices[name]
            matrix.data = kernel.detach().flatten(1)
            matrix.grad = None if kernel.grad is None else kernel.grad.flatten(1)

    def _take_back(self) -> None:
        for name, kernel in self._kernels.items():
            matrix = self._matrices[name]
            matrix.grad = None
            if matrix.data_ptr() != kernel.data_ptr():
                kernel.copy_(matrix.view(kernel.shape))


def _torch_muon() -> Any:
    found = getattr(torch.optim, "Muon", None)
    if found is None:
        raise ScheduleError(
            f"muon must be an optimizer of torch, and torch {torch.__version__} has none; install torch 2.9 or newer, "
            "or use another optimizer."
        )
    return found
