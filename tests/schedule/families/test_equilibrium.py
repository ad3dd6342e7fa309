"""The paper's tables of settings, epoch by epoch, as printed and on other time scales."""

import pytest

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Schedule
from tune_regimes.schedule.families.equilibrium import figure_3, figure_4, figure_5, figure_8, table_1

LRS = {
    "1": [0.4, 0.1, 0.4, 0.1, 0.2, 0.4],
    "2": [0.4] * 6,
    "3": [0.4, 1.6, 0.8, 0.4, 0.1, 0.4],
    "4": [0.4, 1.6, 0.8, 0.4, 0.1, 0.4],
    "5": [12.8, 6.4, 3.2, 1.6, 0.8, 0.4],
}
DECAYS = dict.fromkeys(LRS, [5e-4] * 6) | {"4": [5e-4, 2e-3, 1e-3, 5e-4, 1.25e-4, 5e-4]}
INTRINSIC = {
    "1": [2e-4, 5e-5, 2e-4, 5e-5, 1e-4, 2e-4],
    "2": [2e-4] * 6,
    "3": [2e-4, 8e-4, 4e-4, 2e-4, 5e-5, 2e-4],
    "4": [2e-4, 3.2e-3, 8e-4, 2e-4, 1.25e-5, 2e-4],
    "5": [6.4e-3, 3.2e-3, 1.6e-3, 8e-4, 4e-4, 2e-4],
}


def told(schedule: Schedule, start: int, stop: int) -> set[tuple[float, float]]:
    """The pairs of learning rate and weight decay of a stretch of epochs."""
    settings = [schedule.settings(epoch, 3) for epoch in range(start, stop)]
    return {(each.lr, each.weight_decay) for each in settings}


@pytest.mark.parametrize("unit", [100, 5, 1])
@pytest.mark.parametrize("number", LRS)
def test_table_1_is_as_printed_at_any_time_scale(number, unit):
    schedule = table_1(number, epochs=11 * unit, unit=unit)
    rows = list(zip(LRS[number], DECAYS[number], strict=True))
    for row, expected in enumerate(rows):
        stop = 10 if row == 5 else row + 1
        assert told(schedule, row * unit, stop * unit) == {expected}
    assert told(schedule, 10 * unit, 11 * unit) == {(0.04, 0.0)}


@pytest.mark.parametrize("number", LRS)
def test_table_1_has_the_intrinsic_learning_rates_of_the_paper(number):
    schedule = table_1(number, epochs=600)
    products = [lr * decay for row in range(6) for lr, decay in told(schedule, 100 * row, 100 * row + 1)]
    assert products == pytest.approx(INTRINSIC[number])


def test_the_five_schedules_are_one_from_epoch_500_on():
    assert len({tuple(told(table_1(number, epochs=1100), 500, 1000)) for number in LRS}) == 1


def test_a_run_that_ends_before_the_fine_tuning_is_the_beginning_of_one_that_does_not():
    assert table_1("3", epochs=700) == table_1("3", epochs=1100).first(700)


def test_figure_3_changes_at_41_81_and_121_counted_from_1():
    rows = [(0, 40), (40, 80), (80, 120), (120, 200)]
    fine_tuning = {(0.01, 0.0)}
    expected = {
        "const": [{(0.1, 0.1)}, {(0.1, 0.1)}, {(0.1, 0.1)}, fine_tuning],
        "lr_decay": [{(0.4, 0.1)}, {(0.2, 0.1)}, {(0.1, 0.1)}, fine_tuning],
        "wd_decay": [{(0.1, 0.4)}, {(0.1, 0.2)}, {(0.1, 0.1)}, fine_tuning],
    }
    for name, values in expected.items():
        assert [told(figure_3(name), *row) for row in rows] == values


def test_figure_4_has_one_sequence_of_intrinsic_learning_rates_by_either_decay():
    epochs = [0, 200, 400, 600, 800, 1200, 2000, 4000]
    intrinsic = [1.6e-3, 8e-4, 4e-4, 2e-4, 1e-4, 5e-5, 2.5e-5, 1.25e-5]
    for decays in ("lr", "weight_decay"):
        schedule = figure_4(decays, epochs=9000)
        for start, stop, expected in zip(epochs, [*epochs[1:], 8000], intrinsic, strict=True):
            ((lr, decay),) = told(schedule, start, stop)
            assert lr * decay == pytest.approx(expected, rel=1e-12)
    assert told(figure_4("lr", epochs=9000), 8000, 9000) == {(0.0025, 0.0)}
    assert told(figure_4("weight_decay", epochs=9000), 8000, 9000) == {(0.32, 0.0)}


def test_figure_4_with_fewer_halvings_ends_where_the_next_would_have_been():
    schedule = figure_4("weight_decay", epochs=12, unit=1, halvings=5)
    assert schedule.transitions == (1, 2, 3, 4, 6, 10)
    assert told(schedule, 10, 12) == {(0.32, 0.0)}


def test_figure_5_turns_weight_decay_off_at_30000():
    schedule = figure_5(epochs=31000)
    assert schedule.transitions == (30000,)
    assert told(schedule, 29999, 30001) == {(1.6, 5e-4), (1.6, 0.0)}


def test_figure_8_starts_large_or_ten_times_smaller():
    assert figure_8("large").transitions == (80, 120)
    assert [phase.lr for phase in figure_8("large").phases] == [0.1, 0.01, 0.001]
    assert figure_8("small", unit=2, epochs=8).transitions == (6,)
    assert [phase.lr for phase in figure_8("small").phases] == [0.01, 0.001]


@pytest.mark.parametrize(
    "call",
    [
        lambda: table_1("6", epochs=10),
        lambda: figure_3("cosine"),
        lambda: figure_4("momentum", epochs=10),
        lambda: figure_8("huge"),
    ],
)
def test_a_schedule_that_the_paper_does_not_have_is_refused(call):
    with pytest.raises(ScheduleError, match=r"must be a known name: received .* Choose one of"):
        call()


@pytest.mark.parametrize("unit", [0, 1.5])
def test_a_time_scale_is_a_whole_number_of_epochs(unit):
    with pytest.raises(ScheduleError, match="unit must be an integer of at least 1"):
        table_1("1", epochs=10, unit=unit)
