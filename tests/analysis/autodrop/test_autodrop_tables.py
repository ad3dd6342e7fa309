from dataclasses import replace

import pytest

from analysis.autodrop.autodrop_tables import (
    IMAGENET,
    TABLE_1,
    TABLE_2,
    printed_factor,
    printed_robustness,
    printed_spread,
)


def test_the_recommended_factor_wins_in_every_printed_row() -> None:
    verdict = printed_factor()
    assert (verdict.claim, verdict.verdict) == ("P1-22", "holds")
    assert list(verdict.statistics.values()) == pytest.approx([-0.26, -0.04, -0.09, -0.99])


def test_one_row_in_which_it_loses_is_enough() -> None:
    worse = replace(TABLE_1[0], autodrop={0.2: (4.9, 0.1)})
    assert printed_factor((*TABLE_1[1:], worse)).verdict == "does not hold"


def test_the_note_says_how_many_of_the_printed_differences_are_shown() -> None:
    assert printed_factor().note.startswith("of 4 differences 2 are shown at 5 %")


def test_bold_numbers_are_those_below_the_baseline() -> None:
    assert [row.winners for row in TABLE_1] == [(0.2, 0.5), (0.1, 0.2), (0.2, 0.5), (0.1, 0.2)]
    assert IMAGENET.winners == (0.1,)


def test_autodrop_is_printed_below_the_baseline_at_every_initial_lr() -> None:
    verdict = printed_robustness()
    assert (verdict.claim, verdict.verdict) == ("P1-23", "holds")
    assert list(verdict.statistics.values()) == pytest.approx([-0.14, -0.18, -0.26, -0.34])
    worse = {**TABLE_2, 0.1: (TABLE_2[0.1][1], TABLE_2[0.1][0])}
    assert printed_robustness(worse).verdict == "does not hold"


def test_the_printed_errors_vary_as_much_with_either_method() -> None:
    verdict = printed_spread()
    assert verdict.verdict == "does not hold"
    assert list(verdict.statistics.values()) == pytest.approx([0.27, 0.29])
    steady = {lr: (baseline, (4.6, 0.1)) for lr, (baseline, _) in TABLE_2.items()}
    assert printed_spread(steady).verdict == "holds"


def test_the_row_of_resnet_18_is_that_of_table_2_at_its_initial_lr() -> None:
    assert TABLE_2[0.05][1][0] == TABLE_1[0].autodrop[0.2][0]
    assert TABLE_2[0.05][0][0] == TABLE_1[0].baseline[0]
