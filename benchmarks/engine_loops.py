"""The two training loops that engine.py compares: ours, and the one a user would write with torchvision."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from tune_regimes.schedule import Settings
from tune_regimes.tasks import Augmentation, Data, Split, Task, models, task
from tune_regimes.tasks.registry import DATASETS
from tune_regimes.training import Numerics, Trajectory

BATCH = 128
CIFAR10 = DATASETS["cifar10"]
SETTINGS = Settings("sgd", lr=0.01, momentum=0.9, weight_decay=5e-4)


@dataclass(frozen=True)
class Case:
    """One net in one precision, and what it is fed."""

    net: str
    dtype: str
    device: str
    images: int
    threads: int
    data: str | None

    def model(self) -> nn.Module:
        """A new network, the same for both loops."""
        return models.build(self.net, shape=CIFAR10.shape, num_classes=10)

    def task(self) -> Task:
        """Training images as asked for, and one test image: evaluation is no part of what is compared."""
        if self.data is not None:
            options = {"data": self.data, "train_size": self.images, "test_size": 10}
            data = task(f"cifar10/{self.net}", **options).build().data
        else:
            data = Data(synthetic(self.images), synthetic(10), 10, CIFAR10.mean, CIFAR10.std)
        one = Split(data.test.inputs[:1], data.test.targets[:1])
        data = Data(data.train, one, 10, CIFAR10.mean, CIFAR10.std)
        return Task(self.model, data, batch_size=BATCH, augmentation=Augmentation(flip=True, crop=4))


def synthetic(count: int) -> Split:
    generator = torch.Generator().manual_seed(count)
    pixels = torch.randint(0, 256, (count, *CIFAR10.shape), dtype=torch.uint8, generator=generator)
    return Split(pixels, torch.arange(count) % 10)


def our_loop(case: Case) -> Callable[[int], None]:
    numerics = Numerics(dtype=case.dtype, threads=case.threads)
    trajectory = Trajectory(case.task(), seed=0, device=case.device, numerics=numerics)

    def epoch(_: int) -> None:
        trajectory.advance(SETTINGS)

    return epoch


class PictureSet(Dataset[tuple[Tensor, int]]):
    """Images in memory, handed out as torchvision's CIFAR10 does: PIL images from an array, transformed one by one."""

    def __init__(self, split: Split, transform: Callable[[Image.Image], Tensor]) -> None:
        self.data, self.targets, self.transform = split.inputs.numpy(), split.targets.tolist(), transform

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


def stock_loop(case: Case) -> Callable[[int], None]:
    torch.set_num_threads(case.threads)
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # as ours: the same math
    torch.backends.cudnn.benchmark = True
    device = torch.device(case.device)
    loader = partial(make_loader, pictures(case), device)
    loaders: dict[int, DataLoader[tuple[Tensor, int]]] = {}
    model = case.model().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=case.dtype == "bfloat16")

    def epoch(workers: int) -> None:
        if workers not in loaders:
            loaders[workers] = loader(workers)
        stock_epoch(model, loaders[workers], optimizer, device, autocast)

    return epoch


def pictures(case: Case) -> PictureSet:
    steps = [
        transforms.RandomCrop(32, padding=4),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(CIFAR10.mean, CIFAR10.std),
    ]
    return PictureSet(case.task().data.train, transforms.Compose(steps))


def make_loader(dataset: PictureSet, device: torch.device, workers: int) -> DataLoader[tuple[Tensor, int]]:
    return DataLoader(
        dataset,
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )


def stock_epoch(
    model: nn.Module,
    loader: DataLoader[tuple[Tensor, int]],
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    autocast: torch.autocast,
) -> None:
    criterion = nn.CrossEntropyLoss()
    model.train()
    loss_sum, correct, total = 0.0, 0, 0
    for inputs, targets in loader:
        inputs, targets = inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)
        optimizer.zero_grad()
        with autocast:
            outputs = model(inputs)
            loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(targets)
        correct += int((outputs.argmax(1) == targets).sum().item())
        total += len(targets)
