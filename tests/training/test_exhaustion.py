"""A failed allocation is said in words."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tune_regimes.errors import ResourceError
from tune_regimes.schedule import Settings
from tune_regimes.tasks import Task
from tune_regimes.training import Trajectory
from tune_regimes.training.exhaustion import SMALLER_BATCHES, enough_memory, remedy_for

CPU = torch.device("cpu")


class Greedy(nn.Linear):
    """Asks for more than any machine can address: in training, or in evaluation only."""

    in_training = True

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training is self.in_training:
            torch.empty(2**50)
        return super().forward(inputs)


class GreedyEvaluation(Greedy):
    in_training = False


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Greedy, r"batch_size must fit the memory of cpu, got 10 \(.*\): .* smaller one; batches_per_step"),
        (GreedyEvaluation, r"eval_batch_size must fit the memory of cpu, got 5 \(.*\): choose a smaller one"),
    ],
)
def test_a_batch_that_does_not_fit_is_named_with_its_size_and_the_remedy(
    mlp_task: Task, model: type[nn.Linear], message: str
) -> None:
    trajectory = Trajectory(replace(mlp_task, model=lambda: model(5, 4)), seed=0)
    with pytest.raises(ResourceError, match=message):
        trajectory.advance(Settings("sgd", lr=0.1))


@pytest.mark.parametrize("optimizer", ["lbfgs", "kfac"])
def test_a_group_of_batches_that_is_held_at_once_can_be_made_smaller(optimizer: str) -> None:
    assert "smaller batches_per_step" in remedy_for(Settings(optimizer, lr=0.1, batches_per_step=2))
    assert (
        remedy_for(Settings(optimizer, lr=0.1))
        == remedy_for(Settings("sgd", lr=0.1, batches_per_step=2))
        == SMALLER_BATCHES
    )


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
        RuntimeError("could not create a primitive"),
    ],
)
def test_every_allocator_is_understood(error: Exception) -> None:
    with (
        pytest.raises(ResourceError, match="batch_size must fit the memory of cpu, got 60000") as caught,
        enough_memory(CPU, "batch_size", 60_000, SMALLER_BATCHES),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_any_other_error_passes_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), enough_memory(CPU, "batch_size", 1, SMALLER_BATCHES):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
