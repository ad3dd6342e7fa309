import pytest
import torch
from torch import Tensor, nn

from tune_regimes.training.objective import Objective, Replay


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(24, 5, generator=generator), torch.randint(0, 4, (24,), generator=generator)


def objective(model: nn.Module, parts: int, losses: list[float]) -> Objective:
    def forward(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        outputs = model(inputs)
        return outputs, nn.functional.cross_entropy(outputs, targets)

    batches = zip(*(part.chunk(parts) for part in data()), strict=True)
    return Objective(batches, parts, forward, lambda loss, *_: losses.append(loss.item()))


@pytest.mark.parametrize("parts", [1, 2, 6])
def test_the_gradient_of_a_group_is_that_of_its_rows_in_one_batch(parts: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4))
    losses: list[float] = []
    loss = objective(model, parts, losses)()
    whole = nn.functional.cross_entropy(model(data()[0]), data()[1])
    expected = torch.autograd.grad(whole, list(model.parameters()))
    torch.testing.assert_close([p.grad for p in model.parameters()], list(expected))
    torch.testing.assert_close(loss, whole.detach())
    assert sum(losses) / parts == pytest.approx(whole.item())
    assert len(losses) == parts


def test_what_is_kept_can_be_evaluated_again_and_is_seen_once() -> None:
    model, losses = nn.Linear(5, 4), []
    kept = objective(model, 3, losses)
    assert [len(targets) for _, targets in kept.keep()] == [8, 8, 8]
    assert torch.equal(kept(), kept())
    assert len(losses) == 3


def test_a_replay_repeats_what_was_drawn_and_puts_everything_back() -> None:
    model = nn.Sequential(nn.BatchNorm1d(5), nn.Dropout(0.5))
    inputs = data()[0]
    replay = Replay(model)
    first = model(inputs)
    statistics, generator = model[0].running_mean.clone(), torch.get_rng_state()
    with replay.again():
        assert torch.equal(model(inputs), first)
        assert not torch.equal(model[0].running_mean, statistics)
    assert torch.equal(model[0].running_mean, statistics)
    assert torch.equal(torch.get_rng_state(), generator)
