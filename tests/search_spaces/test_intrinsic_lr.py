from collections import Counter
from dataclasses import replace
from itertools import product

import pytest

from search_spaces import find_study
from search_spaces.intrinsic_lr import INITIALISATIONS, SCHEDULES, STUDIES
from search_spaces.intrinsic_lr_points import (
    decay_schedule,
    drawn,
    equilibrium_schedule,
    initialisation_schedule,
    label_schedule,
    labels,
    level_schedule,
    prediction_schedule,
    recovery_schedule,
)
from search_spaces.intrinsic_lr_rates import PAPER, RATES
from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Schedule, intrinsic_lr
from tune_regimes.schedule.families.equilibrium import figure_3, figure_4, table_1

SCALES = ("smoke", "replica", "paper")
SMALL_STEPS = {"smoke": 25, "replica": 62, "paper": 390}


def products(schedule: Schedule) -> list[float]:
    """lr * weight decay / (1 - momentum) of each phase."""
    return [intrinsic_lr(phase.lr, phase.weight_decay, phase.momentum or 0.0) for phase in schedule.phases]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_built_at_every_scale(name: str, scale: str) -> None:
    study = find_study(f"intrinsic_lr.{name}")(scale, data=None if scale == "smoke" else "/pack")
    assert study.name == f"intrinsic_lr.{name}-{scale}"
    kind = next(kind for kind in SCHEDULES if name.startswith(kind))
    values = drawn(scale, STUDIES[name].scale(scale).epochs)[kind]
    every = [dict(zip(values, each, strict=True)) for each in product(*values.values())]
    points = study.open_points({})
    found = Counter(str(sorted(points.config(point).items())) for point in range(points.total))
    assert found == Counter(str(sorted(config.items())) for config in every)


def test_the_paper_scale_is_as_printed() -> None:
    scale = STUDIES["equilibrium"].scale("paper")
    assert scale.task == "cifar10/preresnet32_si"
    assert scale.task_options == {"batch_size": 128, "augment": True}
    for number in "12345":
        assert equilibrium_schedule({"schedule": number}, rates=PAPER, epochs=1100) == table_1(number, epochs=1100)
    for name in ("const", "lr_decay", "wd_decay"):
        assert prediction_schedule({"schedule": name}, rates=PAPER, epochs=200) == figure_3(name)
    for decays in ("lr", "weight_decay"):
        assert decay_schedule({"decays": decays}, rates=PAPER, epochs=8200) == figure_4(decays, epochs=8200)
    predictions = STUDIES["predictions"].scale("paper")
    assert (predictions.task, predictions.seeds, predictions.epochs) == ("mnist/mnist_cnn_si", 500, 200)
    assert STUDIES["full_batch"].scale("paper").task_options["train_size"] == 1000


def test_the_blue_line_starts_at_a_thousandth() -> None:
    baseline, small = (label_schedule({"label": label}, rates=PAPER, epochs=5100) for label in labels("paper", 5100))
    assert [phase.lr for phase in small.phases] == [1e-3, 1e-4]
    assert [phase.lr for phase in baseline.phases] == pytest.approx([0.1, 0.01, 0.001])
    assert {phase.momentum for phase in (*small.phases, *baseline.phases)} == {0.9}


@pytest.mark.parametrize("scale", SCALES)
def test_all_schedules_of_table_1_end_at_one_intrinsic_lr_and_have_time_to_meet(scale: str) -> None:
    epochs = STUDIES["equilibrium"].scale(scale).epochs
    schedules = [equilibrium_schedule({"schedule": n}, rates=RATES[scale], epochs=epochs) for n in "12345"]
    assert {schedule.epochs for schedule in schedules} == {epochs}
    unit = epochs // 11
    common = [schedule.settings(5 * unit, 1) for schedule in schedules]
    assert len({(each.lr, each.weight_decay) for each in common}) == 1
    assert common[0].lr * common[0].weight_decay * 5 * unit * SMALL_STEPS[scale] > 2


