from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from analysis.theory.incremental_descent import (
    EXPERIMENTS,
    LARGE,
    Example,
    close_to_data,
    draw,
    gaussian_rows,
    incremental_descent,
    larger_is_faster,
    printed_range,
    rises_then_grows_slowly,
    separable,
    underdetermined,
    wide_range,
)
from tune_regimes.theory.components import Components, least_squares, separable_squares
from tune_regimes.theory.incremental import iterate


@cache
def examples() -> tuple[Example, ...]:
    return tuple(draw(seed, points=40) for seed in range(3))


def one_row(size: float) -> Components:
    """One component in one dimension: the printed range, (0, 2 / size), is then the true one."""
    return least_squares([[size**0.5]], [1.0])


def test_the_printed_range_is_too_wide_for_gaussian_rows_and_right_for_one_component() -> None:
    assert printed_range(gaussian_rows()).verdict == "does not hold"
    single = printed_range(one_row(0.5))
    assert single.statistics["true end"] == pytest.approx(4.0)
    assert single.statistics["printed end"] == pytest.approx(4.0)


def test_the_radius_falls_up_to_the_best_step() -> None:
    found = larger_is_faster(gaussian_rows())
    assert found.verdict == "holds"
    assert found.statistics["best step"] < found.statistics["true end"]


def test_a_radius_that_rises_again_within_the_range_is_no_fall() -> None:
    unlike = Components(np.array([[[0.1]]] * 5 + [[[1.0]]]), np.zeros((6, 1)))
    assert larger_is_faster(unlike).verdict == "does not hold"


def test_example_1_ends_at_one_where_the_printed_rule_says_n() -> None:
    found = separable(4)
    assert found.verdict == "holds"
    assert found.statistics["printed end"] == pytest.approx(4.0)


def test_a_kernel_vector_keeps_an_eigenvalue_of_one() -> None:
    assert underdetermined(rows=4, columns=7).verdict == "holds"
    assert underdetermined(rows=7, columns=4).verdict == "does not hold"


def test_the_example_of_figure_2_converges_up_to_three() -> None:
    found = wide_range(examples())
    assert found.verdict == "holds"
    assert found.statistics["true end"] < found.statistics["printed end"]
    narrow = tuple(replace(each, components=separable_squares(20)) for each in examples())
    assert wide_range(narrow).verdict == "does not hold"


def test_the_solution_at_three_is_compared_with_the_noise() -> None:
    many = tuple(draw(seed, points=10) for seed in range(12))
    assert close_to_data(many).verdict == "holds"
    assert close_to_data(examples()).verdict == "undecided"
    far = tuple(replace(each, data=each.data + 1.0) for each in examples())
    assert close_to_data(far).verdict == "does not hold"
    lost = tuple(replace(each, components=separable_squares(20)) for each in examples())
    assert close_to_data(lost).verdict == "does not hold"


def test_a_solution_that_does_not_exist_is_not_near() -> None:
    assert replace(examples()[0], components=separable_squares(20)).deviation == float("inf")


def test_the_limit_is_where_the_sweeps_end() -> None:
    example = examples()[0]
    path = iterate(example.components, np.zeros(20), 1.5, 200)
    assert path[-1] == pytest.approx(example.limit(1.5), abs=1e-9)
    number = int(np.abs(example.steps - 1.5).argmin())
    near = example.limit(float(example.steps[number])) - example.data
    assert example.errors[number] == pytest.approx(float((near**2).sum()))


def test_the_shape_of_the_error_is_left_open() -> None:
    found = rises_then_grows_slowly(examples())
    assert (found.verdict, found.n) == ("undecided", {"draws": 3})
    assert "the paper gives none" in found.note


def test_the_experiment_draws_all_of_figure_2() -> None:
    found = incremental_descent(draws=2)
    assert list(found.figures) == ["radius", "errors", "solution"]
    assert {verdict.claim[:5] for verdict in found.verdicts} == set(EXPERIMENTS[0].claims)
    assert f"limit at step {LARGE:g}" in [
        text.get_text() for text in found.figures["solution"].axes[0].get_legend().get_texts()
    ]
