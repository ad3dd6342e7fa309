import torch
from torch.nn.functional import cross_entropy

from tune_regimes.tasks import accuracy
from tune_regimes.training.means import Means


def test_means_over_batches_of_unequal_size_are_means_over_all_examples() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs, targets = torch.randn(11, 3, generator=generator), torch.randint(0, 3, (11,), generator=generator)
    means = Means("test", {"accuracy": accuracy})
    for part, wanted in zip(outputs.split(4), targets.split(4), strict=True):
        means.add(cross_entropy(part, wanted), part, wanted)
    result = means.result()
    assert list(result) == ["test_loss", "test_accuracy"]
    torch.testing.assert_close(result["test_loss"], cross_entropy(outputs, targets).item())
    torch.testing.assert_close(result["test_accuracy"], accuracy(outputs, targets).item())
