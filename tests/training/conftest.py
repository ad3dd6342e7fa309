from collections.abc import Iterator

import pytest
import torch
from torch import nn

from tune_regimes.tasks import Augmentation, Data, Split, Task


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def images(count: int, seed: int, height: int = 8, width: int = 8, channels: int = 3) -> Split:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, height, width, channels), dtype=torch.uint8, generator=generator)
    return Split(pixels, torch.randint(0, 4, (count,), generator=generator))


def vectors(count: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 5, generator=generator)
    return Split(inputs, (inputs[:, :4]).argmax(dim=1))


@pytest.fixture
def image_data() -> Data:
    return Data(images(50, seed=1), images(21, seed=2), 4, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.fixture
def cnn_task(image_data: Data) -> Task:
    def model() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(64, 4),
        )

    return Task(model, image_data, batch_size=8, eval_batch_size=9, augmentation=Augmentation(True, 2, "reflect"))


@pytest.fixture
def mlp_task() -> Task:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4))

    return Task(model, Data(vectors(40, seed=1), vectors(17, seed=2), 4), batch_size=10, eval_batch_size=5)
