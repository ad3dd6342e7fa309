from typing import Any

import pytest
import torch

from tune_regimes.errors import ResourceError, UsageError
from tune_regimes.training import Numerics

CPU = torch.device("cpu")


def test_an_unknown_dtype_is_refused_with_the_choices() -> None:
    with pytest.raises(UsageError, match="float32, bfloat16"):
        Numerics(dtype="float16")


def test_bfloat16_on_a_cpu_is_refused_with_the_remedy() -> None:
    with pytest.raises(UsageError, match="use dtype='float32'"):
        Numerics(dtype="bfloat16").resolved(CPU)


def test_a_gpu_that_is_not_there_is_refused_with_the_remedy() -> None:
    with pytest.raises(ResourceError, match="use device='cpu'"):
        Numerics().resolved(torch.device("cuda:99"))


def test_threads_apply_inside_the_block_only() -> None:
    with Numerics(threads=2).applied(CPU):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 1


def test_open_threads_are_resolved_to_those_of_torch() -> None:
    assert Numerics().resolved(CPU) == Numerics(threads=1)


def test_threads_are_part_of_the_identity_on_a_cpu_and_tf32_on_a_gpu() -> None:
    cuda = torch.device("cuda")
    assert Numerics(threads=1).identity(CPU) != Numerics(threads=2).identity(CPU)
    assert Numerics(threads=1).identity(cuda) == Numerics(threads=2).identity(cuda)
    assert Numerics(tf32=True).identity(cuda) != Numerics().identity(cuda)


def test_the_switches_for_gpus_are_put_back() -> None:
    cudnn: Any = torch.backends.cudnn
    matmul = torch.backends.cuda.matmul
    before = cudnn.deterministic, cudnn.benchmark, cudnn.conv.fp32_precision, matmul.fp32_precision
    with Numerics(deterministic=True).applied(torch.device("cuda")):
        assert (cudnn.deterministic, cudnn.benchmark) == (True, False)
        assert (cudnn.conv.fp32_precision, matmul.fp32_precision) == ("ieee", "ieee")
    assert (cudnn.deterministic, cudnn.benchmark, cudnn.conv.fp32_precision, matmul.fp32_precision) == before
