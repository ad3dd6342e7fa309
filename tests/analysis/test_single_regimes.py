"""Two phases against their regimes alone, on synthetic tables in which the truth is known."""

from collections.abc import Callable, Sequence
from itertools import count

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.figures.single_regimes import against_single_regimes
from analysis.reporting import analyse
from analysis.single_regimes import arms, beats_single_regimes, chosen_on_others, is_two_phase
from tune_regimes.results import Results
from tune_regimes.schedule import Phase, Schedule, cosine

LARGE, SMALL = Phase(lr=0.5, epochs=4, name="large-step"), Phase(lr=0.05, momentum=0.9, epochs=4, name="small-step")
WARM_UP = Phase(lr=0.001, epochs=1, name="warm-up")
TWO = Schedule((WARM_UP, LARGE, SMALL))
ALONE = (Schedule((WARM_UP, LARGE)), Schedule((WARM_UP, SMALL)))


@pytest.fixture
def study(course_tables: Callable, store: Callable) -> Callable[..., Results]:
    """A study of the regimes alone, then schedules of two phases, with those accuracies by point and seed."""

    numbers = count()

    def make(accuracies: Sequence[Sequence[float | None]], first: Sequence[Schedule] = ALONE) -> Results:
        schedules = [*first, *[TWO] * (len(accuracies) - len(first))]
        courses = [
            {
                "policy": schedule,
                "seed": seed,
                "accuracy": value,
                "status": "diverged" if value is None else "completed",
            }
            for schedule, row in zip(schedules, accuracies, strict=True)
            for seed, value in enumerate(row)
        ]
        return store(course_tables(courses), None, name=f"study-{next(numbers)}")

    return make


def test_the_phases_say_which_regimes_a_schedule_has(study: Callable) -> None:
    found = arms(study([[0.8], [0.7], [0.9]]).trials)
    assert found["regimes"].tolist() == ["large-step", "small-step", "both"]
    assert found["label"].tolist()[:2] == ["lr 0.5, momentum 0", "lr 0.05, momentum 0.9"]
    assert found["epochs"].tolist() == [4, 4, 4]


def test_a_study_is_one_of_two_phases_where_regimes_alone_stand_beside_them_and_nothing_else(study: Callable) -> None:
    assert is_two_phase(study([[0.8], [0.7], [0.9]]).trials)
    assert not is_two_phase(study([[0.9], [0.9]], first=()).trials)
    assert not is_two_phase(study([[0.8], [0.7]]).trials)
    assert not is_two_phase(study([[0.8], [0.7], [0.9]], first=(ALONE[0], cosine(epochs=4, lr=0.1))).trials)


def test_it_holds_where_a_schedule_beats_both_in_every_seed(study: Callable) -> None:
    verdict = beats_single_regimes(study([[0.80, 0.81, 0.80], [0.70, 0.71, 0.72], [0.90, 0.91, 0.90], [0.5] * 3]))
    assert verdict.verdict == "holds"
    assert verdict.statistics["best mean - best mean alone"] == pytest.approx(0.1)
    assert verdict.n == {"schedules": 2, "regimes alone": 2, "seeds": 3}


def test_it_does_not_hold_where_one_regime_alone_beats_every_schedule(study: Callable) -> None:
    verdict = beats_single_regimes(study([[0.80, 0.81, 0.80], [0.95, 0.96, 0.96], [0.90, 0.91, 0.90]]))
    assert verdict.verdict == "does not hold"


def test_the_best_of_many_that_are_no_better_is_not_taken_for_better() -> None:
    """All have one mean: the best of a sample is above it, those that are chosen on other seeds are not."""
    rng = np.random.default_rng(0)
    samples = [pd.DataFrame(rng.normal(size=(20, 3))) for _ in range(400)]
    assert np.mean([sample.mean(axis=1).max() for sample in samples]) > 0.9
    assert abs(np.mean([chosen_on_others(sample).mean() for sample in samples])) < 3 / np.sqrt(3 * 400)


def test_two_that_scatter_around_one_mean_are_undecided(study: Callable) -> None:
    verdict = beats_single_regimes(study([[0.80, 0.84, 0.88], [0.86, 0.82, 0.81], [0.84, 0.83, 0.84]]))
    assert verdict.verdict == "undecided"


def test_a_regime_alone_that_diverges_is_beaten_and_named(study: Callable) -> None:
    verdict = beats_single_regimes(study([[None, 0.81, 0.80], [0.70, 0.71, 0.72], [0.90, 0.91, 0.90]]))
    assert (verdict.verdict, verdict.note) == ("holds", "diverged alone: lr 0.5, momentum 0")


def test_one_seed_is_undecided(study: Callable) -> None:
    assert beats_single_regimes(study([[0.8], [0.7], [0.9]])).verdict == "undecided"


def test_the_choice_does_not_see_the_seed_that_it_is_judged_on() -> None:
    assert chosen_on_others(pd.DataFrame([[9.0, 1.0], [2.0, 2.0]])).tolist() == [2.0, 1.0]


def test_the_report_draws_and_judges_it(study: Callable) -> None:
    results = study([[0.80, 0.81], [0.70, 0.71], [0.90, 0.91], [0.5, 0.5]])
    report = analyse(results)
    assert [verdict.claim for verdict in report.verdicts] == ["locate"]
    assert next(iter(report.figures)) == "against_single_regimes"
    (axis,) = against_single_regimes(results).axes
    assert [text.get_text() for text in axis.get_figure().legends[0].get_texts()] == [
        "large-step alone: lr 0.5, momentum 0",
        "small-step alone: lr 0.05, momentum 0.9",
        "two phases, first lr 0.5, momentum 0",
    ]


def test_the_legend_of_long_learning_rates_lies_within_the_figure(study: Callable) -> None:
    large = Phase(lr=0.000592, momentum=0.95, epochs=4, name="large-step")
    small = Phase(lr=0.0000421, momentum=0.995, epochs=4, name="small-step")
    schedules = (Schedule((large,)), Schedule((small,)), Schedule((large, small)))
    figure = against_single_regimes(study([[0.8, 0.7]] * 3, first=schedules))
    FigureCanvasAgg(figure).draw()
    legend, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert 0 <= legend.x0 < legend.x1 <= whole.x1
