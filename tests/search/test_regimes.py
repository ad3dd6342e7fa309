"""What located regimes mean at other momenta, and the search space around them."""

import math
import subprocess
import sys

import pandas as pd
import pytest

import tune_regimes as tr
from tune_regimes.errors import StudyError
from tune_regimes.search.locate_settings import LocateSettings
from tune_regimes.search.regimes import Regimes
from tune_regimes.search.two_phase_study import TwoPhaseSpace, plain_name

SETTINGS = LocateSettings((0.0, 0.9), 4, (0,), 1, 1e-4, 1e-3, 100.0, 1.4)
FALLING, ROUGH, BROKEN = [2.0, 1.5, 1.0, 0.8], [1.5, 1.7, 1.0, 1.2], [3.0, 2.3, 2.4, 2.3]
TASK = tr.task("digits/mlp", batch_size=20)
METRIC = ("test_accuracy", "max")


def regimes(runs, settings=SETTINGS):
    """Regimes from the losses after a warm-up of runs by (momentum, lr)."""
    trials, epochs = [], []
    for point, ((momentum, lr), losses) in enumerate(runs.items()):
        name = f"{point:05d}-s0"
        trials.append({"trial_id": name, "point": point, "seed": 0, "status": "completed"})
        for epoch, loss in enumerate([2.3, *losses], 1):
            rate, mu = (1e-3, 0.0) if epoch == 1 else (lr, momentum)
            epochs.append({"trial_id": name, "epoch": epoch, "lr": rate, "momentum": mu, "train_loss": loss})
    return Regimes(TASK, pd.DataFrame(trials), pd.DataFrame(epochs), settings, METRIC)


BOTH = {
    (0.0, 0.1): FALLING,
    (0.0, 1.0): ROUGH,
    (0.0, 2.0): BROKEN,
    (0.9, 0.04): FALLING,
    (0.9, 0.4): ROUGH,
    (0.9, 0.8): BROKEN,
}


def space(**changes):
    given = {"task": TASK, "large": (1.0, 0.0), "small": (0.04, 0.9), "warm_up": (1e-3, 1), "weight_decay": 1e-4}
    return TwoPhaseSpace(**{**given, "metric": METRIC, **changes})


def executed(source):
    names = {}
    exec(compile(source, "two_phase.py", "exec"), names)
    return names


def test_a_momentum_that_was_tried_keeps_its_learning_rates_and_others_are_converted_by_the_step_size():
    table = regimes(BOTH).conversions([0.5, 0.9, 0.99]).set_index("momentum")
    assert table.index.tolist() == [0.0, 0.5, 0.9, 0.99]
    assert table["located"].tolist() == [True, False, True, False]
    assert table.loc[0.9, "large_lr"] == 0.4
    # Beyond the largest momentum its step size, 4, holds; at 0.5 it is between 1 and 4.
    assert table.loc[0.99, "large_lr"] == pytest.approx(0.04)
    assert table.loc[0.5, "large_lr"] == pytest.approx(0.5 * 4 ** (math.log(2) / math.log(10)))


def test_equal_step_sizes_convert_to_that_step_size_at_every_momentum():
    runs = {(0.0, 1.0): ROUGH, (0.9, 0.1): ROUGH, (0.0, 0.1): FALLING, (0.9, 0.01): FALLING}
    table = regimes(runs).conversions([0.3, 0.5, 0.95])
    assert (table["large_lr"] / (1 - table["momentum"])).tolist() == pytest.approx([1.0] * 5)
    assert (table["small_lr"] / (1 - table["momentum"])).tolist() == pytest.approx([0.1] * 5)


def test_the_space_has_large_steps_without_momentum_and_small_ones_with_it():
    found = regimes(BOTH).space()
    assert (found.large, found.small) == ((1.0, 0.0), (0.04, 0.9))
    assert found.large_lrs == (0.5, 0.25)
    assert found.small_lrs == (0.004, 0.04)


def test_a_regime_that_was_not_found_is_no_space_and_its_conversion_unknown():
    found = regimes({(0.0, 0.1): FALLING, (0.0, 1.0): ROUGH, (0.9, 0.04): ROUGH, (0.9, 0.01): [2.0, 2.1, 1.5, 1.0]})
    with pytest.raises(
        StudyError, match=r"at least 90% of the epochs; with momentum 0.9 .*lr 0.01 with 67%: lower the"
    ):
        found.space()
    none = regimes({(0.9, 0.04): ROUGH, (0.9, 0.01): ROUGH})
    assert none.conversions([0.5])["small_lr"].isna().all()


