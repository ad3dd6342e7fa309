"""A model that is looked at and put back: weights, buffers, modes, gradients and random generators."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from tune_regimes.training.randomness import global_stream


@contextmanager
def put_back(model: nn.Module, device: torch.device, seed: int, *stream: str | int) -> Iterator[None]:
    """Inside the block anything may be done to the model; after it the model and torch's generators are as before.

    It takes a copy of the weights and buffers for as long as the block runs.

    Args:
        model: What is looked at.
        device: Where it is.
        seed: Seed of the training.
        *stream: Name of the random stream inside the block.
    """
    modes = [(module, module.training) for module in model.modules()]
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    values = [(tensor, tensor.detach().clone()) for tensor in (*model.parameters(), *model.buffers())]
    with global_stream(device, seed, *stream):
        try:
            for parameter, _, _ in parameters:
                parameter.grad = None
            yield
        finally:
            for module, training in modes:
                module.training = training
            for parameter, required, gradient in parameters:
                parameter.requires_grad_(required).grad = gradient
            with torch.no_grad():
                for tensor, value in values:
                    tensor.copy_(value)
