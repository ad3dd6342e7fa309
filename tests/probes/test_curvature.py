"""The curvature probe on trainings: its columns against the matrices themselves, and what it refuses."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.probes.test_hessian import dense
from tests.training.conftest import vectors
from tune_regimes.errors import UsageError
from tune_regimes.probes import Watch, When, parse_probe
from tune_regimes.probes.curvature import Curvature, estimated_stability
from tune_regimes.probes.flattened import set_mode
from tune_regimes.probes.hessian import Ends, Hessian
from tune_regimes.probes.isolation import put_back
from tune_regimes.probes.one_step import drawn, mean_loss
from tune_regimes.schedule import Settings
from tune_regimes.tasks import Data, Task
from tune_regimes.training import Numerics, Trajectory

SGD = Settings("sgd", lr=0.1, momentum=0.9, weight_decay=1e-3)
SHARP = {"tolerance": 1e-6, "hessian_every": 1}


class Seen:
    """Keeps the moments of a training."""

    def __init__(self) -> None:
        self.moments = []

    def identity(self):
        return []

    def wants(self, epoch, step) -> bool:
        return True

    def look(self, moment) -> None:
        self.moments.append(moment)

    def finished(self, epoch):
        return {}, []


def moment_of(task: Task, settings: Settings = SGD):
    """After the first epoch; the model is live."""
    seen = Seen()
    Trajectory(task, seed=4, numerics=Numerics(threads=1), watcher=seen).advance(settings)
    return seen.moments[-1]


def looked(probe: Curvature, moment):
    with put_back(moment.model, moment.device, moment.seed, "probe", probe.name):
        return probe.measure(moment)


@pytest.fixture
def deep_task() -> Task:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 4))

    return Task(model, Data(vectors(120, seed=1), vectors(17, seed=2), 4), batch_size=10, eval_batch_size=5)


def test_the_columns_of_h_are_those_of_the_dense_matrix_and_of_eq_1_by_enumeration(deep_task: Task) -> None:
    moment = moment_of(deep_task)
    found = looked(Curvature(subset=1.0, top=5, **SHARP), moment)
    everything = moment.examples(torch.arange(120))
    singles = [(x[None], y[None]) for x, y in zip(*everything, strict=True)]
    matrix = dense(moment.model, moment.loss, [everything])
    values, eigenvectors = np.linalg.eigh(matrix)
    assert found.values["hessian_largest"] == pytest.approx(values[-1], rel=1e-4)
    assert found.values["hessian_norm"] == pytest.approx(np.abs(values).max(), rel=1e-4)
    largest = np.sort(values[np.argsort(-np.abs(values))[:5]])[::-1]
    np.testing.assert_allclose(found.spectra["hessian"], largest, rtol=1e-4)
    vector = eigenvectors[:, -1]
    curvatures = np.array([vector @ dense(moment.model, moment.loss, [single]) @ vector for single in singles])
    assert curvatures.mean() == pytest.approx(values[-1], rel=1e-5)
    noise = curvatures.var() * (120 - 10) / (10 * 119)
    exact = (1 - 0.1 * values[-1]) ** 2 + 0.1**2 * noise
    random = np.random.default_rng(0)
    draws = [np.mean(random.choice(curvatures, 10, replace=False)) for _ in range(20_000)]
    assert np.mean((1 - 0.1 * np.array(draws)) ** 2) == pytest.approx(exact, rel=1e-2)
    assert found.values["stability"] == pytest.approx(exact, abs=0.1**2 * noise * 4 * math.sqrt(2 / 11))


def test_the_estimate_of_the_noise_is_right_in_the_mean_over_subsets(deep_task: Task) -> None:
    """A batch of the training is larger here than the parts of the subset, and the training set finite."""
    moment = moment_of(replace(deep_task, batch_size=40))
    vector = np.random.default_rng(0).standard_normal(124)
    vector /= np.linalg.norm(vector)
    ends = Ends(0.0, 0.0, np.zeros(1), vector)
    everything = moment.examples(torch.arange(120))
    singles = Hessian(moment.model, moment.loss, [(x[None], y[None]) for x, y in zip(*everything, strict=True)])
    curvatures = singles.curvatures(vector)[1]
    expected = curvatures.var() * (120 - 40) / (40 * 119)
    generator, found = torch.Generator().manual_seed(0), []
    for _ in range(400):
        rows = torch.randperm(120, generator=generator)[:30].view(6, 5)
        hessian = Hessian(moment.model, moment.loss, [moment.examples(part) for part in rows])
        found.append((estimated_stability(moment, hessian, ends, 5) - 1.0) / 0.1**2)
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / 20)
    assert np.std(found) / 20 < 0.05 * expected


def test_the_columns_of_k_are_those_of_mini_batch_gradients(deep_task: Task) -> None:
    moment = moment_of(deep_task)
    probe = Curvature(batches=8, batch_size=15, hessian_every=0)
    found = looked(probe, moment)
    rows = []
    with put_back(moment.model, moment.device, moment.seed, "probe", probe.name):
        for part in drawn(120, 15, 8):
            moment.model.zero_grad()
            inputs, targets = moment.examples(part)
            moment.loss(moment.model(inputs), targets).backward()
            rows.append(torch.cat([p.grad.flatten() for p in moment.model.parameters()]).double().numpy())
    gradients = np.stack(rows)
    values = np.linalg.eigvalsh(np.cov(gradients, rowvar=False, bias=True))[::-1]
    np.testing.assert_allclose(found.spectra["covariance"][:7], values[:7], rtol=1e-5)
    assert found.values["covariance_largest"] == pytest.approx(values[0], rel=1e-5)
    assert found.values["covariance_smallest"] == pytest.approx(values[6], rel=1e-4)
    assert found.values["covariance_ratio"] == pytest.approx(values[6] / values[0], rel=1e-4)
    assert found.values["covariance_trace"] == pytest.approx(values.sum(), rel=1e-5)
    assert found.values["gradient_norm"] == pytest.approx(np.linalg.norm(gradients.mean(0)), rel=1e-5)
    assert found.values["gradient_second_moment"] == pytest.approx(np.mean(np.sum(gradients**2, 1)), rel=1e-5)
    assert found.values["gradient_ratio"] >= 1.0
    assert set(found.values) == {column.name for column in probe.columns()}


def test_single_examples_give_the_covariance_of_the_whole_set(deep_task: Task) -> None:
    moment = moment_of(deep_task)
    found = looked(Curvature(batches=120, batch_size=1, hessian_every=0), moment)
    everything = moment.examples(torch.arange(120))
    rows = []
    for example, target in zip(*everything, strict=True):
        gradients = torch.autograd.grad(
            moment.loss(moment.model(example[None]), target[None]), list(moment.model.parameters())
        )
        rows.append(torch.cat([part.flatten() for part in gradients]).double().numpy())
    matrix = np.cov(np.stack(rows), rowvar=False, bias=True)
    assert found.values["covariance_largest"] == pytest.approx(np.linalg.eigvalsh(matrix)[-1], rel=1e-5)
    assert found.values["covariance_trace"] == pytest.approx(np.trace(matrix), rel=1e-5)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_net_with_batchnorm_is_looked_at_in_the_mode_that_is_asked_for(cnn_task: Task, mode: str) -> None:
    moment = moment_of(cnn_task)
    found = looked(Curvature(batches=6, subset=0.64, mode=mode, **SHARP), moment)
    rows = Curvature(subset=0.64, mode=mode)._subset(moment)
    assert [len(part) for part in rows] == [8] * 4
    set_mode(moment.model, mode)
    matrix = dense(moment.model.double(), moment.loss, [moment.examples(part) for part in rows])
    assert found.values["hessian_largest"] == pytest.approx(np.linalg.eigvalsh(matrix)[-1], rel=1e-3)
    assert math.isfinite(found.values["loss_change"])


@pytest.mark.parametrize(
    "settings",
    [
        SGD,
        Settings("sgd", lr=0.2),
        Settings("sgd", lr=(0.1, 0.2, 0.3, 0.4), momentum=0.9, nesterov=True, clip_norm=0.1),
        Settings("sgd", lr=0.1, momentum=0.5, batches_per_step=2, weight_decay=0.1, decay="kernels"),
    ],
)
def test_the_loss_change_is_that_of_a_step_of_the_training(mlp_task: Task, settings: Settings) -> None:
    moment, probe = moment_of(mlp_task, settings), Curvature(batches=2, subset=0.5, hessian_every=0)
    found = looked(probe, moment)
    rows, model = probe._subset(moment), moment.model
    with put_back(model, moment.device, moment.seed, "probe", probe.name):
        drawn(40, 10, 2)
        before = mean_loss(moment, rows, "train")
        parts = drawn(40, 10, settings.batches_per_step)
        sum(moment.loss(model(x), y) / len(parts) for x, y in map(moment.examples, parts)).backward()
        if settings.clip_norm:
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        lr = settings.lr[-1] if isinstance(settings.lr, tuple) else settings.lr
        with torch.no_grad():
            for name, p in model.named_parameters():
                decay = 0.0 if settings.decay == "kernels" and p.ndim < 2 else settings.weight_decay
                gradient = p.grad + decay * p
                velocity = settings.momentum * moment.velocity.get(name, 0.0) + gradient
                p -= lr * (gradient + settings.momentum * velocity if settings.nesterov else velocity)
        expected = before - mean_loss(moment, rows, "train")
    assert found.values["loss_change"] == pytest.approx(expected, rel=1e-4, abs=1e-7)
    assert found.values["loss_change"] != 0.0


def test_other_optimizers_have_spectra_but_neither_stability_nor_loss_change(mlp_task: Task) -> None:
    found = looked(Curvature(subset=0.5, hessian_every=1), moment_of(mlp_task, Settings("adam", lr=1e-3)))
    assert math.isfinite(found.values["hessian_largest"])
    assert math.isfinite(found.values["covariance_largest"])
    assert math.isnan(found.values["stability"])
    assert math.isnan(found.values["loss_change"])


@pytest.mark.parametrize(
    ("probe", "due"),
    [
        (Curvature(hessian_every=3), [1, 4, 7]),
        (Curvature(hessian_every=0), []),
        (Curvature(when=When(at=(2, 5)), hessian_every=3), [2, 5]),
        (Curvature(when=When(every=2), hessian_every=3), [1, 7]),
    ],
)
def test_h_is_looked_at_in_its_own_rhythm(probe: Curvature, due: list[int]) -> None:
    looks = [epoch for epoch in range(1, 8) if probe.when.after_epoch(epoch) and probe.looks_at_hessian(epoch)]
    assert looks == due


def test_an_epoch_without_h_has_nulls_in_its_columns(mlp_task: Task) -> None:
    watch = Watch([Curvature(batches=6, subset=0.5, hessian_every=2)])
    trajectory = Trajectory(mlp_task, seed=4, numerics=Numerics(threads=1), watcher=watch)
    records = [trajectory.advance(SGD) for _ in range(3)]
    for name in ("hessian_largest", "hessian_norm", "stability"):
        assert [math.isnan(record[name]) for record in records] == [False, True, False]
    assert all(math.isfinite(record["covariance_largest"]) for record in records)
    assert sorted(trajectory.readings[0]["spectra"]) == ["covariance", "hessian"]


def test_the_subset_is_the_same_for_all_seeds_and_looks_and_in_batches_of_the_training(deep_task: Task) -> None:
    moment = moment_of(deep_task)
    rows = Curvature(subset=0.5)._subset(moment)
    assert [len(part) for part in rows] == [10] * 6
    again = Curvature(subset=0.5)._subset(replace(moment, seed=9, epoch=7))
    assert torch.equal(torch.cat(rows), torch.cat(again))
    assert len(torch.cat(rows).unique()) == 60
    assert [len(part) for part in Curvature(subset=0.1)._subset(moment)] == [3] * 4
    assert [len(part) for part in Curvature(subset=0.02)._subset(moment)] == [1] * 2


def test_a_look_repeats_bit_for_bit(cnn_task: Task) -> None:
    moment, probe = moment_of(cnn_task), Curvature(batches=6, subset=0.5, hessian_every=1)
    first, second = looked(probe, moment), looked(probe, moment)
    assert first.values == second.values
    assert first.spectra == second.spectra


def test_lanczos_that_does_not_converge_leaves_the_other_columns(deep_task: Task) -> None:
    probe = Curvature(batches=6, subset=0.5, hessian_every=1, tolerance=1e-15, iterations=1)
    with pytest.warns(RuntimeWarning, match="did not converge in 1 iterations"):
        found = looked(probe, moment_of(deep_task))
    assert math.isnan(found.values["hessian_largest"])
    assert math.isnan(found.values["stability"])
    assert math.isfinite(found.values["covariance_largest"])
    assert math.isfinite(found.values["loss_change"])


def test_a_model_whose_gradients_are_not_finite_has_no_numbers(mlp_task: Task) -> None:
    moment = moment_of(mlp_task)
    with torch.no_grad():
        moment.model[2].weight.fill_(math.inf)  # and not a large number: whether a sum overflows depends on its order
    values = looked(Curvature(batches=2, subset=0.5, hessian_every=1), moment).values
    assert all(math.isnan(value) for value in values.values())


def test_batches_are_drawn_without_replacement_as_long_as_the_examples_last() -> None:
    torch.manual_seed(0)
    rows = drawn(25, 8, 7)
    assert rows.shape == (7, 8)
    for first in (0, 3):
        assert len(rows[first : first + 3].unique()) == 24
    assert len(rows[6].unique()) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batches": 1}, "batches of the curvature probe must be a whole number from 2, got 1"),
        ({"batch_size": 0}, "batch_size of the curvature probe must be a whole number from 1, got 0"),
        ({"subset": 1.5}, "subset of the curvature probe must lie above 0 and up to 1, got 1.5"),
        ({"subset": 0.0}, "subset of the curvature probe must lie above 0"),
        ({"tolerance": 0.0}, "tolerance of the curvature probe must lie above 0"),
        ({"hessian_every": -1}, "hessian_every of the curvature probe must be a whole number from 0"),
        ({"top": 0}, "top of the curvature probe"),
        ({"iterations": 0}, "iterations of the curvature probe"),
        ({"mode": "frozen"}, "mode of the curvature probe must be one of train, eval, got 'frozen'"),
    ],
)
def test_options_out_of_range_are_refused(options, message) -> None:
    with pytest.raises(UsageError, match=message):
        Curvature(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 51}, "must be at most 50, the training examples, got 51; choose a smaller one"),
        ({"subset": 0.02}, "must hold at least 2 of the 50 training examples, got subset=0.02; raise it"),
        ({"subset": 0.1}, "batches of 2 examples and more for BatchNorm '1', got 5 examples in all; raise subset"),
        ({"batch_size": 1, "subset": 0.5}, "BatchNorm '1' normalises by the batch; use mode=eval"),
    ],
)
def test_what_does_not_go_with_the_task_is_refused(cnn_task: Task, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        looked(Curvature(**options), moment_of(cnn_task))


def test_the_notation_of_the_command_line_gives_the_probe() -> None:
    found = parse_probe("curvature:every=2,batches=30,batch_size=64,mode=eval,hessian_every=0")
    assert found == Curvature(when=When(every=2), batches=30, batch_size=64, mode="eval", hessian_every=0)
