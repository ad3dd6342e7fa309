"""Differentiating twice: what cannot be, by name, and what the graph of a gradient takes."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_SIGNS = ("not implemented", "once_differentiable", "does not support double backward", "differentiate twice")
_ONCE = once_differentiable(lambda ctx: None).__code__


def check_twice(value: Tensor) -> None:
    """Refuse a value that a function marked as differentiable once is part of.

    Its gradient would pass for a constant: the error that torch puts behind such gradients is not met where only the
    derivatives by chosen parameters are asked for.

    Args:
        value: With its graph.

    Raises:
        RuntimeError: There is such a function.
    """
    ahead, seen = [value.grad_fn], {value.grad_fn}
    while ahead:
        if (node := ahead.pop()) is None:
            continue
        function = getattr(node, "_forward_cls", None)
        if function is not None and getattr(function.backward, "__code__", None) is _ONCE:
            raise RuntimeError(f"{function.__name__} is marked with @once_differentiable")
        new = [following for following, _ in node.next_functions if following not in seen]
        ahead += new
        seen.update(new)


def once_only(model: nn.Module, inputs: Tensor, error: Exception) -> str | None:
    """What a user can do about an error of a second derivative: the module that has none, and the remedy.

    Each module without children is run once more by itself, on what the model gives it, and differentiated twice.

    Args:
        model: The model.
        inputs: What it is given.
        error: What torch raised.

    Returns:
        None where the error is another one.
    """
    if not any(sign in str(error).lower() for sign in _SIGNS):
        return None
    named = [f"{name} ({type(module).__name__})" for name, module in model.named_modules() if _leaf(module)]
    guilty = [name for name, failed in zip(named, _tried(model, inputs), strict=True) if failed]
    what = f"module {', '.join(guilty)}" if guilty else "the loss, or a function that the model calls by itself,"
    return (
        f"the Hessian needs a model and a loss that torch can differentiate twice, and {what} has no second derivative "
        f"({str(error).strip().splitlines()[0]}); look without the Hessian (hessian_every=0), or exchange it"
    )


def graph_bytes(parameters: Sequence[Tensor], gradient: Callable[[], list[Tensor]]) -> int:
    """Bytes that the graph of a gradient holds: what is saved for the second derivative, without the parameters.

    Args:
        parameters: Their memory is not counted.
        gradient: Makes the gradient with its graph.
    """
    own = {parameter.untyped_storage().data_ptr() for parameter in parameters}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        made = [part for part in gradient() if part.requires_grad]
    if made:  # Differentiating lets go of what was saved: packed outputs would hold themselves.
        zeros = [torch.zeros_like(part) for part in made]
        torch.autograd.grad(made, list(parameters), zeros, allow_unused=True)
    return sum(sizes.values())


def _leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _tried(model: nn.Module, inputs: Tensor) -> list[bool]:
    """For each module without children, whether differentiating it twice fails."""
    leaves = [module for module in model.modules() if _leaf(module)]
    calls: dict[nn.Module, tuple[Any, ...]] = {}
    hooks = [leaf.register_forward_pre_hook(lambda module, given: calls.update({module: given})) for leaf in leaves]
    try:
        with torch.no_grad():
            model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return [leaf in calls and _fails(leaf, calls[leaf]) for leaf in leaves]


def _fails(module: nn.Module, given: tuple[Any, ...]) -> bool:
    arguments = [_variable(each) for each in given]
    variables = [each for each in (*arguments, *module.parameters()) if isinstance(each, Tensor) and each.requires_grad]
    try:
        outputs = module(*arguments)
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        check_twice(first)
        gradients = torch.autograd.grad(first.square().sum(), variables, create_graph=True, allow_unused=True)
        made = [part for part in gradients if part is not None and part.requires_grad]
        if made:
            torch.autograd.grad(made, variables, [torch.ones_like(part) for part in made], allow_unused=True)
    except (RuntimeError, NotImplementedError):
        return True
    return False


def _variable(value: Any) -> Any:
    """An input of a module, as something to differentiate by where it can be."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().clone().requires_grad_()
    return value
