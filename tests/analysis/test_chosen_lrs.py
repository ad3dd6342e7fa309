import numpy as np
import pandas as pd
import pytest

from analysis.chosen_lrs import at_lrs, best_lr, by_optimizer, chosen_lrs, held_out

NAN, INF = np.nan, np.inf


def table(*rows: tuple[float, ...], lrs: tuple[float, ...] = (0.01, 0.1, 1.0)) -> pd.DataFrame:
    return pd.DataFrame(list(rows), index=pd.Index(lrs[: len(rows)], name="lr"))


def test_the_best_lr_has_the_smallest_mean_over_seeds() -> None:
    assert best_lr(table((0.1, 0.9), (0.3, 0.3), (0.5, 0.4))) == 0.1


def test_the_lr_of_a_seed_is_chosen_on_the_others() -> None:
    values = table((0.1, 0.6, 0.6), (0.3, 0.3, 0.3), (0.7, 0.1, 0.1))
    assert chosen_lrs(values).tolist() == [1.0, 0.1, 0.1]
    assert held_out(values).tolist() == [0.7, 0.3, 0.3]


def test_many_lrs_that_do_not_matter_are_no_advantage() -> None:
    rng = np.random.default_rng(0)
    draws = [table(*rng.normal(size=(20, 3)), lrs=tuple(range(1, 21))) for _ in range(60)]
    means = [held_out(values).mean() for values in draws]
    assert abs(np.mean(means)) < 0.25
    assert np.mean([values.loc[best_lr(values)].mean() for values in draws]) < -0.6


def test_an_lr_may_be_too_small_to_choose() -> None:
    values = table((0.1, 0.1), (0.2, 0.3), (0.3, 0.2))
    assert best_lr(values, 0.1) == 0.1
    assert chosen_lrs(values, pd.Series([0.0, 0.1])).tolist() == [0.01, 0.1]


def test_an_lr_that_did_not_complete_is_not_chosen_and_one_that_diverged_only_where_all_did() -> None:
    assert best_lr(table((NAN, 0.1), (INF, 0.1), (0.4, 0.4))) == 1.0
    assert best_lr(table((NAN, 0.1), (INF, INF))) == 0.1
    assert np.isnan(best_lr(table((NAN, 0.1))))


def test_a_single_seed_has_no_other_to_choose_on() -> None:
    assert held_out(table((0.1,), (0.2,))).isna().all()


def test_an_lr_outside_the_table_has_no_value() -> None:
    assert at_lrs(table((0.1, 0.2)), pd.Series([0.01, 0.5])).tolist() == pytest.approx([0.1, NAN], nan_ok=True)


def test_values_are_sorted_by_optimizer_and_lr() -> None:
    trials = pd.DataFrame(
        {"point": [0, 1, 2], "config.method.optimizer": ["b", "a", "b"], "config.method.lr": [0.1, 0.5, 0.01]}
    )
    values = pd.DataFrame({0: [1.0, 2.0, 3.0]}, index=pd.Index([0, 1, 2], name="point"))
    found = by_optimizer(values, trials, "method")
    assert list(found) == ["b", "a"]
    assert found["b"].index.tolist() == [0.01, 0.1]
    assert found["b"][0].tolist() == [3.0, 1.0]


def test_an_lr_may_be_too_large_to_choose() -> None:
    values = table((0.3, 0.3), (0.2, 0.1), (0.1, 0.2))
    assert best_lr(values, below=0.1) == 0.01
    assert chosen_lrs(values, below=pd.Series([1.0, 2.0])).tolist() == [0.1, 1.0]
    assert np.isnan(best_lr(values, least=0.5, below=0.5))