def test_the_file_holds_a_study_with_both_regimes_alone_as_its_first_points(tmp_path):
    regimes(BOTH).write_study(str(tmp_path / "two_phase.py"))
    study = executed((tmp_path / "two_phase.py").read_text())["study"](epochs=12)
    assert (study.name, study.metric, study.mode) == ("two_phase-digits-mlp", "test_accuracy", "max")
    assert study.task == TASK
    policies = study.listed_policies()
    assert {policy.epochs for policy in policies} == {12}
    alone = [
        [(phase.name, phase.lr, phase.momentum, phase.epochs) for phase in policy.phases] for policy in policies[:3]
    ]
    warm_up = ("warm-up", 1e-3, None, 1)
    assert alone == [
        [warm_up, ("large-step", 0.5, 0.0, 11)],
        [warm_up, ("large-step", 0.25, 0.0, 11)],
        [warm_up, ("small-step", 0.04, 0.9, 11)],
    ]


def test_the_other_points_have_both_phases_within_what_was_found():
    study = executed(space().source())["study"]()
    others = study.listed_policies()[3:]
    assert len(others) == 12
    for policy in others:
        _, large, small = policy.phases
        assert large.lr in (0.5, 0.25)
        assert 0.004 <= small.lr <= 0.04
        assert (large.momentum, small.momentum) == (0.0, 0.9)
        assert {phase.weight_decay for phase in policy.phases} == {1e-4}


def test_its_runs_begin_as_those_of_the_search_did_so_that_they_inherit_their_warm_up():
    """Equal settings are equal keys: see `tune_regimes.sharing.fingerprint`."""
    study = executed(space().source())["study"]()
    located = SETTINGS.schedule(1.0, 0.0).settings(0, 10)
    assert {policy.settings(0, 10) for policy in study.listed_policies()} == {located}


def test_without_warm_up_the_phases_stand_alone():
    study = executed(space(warm_up=(1e-3, 0)).source())["study"](epochs=6)
    assert [len(policy.phases) for policy in study.listed_policies()[:3]] == [1, 1, 1]


@pytest.mark.parametrize(
    "options",
    [{}, {"train_size": 200, "data": "/a" * 32}, {"train_size": 200, "padding": "reflect", "data": "/a" * 40}],
    ids=["one line", "one full line", "several lines"],
)
def test_the_file_passes_the_linter_and_is_formatted(options, tmp_path):
    task = tr.task("digits/mlp", **options)
    (tmp_path / "two_phase.py").write_text(space(task=task).source())
    assert executed((tmp_path / "two_phase.py").read_text())["TASK"] == task
    # Which packages are one's own, ruff cannot tell in an empty folder.
    for words in (["check", "--select", "E,F,I,W", "--ignore", "I001"], ["format", "--diff"]):
        command = [sys.executable, "-m", "ruff", *words, "--isolated", "--line-length", "120", "two_phase.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_registered_task_is_imported_by_its_module():
    from examples.own_task import spirals

    task = tr.TaskSpec("spirals", {"points": 200}, "examples.own_task:spirals")
    names = executed(space(task=task).source())
    assert names["TASK"].options["points"] == 200
    assert spirals is not None


def test_a_task_of_a_script_is_refused_with_what_to_do():
    task = tr.TaskSpec("mine", {}, lambda: None)
    with pytest.raises(StudyError, match="task 'mine' was defined in a script or notebook: move its factory"):
        space(task=task).source()


@pytest.mark.parametrize(("found", "proposed"), [(0.999, 0.499), (1.0, 0.5), (0.421, 0.21), (1.33e-3, 6.65e-4)])
def test_proposed_learning_rates_have_three_digits_and_are_not_above_what_was_found(found, proposed):
    assert space(large=(found, 0.0)).large_lrs[0] == proposed


def test_a_name_becomes_that_of_a_folder():
    assert plain_name(tr.TaskSpec("data/My net: 2", {})) == "data-My-net--2"
