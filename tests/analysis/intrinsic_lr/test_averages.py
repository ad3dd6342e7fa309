"""Verdicts on averages and distances, on spectra whose truth is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.figures.averages import pair_maps, symmetric
from analysis.intrinsic_lr.averages import claims, growth, read_pairs
from search_spaces.intrinsic_lr_points import averages_schedule, weights_probe
from search_spaces.intrinsic_lr_rates import SMOKE
from tune_regimes.probes import parse_probe

EPOCHS = 24
LOOKS = parse_probe(weights_probe(EPOCHS)).when.at
POINTS = [({"momentum": mu}, averages_schedule({"momentum": mu}, rates=SMOKE, epochs=EPOCHS)) for mu in (0.0, 0.9)]
FOUR = ("", "b", "c", "d")


def walked(separation: float) -> float:
    """The distance of a random walk."""
    return float(np.sqrt(max(0.0, separation)))


def settled(separation: float) -> float:
    """That of an Ornstein-Uhlenbeck process far beyond its time of correlation."""
    return 3.0 if separation else 0.0


def spectra(
    trials: pd.DataFrame, distance: Callable[[float], float], gain: float = 0.04, noise: float = 1e-3
) -> pd.DataFrame:
    """What the probe writes: a list at each look, null for the looks that are over."""
    rng, rows = np.random.default_rng(5), []
    for trial in trials["trial_id"]:
        for epoch in LOOKS:
            for index, other in enumerate(LOOKS):
                over = other < epoch
                apart = distance(other - epoch) * np.exp(noise * rng.normal())
                accuracy = 0.8 + gain * (other != epoch) + noise * rng.normal()
                for name, value in (("weight_distance", apart), ("averaged_test_accuracy", accuracy)):
                    rows.append((trial, epoch, 25, name, index, None if over else value))
    return pd.DataFrame(rows, columns=["trial_id", "epoch", "step", "name", "index", "value"]).astype({"value": float})


@pytest.fixture
def tables(simulated: Callable) -> Any:
    """Runs whose norm is 3 throughout."""
    trials, epochs = simulated(POINTS, seeds=4)
    return trials, epochs.assign(weight_norm=3.0)


def verdicts(tables: Any, **truth: Any) -> dict[str, str]:
    pairs = read_pairs(*tables, spectra(tables[0], **truth))
    return {verdict.claim: verdict.verdict for verdict in claims(pairs)}


def test_every_pair_is_read_once_with_its_gain_and_the_norms_of_its_epochs(tables: Any) -> None:
    table = spectra(tables[0], walked, noise=0.0)
    norms = tables[1]["epoch"].astype(float)
    pairs = read_pairs(tables[0], tables[1].assign(weight_norm=norms), table)
    assert len(pairs) == 8 * len(LOOKS) * (len(LOOKS) + 1) / 2
    assert sorted(pairs["momentum"].unique()) == [0.0, 0.9]
    apart = pairs[pairs["separation"] > 0]
    np.testing.assert_allclose(apart["gain"], 0.04)
    np.testing.assert_allclose(apart["distance"], np.sqrt(apart["second"] - apart["first"]))
    np.testing.assert_allclose(pairs["norm"], (pairs["first"] + pairs["second"]) / 2)
    assert pairs.loc[pairs["separation"] == 0, "gain"].eq(0).all()


def test_what_the_paper_shows_is_found_without_and_with_momentum(tables: Any) -> None:
    assert verdicts(tables, distance=walked) == {f"P4-2{arm}{part}": "holds" for arm in "23" for part in FOUR}


def test_a_process_around_a_minimum_has_distances_that_do_not_grow(tables: Any) -> None:
    found = verdicts(tables, distance=settled)
    assert (found["P4-22"], found["P4-22c"], found["P4-22d"]) == ("holds", "does not hold", "holds")


def test_averages_that_are_worse_and_weights_that_hardly_move_refute_it(tables: Any) -> None:
    found = verdicts(tables, distance=lambda separation: walked(separation) / 30, gain=-0.02)
    assert (found["P4-23"], found["P4-23b"], found["P4-23d"]) == ("does not hold",) * 3
    assert verdicts(tables, distance=walked, gain=0.0, noise=0.01)["P4-22"] == "undecided"


def test_a_share_of_steps_in_which_it_grows_is_one_for_a_walk_and_a_half_where_nothing_grows(tables: Any) -> None:
    grown = growth(read_pairs(*tables, spectra(tables[0], walked)))
    still = growth(read_pairs(*tables, spectra(tables[0], settled)))
    assert grown.shape == (8,)
    assert grown.tolist() == [1.0] * 8
    assert 0.35 < still.mean() < 0.7


def test_without_comparisons_or_with_one_run_it_is_undecided(tables: Any) -> None:
    empty = spectra(tables[0], walked).iloc[:0]
    assert {verdict.verdict for verdict in claims(read_pairs(*tables, empty))} == {"undecided"}
    one = tables[0].groupby("point").head(1)
    found = claims(read_pairs(one, tables[1], spectra(one, walked)))
    assert {(verdict.verdict, "--probe weights" in verdict.note) for verdict in found} == {("undecided", True)}


def test_the_maps_are_symmetric_means_over_runs(tables: Any) -> None:
    pairs = read_pairs(*tables, spectra(tables[0], walked, noise=0.0))
    looks, values = symmetric(pairs, "distance")
    assert looks.tolist() == list(LOOKS)
    np.testing.assert_allclose(values, np.sqrt(np.abs(np.subtract.outer(looks, looks))))
    figure = pair_maps(pairs)
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["plain SGD"] * 2 + [
        "SGD with momentum"
    ] * 2
    figure.draw_without_rendering()
