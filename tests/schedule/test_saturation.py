"""The rule of means over a window, on scripted angles and on the noisy quadratic that it was printed for."""

import math
from itertools import groupby

import pytest

import tune_regimes as tr
from tests.schedule.following import angles_record, told
from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import SaturationDrop


def rates(angles, **options):
    policy = SaturationDrop(tr.Phase(lr=0.08, epochs=len(angles) + 1), **options)
    return [settings.lr for settings in told(policy, map(angles_record, angles))]


def test_moving_windows_are_compared_one_record_apart():
    assert rates([10, 20, 30, 10.5], window=3, threshold=0.2) == [0.08] * 4 + [0.04]
    assert rates([10, 20, 30, 11], window=3, threshold=0.2) == [0.08] * 5


def test_disjoint_windows_have_no_record_in_common():
    assert rates([10, 30, 11, 29.5, 80, 80], window=2, windows="disjoint", threshold=0.3) == [0.08] * 4 + [0.04] * 3
    assert rates([10, 10, 30, 30, 31, 29, 0], window=2, windows="disjoint", threshold=0.3) == [0.08] * 6 + [0.04] * 2


def test_after_a_drop_the_windows_are_filled_anew():
    assert rates([50] * 9, window=2) == [0.08] * 3 + [0.04] * 3 + [0.02] * 3 + [0.01]


def test_an_angle_that_is_not_known_is_left_out():
    assert rates([math.nan, 50, None, 50, 50], window=2) == [0.08] * 5 + [0.04]


def test_at_the_floor_nothing_drops_any_more():
    assert rates([50] * 9, window=1, min_lr=0.03) == [0.08] * 2 + [0.04] * 2 + [0.03] * 6


@pytest.mark.parametrize("windows", ["moving", "disjoint"])
def test_on_the_noisy_quadratic_it_halves_the_rate_down_to_the_floor_and_ends_at_the_loss_of_the_floor(windows):
    np = pytest.importorskip("numpy")
    random, curvatures = np.random.default_rng(0), np.arange(1, 201) / 10
    policy = SaturationDrop(tr.Phase(lr=0.06, epochs=10**6), windows=windows)
    x, step, state = 10 * random.standard_normal(200), np.zeros(200), policy.start()
    seen, losses = [state.lr], []
    for _ in range(100_000):
        now = -state.lr * curvatures * (x - random.standard_normal(200))
        cosine = now @ step / (np.linalg.norm(now) * np.linalg.norm(step) + 1e-12)
        x, step = x + now, now
        state = policy.observe(state, {"angular_velocity": math.degrees(math.acos(np.clip(cosine, -1, 1)))})
        seen.append(state.lr)
        losses.append(curvatures @ x**2 / 2)
        if state.lr == 1e-3 and state.epoch - state.since == 4000:
            break
    assert [rate for rate, _ in groupby(seen)] == [0.06, 0.03, 0.015, 0.0075, 0.00375, 0.001875, 0.001]
    assert np.mean(losses[-2000:]) == pytest.approx(6.768, rel=0.1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"factor": 1.0}, r"factor must lie in \(0, 1\)"),
        ({"window": 0}, "window must be an integer of at least 1: received 0. Average"),
        ({"threshold": 0.0}, "threshold must be finite and above 0"),
        ({"windows": "sliding"}, "Choose one of: moving, disjoint"),
        ({"min_lr": 1.0}, "min_lr must be at most the lr of the phase"),
    ],
)
def test_what_is_no_such_rule_is_refused(wrong, message):
    with pytest.raises(ScheduleError, match=message):
        rates([], **wrong)
