"""What every built-in task and every network must hold."""

import json
import pickle

import pytest
import torch
from torch import nn

from tune_regimes import tasks
from tune_regimes.tasks import TaskSpec, models, task
from tune_regimes.tasks.registry import DATASETS, MODELS

SMALL = {"num_classes": 5, "width": 0.125}
ALL = sorted(MODELS)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def shape_of(name: str) -> tuple[int, int, int]:
    side = max(8, MODELS[name].smallest)
    return side, side, 2


def images(name: str, rows: int = 4) -> torch.Tensor:
    height, width, channels = shape_of(name)
    return torch.randn(rows, channels, height, width, generator=torch.Generator().manual_seed(1))


def build(name: str, **options: float) -> nn.Module:
    torch.manual_seed(0)
    return models.build(name, shape=shape_of(name), **SMALL | options)


@pytest.mark.parametrize("name", [name for name in tasks.names() if "/" in name])
def test_a_specification_is_json_hashable_picklable_and_equal_to_its_copies(name: str) -> None:
    spec = task(name)
    for copy in (TaskSpec.from_dict(json.loads(json.dumps(spec.to_dict()))), pickle.loads(pickle.dumps(spec))):
        assert copy == spec
        assert hash(copy) == hash(spec)
        assert copy.identity() == spec.identity()


@pytest.mark.parametrize("name", ALL)
def test_a_network_gives_finite_scores_and_a_gradient_to_every_parameter(name: str) -> None:
    model = build(name)
    scores = model(images(name))
    assert scores.shape == (4, 5)
    nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 3])).backward()
    for parameter in model.parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()


@pytest.mark.parametrize("name", ALL)
def test_a_network_starts_from_the_generator_alone(name: str) -> None:
    first, second = build(name).state_dict(), build(name).state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ALL)
def test_dropout_acts_in_training_only(name: str) -> None:
    model = build(name, dropout=0.5, width=0.5)
    assert not torch.equal(model(images(name)), model(images(name)))
    model.eval()
    assert torch.equal(model(images(name)), model(images(name)))


@pytest.mark.parametrize("name", ALL)
def test_a_network_does_not_depend_on_the_memory_format(name: str) -> None:
    model = build(name).double().eval()
    plain = images(name).double()
    assert torch.allclose(model(plain), model(plain.to(memory_format=torch.channels_last)))


@pytest.mark.parametrize("name", ALL)
def test_width_multiplies_the_hidden_channels(name: str) -> None:
    def hidden(width: float) -> list[int]:
        weights = [m.weight for m in build(name, width=width).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        return [len(weight) for weight in weights][:-1]

    assert hidden(0.25) == [channels // 2 for channels in hidden(0.5)]


def test_the_names_are_those_of_every_data_set_with_every_model_that_fits() -> None:
    fits = [f"{d}/{m}" for d in DATASETS for m in MODELS if MODELS[m].smallest <= DATASETS[d].shape[0]]
    assert [name for name in tasks.names() if "/" in name] == fits
