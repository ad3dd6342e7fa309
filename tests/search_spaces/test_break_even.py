import pytest

from analysis.break_even.reports import STUDIES as ANALYSES
from search_spaces import find_study
from search_spaces.break_even import STUDIES
from search_spaces.break_even_points import (
    BATCH_NORM_BATCHES,
    EXAMPLES,
    GRIDS,
    ROWS,
    SIZES,
    constant_schedule,
    drawn,
    early_schedule,
)
from tune_regimes.probes import as_probes

SCALES = ("smoke", "replica", "paper")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_built_at_every_scale(name: str, scale: str) -> None:
    study = find_study(f"break_even.{name}")(scale, data=None if scale == "smoke" else "/pack")
    assert study.name == f"break_even.{name}-{scale}"
    columns = [column.name for probe in study.probes for column in probe.columns()]
    assert "covariance_largest" in columns
    assert study.origin == {"study": f"break_even.{name}", "scale": scale} | {
        "options": {} if scale == "smoke" else {"data": "/pack"}
    }


def test_every_study_has_an_analysis_and_every_analysis_a_study() -> None:
    assert set(ANALYSES) == set(STUDIES)


def test_every_value_of_a_grid_is_a_point() -> None:
    study = find_study("break_even.lr")("paper", data="/pack")
    points = study.open_points({})
    assert {points.config(point)["lr"] for point in range(points.total)} == set(GRIDS["paper"]["lr"].lrs)
    assert set(drawn("momentum", GRIDS["paper"]["momentum"])["momentum"]) == {0.1, 0.5, 0.9}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ["batch_size", "resnet32_batch_size"])
def test_a_batch_size_is_a_whole_number_of_the_tasks_batches(name: str, scale: str) -> None:
    own = STUDIES[name].scale(scale)
    batch_size = own.task_options["batch_size"]
    for size in GRIDS[scale][name].batch_sizes:
        schedule = constant_schedule({"batch_size": size}, grid=GRIDS[scale][name], epochs=2, batch_size=batch_size)
        assert schedule.phases[0].batches_per_step * batch_size == size


@pytest.mark.parametrize("scale", SCALES)
def test_k_has_batches_of_one_size_where_that_of_the_training_varies(scale: str) -> None:
    for name in ("batch_size", "resnet32_batch_size", "batch_norm_batch"):
        assert f"batch_size={EXAMPLES[scale]}" in GRIDS[scale][name].probes[0]
    for name in ("lr", "momentum", "decay", "batch_norm"):
        assert as_probes(GRIDS[scale][name].probes)[0].batch_size is None
    assert EXAMPLES["paper"] == 128


@pytest.mark.parametrize("scale", SCALES)
def test_both_studies_of_figure_9_train_alike_and_look_at_all_rows(scale: str) -> None:
    single, batches = (
        find_study(f"break_even.{name}")(scale, data="/pack") for name in ("single_example", "mini_batch")
    )
    assert single.task == batches.task
    assert single.space.keys() == batches.space.keys() == {"lr"}
    assert single.seeds == batches.seeds
    one, other = single.probes[0], batches.probes[0]
    assert (one.batch_size, one.batches) == (1, ROWS[scale])
    assert other.batches * SIZES[scale] <= ROWS[scale] < (other.batches + 1) * SIZES[scale]
    assert single.task.options["train_size"] == ROWS[scale]


def test_each_batch_size_of_figure_26_is_a_task_of_its_own() -> None:
    sizes = [STUDIES[f"batch_norm_{size}"].scale("paper").task_options["batch_size"] for size in BATCH_NORM_BATCHES]
    assert sizes == list(BATCH_NORM_BATCHES)


def test_the_printed_values_are_those_of_the_paper_scale() -> None:
    grids = GRIDS["paper"]
    assert {0.1, 0.01} <= set(grids["lr"].lrs)
    assert {10, 100} <= set(grids["batch_size"].batch_sizes)
    assert grids["batch_size"].lrs == (0.05,)
    assert grids["early"].lrs == (0.01, 0.001)
    assert grids["batch_norm"].lrs == (1.0, 0.1, 0.01, 0.001)
    assert grids["momentum_lr"].momenta == (0.9,)
    assert STUDIES["lr"].scale("paper").task_options["batch_size"] == 128
    assert STUDIES["mlp"].scale("paper").task == "fashion_mnist/mlp"
    assert STUDIES["mlp"].scale("paper").task_options["batch_size"] == 64


def test_residual_networks_decay_their_kernels_alone() -> None:
    grid = GRIDS["paper"]["resnet32"]
    phase = constant_schedule({"lr": 0.1}, grid=grid, epochs=200, batch_size=128).phases[0]
    assert (phase.weight_decay, phase.decay) == (1e-4, "kernels")


def test_the_early_phase_is_longer_at_the_smaller_learning_rate() -> None:
    grid = GRIDS["paper"]["early"]
    lengths = [early_schedule({"lr": lr}, grid=grid, epochs=150, batch_size=128).epochs for lr in grid.lrs]
    assert lengths == [47, 150]
    assert find_study("break_even.early")("paper", data="/pack").lengths == lengths
