"""K-FAC: gradients preconditioned by the inverse of a Kronecker-factored curvature, then SGD with momentum."""

import warnings
from typing import Any

import torch
from torch import nn
from torch.linalg import LinAlgError  # type: ignore[attr-defined]
from torch.nn import functional

from tune_regimes.errors import TaskError, UsageError
from tune_regimes.schedule import Settings
from tune_regimes.tasks.definition import Loss
from tune_regimes.training.batches import Batch
from tune_regimes.training.method import Buffers, Named, clip
from tune_regimes.training.objective import Objective, Replay
from tune_regimes.training.sgd import Sgd

SUPPORTED = (nn.Linear, nn.Conv2d)
CRITERIA: dict[Any, type[nn.Module]] = {
    functional.cross_entropy: nn.CrossEntropyLoss,
    functional.mse_loss: nn.MSELoss,
    functional.binary_cross_entropy_with_logits: nn.BCEWithLogitsLoss,
}


class Kfac:
    """Steps along ``F^-1 g``, with F the K-FAC approximation of the Fisher matrix (here the Gauss-Newton matrix too).

    For each layer F is a Kronecker product A x B of the second moments of its inputs (with a 1 for the bias) and of the
    gradients with respect to its outputs (Martens & Grosse 2015; Grosse & Martens 2016 for convolutions), both over the
    batches of the step in which they are computed. The gradients are those of the exact Hessian of the loss in the
    outputs, one backward pass for each class, so nothing is drawn at random. Factors are damped as in section 6.3 of
    Martens & Grosse: ``A + pi * sqrt(damping) * I`` and ``B + sqrt(damping) / pi * I``, where pi^2 is the ratio of the
    mean eigenvalues of A and B. Computed by curvlinops.

    Weight decay is added to the preconditioned gradient, as it is in SGD, and clipping acts on the gradient before.
    Factors are computed at the first step of every epoch, so they are no part of the state; the velocity is.

    Args:
        model: the model whose parameters they are.
        named: the parameters that are trained, by name.
        loss: the mean loss of a batch.

    Raises:
        TaskError: a layer of another kind than K-FAC knows is trained, or the loss is none that it knows.
        UsageError: curvlinops is not installed.
    """

    def __init__(self, model: nn.Module, named: Named, loss: Loss) -> None:
        check_layers(model, named)
        self._model, self._named, self._criterion = model, named, criterion(loss)
        self._curvlinops = _curvlinops()
        self._sgd = Sgd(named)
        self._inverse: Any = None

    def step(self, settings: Settings, index: int, objective: Objective) -> None:
        """Compute the gradients, and the factors where it is due, and step with the values of batch `index`."""
        if index // settings.batches_per_step % settings.refresh == 0:
            batches, replay = list(objective.keep()), Replay(self._model)
            objective()
            with replay.again():
                self._inverse = self._curvature(batches, settings.damping)
        else:
            objective()
        clip(self._named, settings)
        self._precondition()
        self._sgd.apply(settings, index)

    def fill(self, settings: Settings) -> None:
        """Make the velocity by a step."""
        self._sgd.apply(settings, 0)

    def capture(self) -> Buffers:
        """Return a copy of the velocity on the CPU."""
        return self._sgd.capture()

    def restore(self, buffers: Buffers) -> None:
        """Take up a captured velocity."""
        self._sgd.restore(buffers)

    def _curvature(self, batches: list[Batch], damping: float) -> Any:
        factors = self._curvlinops.KFACLinearOperator(
            self._model,
            self._criterion,
            list(self._named.values()),
            batches,
            fisher_type="type-2",
            separate_weight_and_bias=False,
            check_deterministic=False,
        )
        factors.compute_kronecker_factors()
        batches.clear()  # the operator holds them for as long as it lives, and needs them no more
        return self._curvlinops.KFACInverseLinearOperator(factors, damping=damping, use_heuristic_damping=True)

    @torch.no_grad()
    def _precondition(self) -> None:
        gradients = [p.grad for p in self._named.values() if p.grad is not None]
        try:
            directions = self._inverse @ gradients
        except LinAlgError:
            # Damped factors that are finite have an inverse: these are not, and the training has diverged.
            directions = [torch.full_like(gradient, torch.nan) for gradient in gradients]
        for gradient, direction in zip(gradients, directions, strict=True):
            gradient.copy_(direction)


def check_layers(model: nn.Module, named: Named) -> None:
    """Refuse a model that trains parameters of layers for which there is no K-FAC.

    A subclass of a layer may compute something else from its weights, as those of the NTK initialisation do, and the
    factors take a convolution to pad with zeros: both would be preconditioned by the curvature of another layer.

    Raises:
        TaskError: names the layers.
    """
    trained = {id(parameter) for parameter in named.values()}
    layers = [(name or "the model itself", module) for name, module in model.named_modules()]
    refused = [
        f"{name} ({kind})"
        for name, module in layers
        if (kind := _unsupported(module)) and any(id(p) in trained for p in module.parameters(recurse=False))
    ]
    if refused:
        raise TaskError(
            f"kfac trains layers of torch's own classes {' and '.join(kind.__name__ for kind in SUPPORTED)} only, "
            f"padded with zeros: received trainable parameters in {', '.join(refused)}. Freeze them "
            "(requires_grad_(False)), or take a model without them, such as mlp, simple_cnn or one whose BatchNorm has "
            "no trainable scale and shift."
        )


def _unsupported(module: nn.Module) -> str:
    """What the kind of a layer is called, where there is no K-FAC for it; "" where there is."""
    if type(module) not in SUPPORTED:
        return type(module).__name__
    padded = isinstance(module, nn.Conv2d) and module.padding_mode != "zeros"
    return f"Conv2d with padding_mode={module.padding_mode!r}" if padded else ""


def criterion(loss: Loss) -> nn.Module:
    """Return a loss as the module of torch.nn that curvlinops knows.

    Raises:
        TaskError: it is none of them.
    """
    if isinstance(loss, nn.Module) and isinstance(loss, tuple(CRITERIA.values())):
        return loss
    if loss not in CRITERIA:
        known = ", ".join(function.__name__ for function in CRITERIA)
        raise TaskError(
            f"kfac must know the distribution behind the loss: received {loss!r}. Use {known}, or their modules in "
            "torch.nn, or another optimizer."
        )
    return CRITERIA[loss]()


def _curvlinops() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a library below it, about torch.jit
            import curvlinops
    except ImportError as error:
        raise UsageError(
            "kfac needs curvlinops, which cannot be imported here; run: pip install 'tune-regimes[second-order]'"
        ) from error
    return curvlinops
