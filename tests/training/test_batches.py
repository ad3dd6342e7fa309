import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tune_regimes.tasks import Augmentation, Data, Split, Task
from tune_regimes.training.batches import DeviceData, device_data, draw

CPU = torch.device("cpu")
PADDING = {"zero": "constant", "reflect": "reflect"}


def random_images(count: int, shape: tuple[int, int, int]) -> Split:
    generator = torch.Generator().manual_seed(count)
    pixels = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=generator)
    return Split(pixels, torch.arange(count) % 4)


def task_of(data: Data, augmentation: Augmentation, batch_size: int = 7) -> Task:
    return Task(nn.Identity, data, batch_size=batch_size, eval_batch_size=5, augmentation=augmentation)


def one_by_one(image: Tensor, augmentation: Augmentation, top: int, left: int, mirrored: bool, data: Data) -> Tensor:
    """Augment and normalise a single image as torchvision does: pad, mirror, crop, scale, normalise."""
    from torchvision.transforms import functional

    height, width, channels = image.shape
    picture = Image.fromarray(image.squeeze(2).numpy() if channels == 1 else image.numpy())
    if augmentation.crop:
        picture = functional.pad(picture, augmentation.crop, padding_mode=PADDING[augmentation.padding])
    picture = functional.hflip(picture) if mirrored else picture
    scaled = functional.to_tensor(functional.crop(picture, top, left, height, width))
    return scaled if data.mean is None else functional.normalize(scaled, data.mean, data.std)


@pytest.mark.parametrize("shape", [(8, 8, 3), (6, 9, 3), (8, 8, 1)], ids=["square", "oblong", "grey"])
@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(),
        Augmentation(flip=True),
        Augmentation(crop=2),
        Augmentation(flip=True, crop=2),
        Augmentation(flip=True, crop=3, padding="reflect"),
    ],
    ids=str,
)
def test_batches_equal_images_augmented_one_by_one(shape: tuple[int, int, int], augmentation: Augmentation) -> None:
    statistics = ((0.4, 0.5, 0.6)[: shape[2]], (0.2, 0.25, 0.3)[: shape[2]])
    data = Data(random_images(23, shape), random_images(5, shape), 4, *statistics)
    drawn = draw(23, augmentation, seed=3, epoch=4)
    batches = list(DeviceData(task_of(data, augmentation), CPU).train(seed=3, epoch=4))
    assert [len(targets) for _, targets in batches] == [7, 7, 7]
    for place, (image, target) in enumerate((x, y) for xs, ys in batches for x, y in zip(xs, ys, strict=True)):
        row = int(drawn.order[place])
        where = int(drawn.top[place]), int(drawn.left[place]), bool(drawn.mirrored[place])
        torch.testing.assert_close(image, one_by_one(data.train.inputs[row], augmentation, *where, data))
        assert target == data.train.targets[row]


def test_images_without_statistics_are_scaled_to_one() -> None:
    data = Data(random_images(8, (4, 4, 3)), random_images(5, (4, 4, 3)), 4)
    ((inputs, _),) = DeviceData(task_of(data, Augmentation(), batch_size=8), CPU).train(seed=0, epoch=0)
    order = draw(8, Augmentation(), seed=0, epoch=0).order
    torch.testing.assert_close(inputs, data.train.inputs[order].permute(0, 3, 1, 2) / 255)


def test_image_batches_are_in_channels_last_order(image_data: Data) -> None:
    inputs, _ = next(DeviceData(task_of(image_data, Augmentation(True, 2)), CPU).train(seed=0, epoch=0))
    assert inputs.is_contiguous(memory_format=torch.channels_last)


def test_other_inputs_pass_through_unchanged(mlp_task: Task) -> None:
    order = draw(40, Augmentation(), seed=0, epoch=0).order
    inputs = torch.cat([inputs for inputs, _ in DeviceData(mlp_task, CPU).train(seed=0, epoch=0)])
    assert torch.equal(inputs, mlp_task.data.train.inputs[order])


def test_an_epoch_sees_no_example_twice_and_drops_the_last_partial_batch(image_data: Data) -> None:
    marked = Data(Split(image_data.train.inputs, torch.arange(50)), Split(image_data.test.inputs, torch.arange(21)), 50)
    data = DeviceData(task_of(marked, Augmentation(), batch_size=8), CPU)
    seen = torch.cat([targets for _, targets in data.train(seed=0, epoch=0)]).tolist()
    assert len(seen) == len(set(seen)) == 48


def test_evaluation_sees_every_test_example_once_in_order(image_data: Data) -> None:
    batches = list(DeviceData(task_of(image_data, Augmentation(True, 2)), CPU).test())
    assert [len(targets) for _, targets in batches] == [5, 5, 5, 5, 1]
    expected = [one_by_one(image, Augmentation(), 0, 0, False, image_data) for image in image_data.test.inputs]
    torch.testing.assert_close(torch.cat([inputs for inputs, _ in batches]), torch.stack(expected))


@pytest.mark.parametrize(("seed", "epoch"), [(0, 6), (1, 5)], ids=["epoch", "seed"])
def test_every_draw_differs_between_epochs_and_between_seeds(seed: int, epoch: int) -> None:
    augmentation = Augmentation(flip=True, crop=4)
    one, other = draw(200, augmentation, seed=0, epoch=5), draw(200, augmentation, seed=seed, epoch=epoch)
    assert all(not torch.equal(getattr(one, name), getattr(other, name)) for name in vars(one))


def test_crops_and_flips_are_drawn_evenly() -> None:
    drawn = draw(9000, Augmentation(flip=True, crop=4), seed=0, epoch=0)
    for offsets in (drawn.top, drawn.left):
        counts = torch.bincount(offsets, minlength=9)
        assert len(counts) == 9
        assert counts.min() > 850
    assert 4300 < drawn.mirrored.sum() < 4700


def test_trajectories_of_one_task_share_its_data(image_data: Data) -> None:
    task = task_of(image_data, Augmentation())
    assert device_data(task, CPU) is device_data(task, CPU)