@pytest.mark.parametrize("scale", SCALES)
def test_a_recovery_keeps_the_intrinsic_lr_and_has_time_for_both_phases(scale: str) -> None:
    epochs = STUDIES["recovery"].scale(scale).epochs
    for rate in RATES[scale].recovery:
        schedule = recovery_schedule({"intrinsic_lr": rate}, rates=RATES[scale], epochs=epochs)
        assert products(schedule) == pytest.approx([rate, rate])
        assert schedule.phases[0].lr == pytest.approx(10 * schedule.phases[1].lr)
        assert rate * schedule.phases[1].length * SMALL_STEPS[scale] > 2


@pytest.mark.parametrize("scale", SCALES)
def test_both_ways_to_decay_have_one_sequence_of_intrinsic_lrs(scale: str) -> None:
    epochs = STUDIES["decay_kind"].scale(scale).epochs
    by_lr, by_decay = (
        decay_schedule({"decays": decays}, rates=RATES[scale], epochs=epochs) for decays in ("lr", "weight_decay")
    )
    assert products(by_lr) == pytest.approx(products(by_decay))
    assert by_lr.transitions == by_decay.transitions
    assert len(by_lr.phases) == RATES[scale].halvings + 2


@pytest.mark.parametrize("scale", SCALES)
def test_levels_differ_in_the_lr_alone_and_keep_their_weight_decay(scale: str) -> None:
    for lr in RATES[scale].levels_lr:
        schedule = level_schedule({"lr": lr}, rates=RATES[scale], epochs=50)
        assert [phase.lr for phase in schedule.phases] == pytest.approx([lr, lr / 10])
        assert {phase.weight_decay for phase in schedule.phases} == {RATES[scale].levels}


@pytest.mark.parametrize("scale", SCALES)
def test_the_four_settings_of_figure_8_have_slopes_of_1_10_5_50(scale: str) -> None:
    small, large = RATES[scale].initialisation
    first = [
        products(initialisation_schedule({"start": start, "weight_decay": decay}, rates=RATES[scale], epochs=40))[0]
        for start, decay in (("small", small), ("large", small), ("small", large), ("large", large))
    ]
    assert [each / first[0] for each in first] == pytest.approx([1, 10, 5, 50])


def test_every_initialisation_is_a_study_on_a_task_of_its_own() -> None:
    tasks = [STUDIES[f"initialisation_{name}"].scale("paper").task_options for name in INITIALISATIONS]
    assert [options.get("init_scale") for options in tasks] == [None, None, 1000.0, 0.001]
    built = find_study("intrinsic_lr.initialisation_kaiming_times_1000")("smoke")
    assert built.task.options["init_scale"] == 1000.0


@pytest.mark.parametrize("scale", SCALES)
def test_one_start_is_the_study_of_predictions_but_for_a_start_that_no_run_of_it_has(scale: str) -> None:
    random, fixed = (STUDIES[name].scale(scale) for name in ("predictions", "predictions_one_start"))
    assert fixed == replace(random, task_options={**random.task_options, "init_seed": 1000})
    assert random.seeds < 1000
    names = ("predictions", "predictions_one_start")
    studies = [find_study(f"intrinsic_lr.{name}")(scale, data="/pack") for name in names]
    assert [study.task.options.get("init_seed") for study in studies] == [None, 1000]
    assert studies[0].probes == studies[1].probes
    assert len(studies[1].probes) == 1


def test_fewer_epochs_are_a_shorter_time_scale_or_a_mistake() -> None:
    study = find_study("intrinsic_lr.equilibrium")("smoke", epochs=22, seeds=1)
    assert set(study.lengths) == {22}
    with pytest.raises(ScheduleError, match="unit must be an integer of at least 1"):
        find_study("intrinsic_lr.equilibrium")("smoke", epochs=10)


def test_every_kind_of_study_has_points_and_schedules() -> None:
    assert set(drawn("smoke", 40)) == set(SCHEDULES)
