import pytest
import torch

from tune_regimes.errors import StorageError
from tune_regimes.training import state_from_bytes, state_to_bytes

STATE = {
    "epoch": 3,
    "diverged": False,
    "model": {"weight": torch.tensor([1.5, float("nan"), -0.0])},
    "optimizer": {"family": "sgd", "buffers": {}},
    "start": None,
    "average": {"weight": 3.0, "mean": {"weight": torch.tensor([0.5, 1.0, 2.0])}},
}


def test_a_state_survives_bytes_bit_for_bit() -> None:
    read = state_from_bytes(state_to_bytes(STATE))
    assert [read[name] for name in ("epoch", "diverged", "start")] == [3, False, None]
    assert read["optimizer"] == STATE["optimizer"]
    assert torch.equal(read["model"]["weight"].view(torch.int32), STATE["model"]["weight"].view(torch.int32))


@pytest.mark.parametrize("length", [0, 10, 300, -20])
def test_a_truncated_state_is_refused_with_the_remedy(length: int) -> None:
    with pytest.raises(StorageError, match="delete the file"):
        state_from_bytes(state_to_bytes(STATE)[:length])


def test_bytes_that_hold_something_else_are_refused() -> None:
    with pytest.raises(StorageError, match="something else"):
        state_from_bytes(state_to_bytes({"weights": torch.zeros(1)}))


@pytest.mark.parametrize("part", STATE)
def test_a_state_that_lacks_a_part_is_refused(part: str) -> None:
    with pytest.raises(StorageError, match=f"must hold .*{part}.*; delete the file"):
        state_from_bytes(state_to_bytes({name: value for name, value in STATE.items() if name != part}))
