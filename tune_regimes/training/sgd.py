"""SGD: heavy ball, Nesterov and plain, by the function of torch that ``torch.optim.SGD`` steps with."""

import torch
from torch import Tensor
from torch.optim.sgd import sgd

from tune_regimes.schedule import Settings, at_step
from tune_regimes.training.method import Buffers, Named, clip, copied
from tune_regimes.training.objective import Objective


class Sgd:
    """SGD with gradient g, weight decay lambda and momentum mu: ``v <- mu * v + (g + lambda * w);  w <- w - lr * v``.

    With nesterov ``w <- w - lr * (g + lambda * w + mu * v)`` (Two Regimes, eq. 2; Intrinsic LR, App. C.1).

    Not the class of torch: any of its optimizers imports torch's compiler, two seconds at the start of each process.

    Args:
        named: the parameters that are trained, by name.
    """

    def __init__(self, named: Named) -> None:
        self._named = named
        # Kernels (parameters of two dimensions or more) and all others, so that weight decay can tell them apart.
        self._kernels = {name: p for name, p in named.items() if p.ndim >= 2}
        self._others = {name: p for name, p in named.items() if p.ndim < 2}
        self._velocity: dict[str, Tensor] = {}

    def step(self, settings: Settings, index: int, objective: Objective) -> None:
        """Compute the gradients, clip them, and apply them with the values of batch `index`."""
        objective()
        clip(self._named, settings)
        self.apply(settings, index)

    def apply(self, settings: Settings, index: int) -> None:
        """Apply the gradients as they stand."""
        momentum, decay = at_step(settings.momentum, index), at_step(settings.weight_decay, index)
        if momentum == 0:
            self._velocity = {}
        elif not self._velocity:
            self._velocity = {name: torch.zeros_like(p) for name, p in self._named.items()}
        self._move(self._kernels, settings, index, decay)
        self._move(self._others, settings, index, decay if settings.decay == "all" else 0.0)

    @torch.no_grad()
    def _move(self, named: Named, settings: Settings, index: int, decay: float) -> None:
        moved = {name: p for name, p in named.items() if p.grad is not None}
        sgd(
            list(moved.values()),
            [p.grad for p in moved.values() if p.grad is not None],
            [self._velocity.get(name) for name in moved],
            fused=True,
            weight_decay=decay,
            momentum=at_step(settings.momentum, index),
            lr=at_step(settings.lr, index),
            dampening=0.0,
            nesterov=settings.nesterov,
            maximize=False,
        )

    def fill(self, settings: Settings) -> None:
        """Make the velocity by a step."""
        self.apply(settings, 0)

    def capture(self) -> Buffers:
        """Return a copy of the velocity on the CPU."""
        return {name: {"momentum_buffer": copied(v, torch.device("cpu"))} for name, v in self._velocity.items()}

    def restore(self, buffers: Buffers) -> None:
        """Take up a captured velocity."""
        self._velocity = {
            name: copied(parts["momentum_buffer"], self._named[name].device)
            for name, parts in buffers.items()
            if name in self._named
        }
