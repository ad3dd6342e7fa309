"""RegimeASHA: who is compared with whom, what survives a resume, and that nobody waits for ever."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray import tune
from ray.tune.schedulers import TrialScheduler

import tune_regimes as tr
from tune_regimes.errors import StudyError
from tune_regimes.search.schedulers import SCHEDULERS, describe_scheduler, make_scheduler, must_replay

CONTINUE, STOP, PAUSE = TrialScheduler.CONTINUE, TrialScheduler.STOP, TrialScheduler.PAUSE
EPOCHS = 12


@dataclass
class Trial:
    """A trial that reports a curve; its last phase begins after ``begins`` epochs."""

    trial_id: str
    curve: list
    begins: int = 0
    status: str = "PENDING"
    epoch: int = 0
    calls: list = field(default_factory=list)

    def result(self, epoch=None):
        epoch = self.epoch if epoch is None else epoch
        return {
            "accuracy": self.curve[epoch - 1],
            "epoch": epoch,
            "epochs_ahead": len(self.curve) - epoch,
            "last_phase_epoch": max(0, epoch - self.begins),
            "phase": 1 + (epoch > self.begins),
        }


class Controller:
    """Trains trials a few at once, as Ray's controller would; ``limit`` counts paused trials as Ray's limiter does."""

    def __init__(self, scheduler, trials, workers=1, limit=math.inf):
        self.scheduler, self.workers, self.limit = scheduler, workers, limit
        self.queue, self.known, self.search_alg = list(trials), [], None

    def get_trials(self):
        return self.known

    def stop_trial(self, trial):
        assert trial.status == "PAUSED"
        self.scheduler.on_trial_remove(self, trial)
        trial.status = "TERMINATED"

    def having(self, *statuses):
        return [trial for trial in self.known if trial.status in statuses]

    def run(self):
        """Train to the end, one epoch of the trial that has run the longest after another."""
        for _ in range(100_000):
            self.start()
            running = self.having("RUNNING")
            if running:
                self.train(running[0])
            elif not self.queue and not self.having("PENDING", "PAUSED"):
                return self
        raise AssertionError(f"waits for ever: {[(trial.trial_id, trial.status) for trial in self.known]}")

    def start(self):
        if self.queue and not self.having("PENDING") and len(self.having("RUNNING", "PAUSED")) < self.limit:
            self.known.append(self.queue.pop(0))
            self.scheduler.on_trial_add(self, self.known[-1])
        chosen = self.scheduler.choose_trial_to_run(self)
        assert chosen is self.scheduler.choose_trial_to_run(self) or chosen is None, "choosing must be idempotent"
        if chosen is not None and len(self.having("RUNNING")) < self.workers:
            chosen.status = "RUNNING"
        elif chosen is not None:
            chosen.status = "PENDING"

    def train(self, trial):
        trial.epoch += 1
        done = trial.epoch == len(trial.curve)
        action = STOP if done else self.scheduler.on_trial_result(self, trial, trial.result())
        trial.calls.append(action)
        if action == PAUSE:
            trial.status = "PAUSED"
        elif action == STOP:
            self.scheduler.on_trial_complete(self, trial, trial.result())
            trial.status = "TERMINATED"
        self.known.remove(trial)
        self.known.append(trial)


def asha(**arguments):
    return tr.RegimeASHA(**({"metric": "accuracy", "mode": "max"} | arguments))


def flat(name, value, begins=4, epochs=EPOCHS):
    return Trial(name, [value] * epochs, begins)


def alone(scheduler, trial):
    """Train one trial as far as it goes; the epochs trained."""
    Controller(scheduler, [trial]).run()
    return trial.epoch


def decisions(scheduler, trials):
    """What the scheduler says of each trial, epoch by epoch, one trial after another."""
    found = {}
    for trial in trials:
        scheduler.on_trial_add(None, trial)
        calls = found[trial.trial_id] = []
        for epoch in range(1, len(trial.curve)):
            calls.append(scheduler.on_trial_result(None, trial, trial.result(epoch)))
            if calls[-1] == STOP:
                break
        scheduler.on_trial_complete(None, trial, {})
    return found


curves = st.lists(st.integers(0, 9), min_size=2, max_size=EPOCHS)


@st.composite
def studies(draw):
    """Trials of any length, transition and values."""
    found = []
    for number, curve in enumerate(draw(st.lists(curves, min_size=1, max_size=12))):
        begins = draw(st.integers(0, len(curve) - 1))
        found.append(Trial(f"t{number}", curve, begins))
    return found


def copies(trials):
    return [Trial(trial.trial_id, list(trial.curve), trial.begins) for trial in trials]


# Who is compared with whom.


def test_of_equal_trials_but_for_the_value_the_best_third_goes_on():
    scheduler = asha()
    epochs = [alone(scheduler, flat(str(number), 0.9 - 0.1 * number)) for number in range(6)]
    assert epochs == [12, 12, 5, 5, 5, 5]


def test_ties_go_on():
    scheduler = asha()
    assert [alone(scheduler, flat(str(number), 0.5)) for number in range(6)] == [12] * 6


def test_the_smallest_is_the_best_where_the_mode_says_so():
    scheduler = asha(mode="min")
    assert [alone(scheduler, flat(str(n), value)) for n, value in enumerate([0.1, 0.2, 0.3, 0.0])] == [12, 12, 5, 12]


def test_an_earlier_phase_is_never_pruned_however_bad():
    scheduler = asha()
    for number in range(6):
        alone(scheduler, flat(f"good{number}", 0.9))
    slow = Trial("slow", [-100.0] * 9 + [0.95] * 3, begins=9)
    assert alone(scheduler, slow) == 12


@settings(max_examples=40, deadline=None)
@given(studies(), st.integers(0, 2**32 - 1), st.sampled_from(["max", "min"]))
def test_no_epoch_before_the_transition_changes_a_decision(trials, seed, mode):
    before = decisions(asha(mode=mode), copies(trials))
    for number, trial in enumerate(trials):
        trial.curve[: trial.begins] = [(seed * (number + 1) + epoch) % 97 - 50 for epoch in range(trial.begins)]
    assert decisions(asha(mode=mode), trials) == before


@settings(max_examples=40, deadline=None)
@given(studies(), st.integers(1, 4), st.sampled_from(["stop", "promote"]))
def test_the_best_of_every_cohort_it_meets_is_never_ended(trials, workers, variant):
    best = Trial("best", [10.0] * EPOCHS, begins=3)
    Controller(asha(variant=variant), [*trials[::2], best, *trials[1::2]], workers).run()
    assert best.epoch == EPOCHS


def test_trials_with_a_very_different_budget_left_are_not_compared():
    scheduler = asha()
    for number in range(6):
        alone(scheduler, flat(f"late{number}", 0.9, begins=8))
    early = [alone(scheduler, flat(f"early{number}", 0.1, begins=1)) for number in range(2)]
    assert early == [12, 12]
    by_progress_alone = asha(budget_ratio=math.inf)
    for number in range(6):
        alone(by_progress_alone, flat(f"late{number}", 0.9, begins=8))
    assert alone(by_progress_alone, flat("early", 0.1, begins=1)) == 2


def test_a_stop_that_would_save_next_to_nothing_is_not_made():
    scheduler = asha()
    for number in range(6):
        alone(scheduler, flat(f"good{number}", 0.9, begins=9))
    assert alone(scheduler, flat("bad", 0.1, begins=9)) == 12


def test_a_cohort_smaller_than_the_reduction_factor_stops_none():
    scheduler = asha(reduction_factor=4)
    assert [alone(scheduler, flat(str(number), -number)) for number in range(4)] == [12, 12, 12, 5]


@pytest.mark.parametrize("variant", ["stop", "promote"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e30, 1e30])
@pytest.mark.parametrize("epoch", [2, 5])
def test_a_value_that_is_no_measurement_ends_the_trial_in_any_phase_and_enters_no_rung(variant, value, epoch):
    scheduler = asha(variant=variant)
    bad = flat("bad", 0.5)
    bad.curve[epoch - 1] = value
    assert alone(scheduler, bad) == epoch
    assert scheduler.get_state() == {"rungs": [], "held": {}}


def test_an_adaptive_trial_is_compared_anew_after_each_drop_with_those_after_as_many_drops():
    scheduler = asha(remaining_attr=None)

    def report(name, phase, progress, value):
        trial = Trial(name, [])
        scheduler.on_trial_add(None, trial)
        result = {"accuracy": value, "epoch": 9, "last_phase_epoch": progress, "phase": phase}
        return scheduler.on_trial_result(None, trial, result)

    for number in range(4):
        assert report(f"once{number}", 2, 1, 0.9) == CONTINUE
    assert report("twice", 1, 0, 0.1) == CONTINUE
    assert report("twice", 2, 1, 0.9) == CONTINUE
    assert report("twice", 3, 1, 0.1) == CONTINUE
    assert report("worse", 2, 1, 0.1) == STOP


def test_trials_of_different_cohorts_are_not_compared():
    scheduler = asha()
    for number in range(4):
        alone(scheduler, flat(str(number), 0.9))
    other = flat("other", 0.1)
    scheduler.on_trial_add(None, other)
    assert scheduler.on_trial_result(None, other, other.result(5) | {"cohort": "adaptive"}) == CONTINUE
    assert scheduler.on_trial_result(None, flat("same", 0.1), other.result(5)) == STOP


# What survives a resume, and what a replay needs.


@settings(max_examples=40, deadline=None)
@given(studies(), st.integers(0, 12))
def test_rungs_that_are_remembered_restored_or_replayed_thinned_decide_as_the_original_ones(trials, half):
    whole = asha()
    expected = decisions(whole, copies(trials))
    remembering, restored = asha(), asha()
    for trial in trials[:half]:
        for epoch in range(1, len(expected[trial.trial_id]) + 1):
            remembering.remember(trial.trial_id, trial.result(epoch))
    early = asha()
    decisions(early, copies(trials[:half]))
    restored.set_state(early.get_state())
    rest = {trial.trial_id: expected[trial.trial_id] for trial in trials[half:]}
    assert decisions(remembering, copies(trials[half:])) == rest
    assert decisions(restored, copies(trials[half:])) == rest
    thinned = asha()
    for trial in copies(trials):
        thinned.on_trial_add(None, trial)
        calls = [
            thinned.on_trial_result(None, trial, trial.result(epoch))
            for epoch in range(1, len(expected[trial.trial_id]) + 1)
            if thinned.acts_at(max(0, epoch - trial.begins))
        ]
        assert (STOP in calls) == (STOP in expected[trial.trial_id])


def test_results_are_remembered_before_the_tuner_has_said_what_the_metric_is():
    scheduler = tr.RegimeASHA()
    for number in range(5):
        scheduler.remember(f"old{number}", flat("", 0.9).result(5))
    scheduler.remember("diverged", flat("", -1e30).result(5))
    assert scheduler.set_search_properties("accuracy", "max")
    assert alone(scheduler, flat("new", 0.1)) == 5
    assert sum(len(entries) for _, entries in scheduler.get_state()["rungs"]) == 6


def test_a_failed_trial_that_begins_again_is_judged_once():
    scheduler = asha()
    for number in range(3):
        alone(scheduler, flat(f"good{number}", 0.5))
    again = flat("again", 0.9)
    scheduler.on_trial_add(None, again)
    assert [scheduler.on_trial_result(None, again, again.result(epoch)) for epoch in range(1, 8)] == [CONTINUE] * 7
    scheduler.on_trial_error(None, again)
    before = scheduler.get_state()
    assert alone(scheduler, again) == 12
    assert scheduler.get_state()["rungs"][0] == before["rungs"][0]


def test_a_fresh_copy_has_the_arguments_and_none_of_the_memory():
    used = asha(grace_period=2, variant="promote")
    alone(used, flat("a", 0.5))
    fresh = used.fresh()
    assert repr(fresh) == repr(used)
    assert "grace_period=2" in repr(used)
    assert fresh.get_state() == {"rungs": [], "held": {}}


# The promote variant.


@settings(max_examples=80, deadline=None)
@given(studies(), st.integers(1, 4), st.sampled_from([math.inf, 1, 2, 5]), st.sampled_from([1.0, 2.0, math.inf]))
def test_every_trial_ends_and_one_of_the_best_reaches_its_end(trials, workers, limit, ratio):
    controller = Controller(asha(variant="promote", budget_ratio=ratio), trials, workers, limit).run()
    assert {trial.status for trial in trials} == {"TERMINATED"}
    assert any(trial.epoch == len(trial.curve) for trial in trials)
    assert controller.scheduler.get_state()["held"] == {}


def test_a_paused_trial_is_taken_up_once_it_is_among_the_best_of_its_cohort():
    scheduler = asha(variant="promote")
    trials = [flat(str(number), value) for number, value in enumerate([0.5, 0.9, 0.1])]
    controller = Controller(scheduler, trials)
    while len(controller.having("PAUSED")) < 2:
        controller.start()
        controller.train(controller.having("RUNNING")[0])
    assert [trial.epoch for trial in trials] == [5, 5, 0]
    controller.run()
    assert trials[1].calls == [CONTINUE] * 4 + [PAUSE] + [CONTINUE] + [PAUSE] + [CONTINUE] * 4 + [STOP]
    assert [trial.epoch for trial in trials] == [5, 12, 5]


def test_a_trial_that_was_started_again_without_being_taken_up_is_paused_again():
    scheduler = asha(variant="promote")
    first, waiting = flat("first", 0.9), flat("waiting", 0.5)
    for trial in (first, waiting):
        scheduler.on_trial_add(None, trial)
        assert scheduler.on_trial_result(Controller(scheduler, []), trial, trial.result(5)) == PAUSE
    restored = asha(variant="promote")
    restored.set_state(scheduler.get_state())
    restored.on_trial_add(None, waiting)
    assert restored.on_trial_result(Controller(restored, []), waiting, waiting.result(6)) == PAUSE
    third = flat("third", 0.1)
    restored.on_trial_add(None, third)
    assert restored.on_trial_result(Controller(restored, []), third, third.result(5)) == PAUSE
    assert restored.on_trial_result(Controller(restored, []), first, first.result(6)) == CONTINUE


def test_a_searcher_that_counts_for_itself_is_told_of_pauses():
    told = []

    class Searcher:
        def on_pause(self, trial_id):
            told.append(("pause", trial_id))

        def on_unpause(self, trial_id):
            told.append(("unpause", trial_id))

    class Limiter:
        searcher = Searcher()

    controller = Controller(asha(variant="promote"), [flat("a", 0.5)])
    controller.search_alg = type("Generator", (), {"searcher": Limiter()})()
    controller.run()
    assert told == [("pause", "a"), ("unpause", "a"), ("pause", "a"), ("unpause", "a")]


# Mistakes, and its place among the schedulers.


@pytest.mark.parametrize(
    "wrong", [{"grace_period": 0}, {"reduction_factor": 1}, {"variant": "halve"}, {"budget_ratio": 0.5}, {"mode": "up"}]
)
def test_arguments_that_make_no_sense_are_refused(wrong):
    with pytest.raises(StudyError, match=next(iter(wrong))):
        tr.RegimeASHA(**wrong)


def test_without_a_metric_no_trial_is_added():
    with pytest.raises(StudyError, match=r"needs a metric .* pass them to tune\.TuneConfig\(\)"):
        tr.RegimeASHA().on_trial_add(None, flat("a", 0.5))


def test_a_metric_is_not_given_twice():
    assert not asha().set_search_properties("accuracy", "max")
    assert asha().set_search_properties(None, None)


def test_it_has_a_name_and_every_run_a_copy_of_its_own():
    assert "regime_asha" in SCHEDULERS
    assert [epoch for epoch in range(100) if make_scheduler("regime_asha", epochs=60).acts_at(epoch)] == [3, 9, 27, 81]
    own = tr.RegimeASHA(grace_period=2)
    assert make_scheduler(own, epochs=60) is not own
    assert repr(make_scheduler(own, epochs=60)) == repr(own)
    assert not must_replay(own)


def test_a_study_with_other_parameters_is_another_study():
    assert describe_scheduler("regime_asha") == "regime_asha"
    assert describe_scheduler(tr.RegimeASHA()) == describe_scheduler(tr.RegimeASHA())
    assert describe_scheduler(tr.RegimeASHA()) != describe_scheduler(tr.RegimeASHA(grace_period=2))


# In Tuners of Ray's, without anything else of ours.


def trainable(folder):
    """A class whose trials report their config's value and count the epochs that were trained; ``fail`` fails once."""

    class Reporting(tune.Trainable):
        def setup(self, config):
            self.config, self.epochs = config, 0

        def reset_config(self, new_config):
            self.setup(new_config)
            return True

        def step(self):
            if self.config["fail"] and not (folder / "mended").exists():
                raise RuntimeError("fails once")
            self.epochs += 1
            with (folder / f"{self.config['value']}").open("a") as file:
                file.write(f"{self.epochs}\n")
            return {
                "value": self.config["value"],
                "epoch": self.epochs,
                "epochs_since_drop": max(0, self.epochs - 2),
                "epochs_left": 10 - self.epochs,
                "done": self.epochs == 10,
            }

        def save_checkpoint(self, checkpoint_dir):
            Path(checkpoint_dir, "epochs").write_text(str(self.epochs))

        def load_checkpoint(self, checkpoint_dir):
            self.epochs = int(Path(checkpoint_dir, "epochs").read_text())

    return Reporting


def trained(folder):
    """The epochs that were trained of each trial, by its value."""
    return {float(path.name): [int(line) for line in path.read_text().split()] for path in folder.iterdir()}


def tuner(folder, scheduler, values, fail=(), at_once=None, **run):
    space = {"value": tune.grid_search(values), "fail": tune.sample_from(lambda config: config["value"] in fail)}
    return tune.Tuner(
        tune.with_resources(trainable(folder), {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="value", mode="max", scheduler=scheduler, reuse_actors=True, max_concurrent_trials=at_once
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder.parent / "ray"), checkpoint_config=tune.CheckpointConfig(), verbose=0, **run
        ),
    )


KEYS = {"progress_attr": "epochs_since_drop", "remaining_attr": "epochs_left"}


@pytest.fixture
def folder(tmp_path, ray_cluster):
    path = tmp_path / "epochs"
    path.mkdir()
    return path


@pytest.mark.parametrize("variant", ["stop", "promote"])
def test_in_a_tuner_of_ray_bad_trials_end_early_and_the_best_is_trained_once_to_its_end(folder, variant):
    values = [0.9, 0.8, 0.7, 0.6, 0.5]
    results = tuner(folder, tr.RegimeASHA(variant=variant, **KEYS), values).fit()
    epochs = trained(folder)
    assert not results.errors
    assert epochs[0.9] == list(range(1, 11))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in epochs.values())
    assert min(len(numbers) for numbers in epochs.values()) == 3
    assert sum(len(numbers) == 3 for numbers in epochs.values()) >= 2


def test_rungs_survive_a_restore_of_the_tuner(folder):
    scheduler = tr.RegimeASHA(**KEYS)
    values = [0.9, 0.8, 0.7, 0.1]
    tuner(folder, scheduler, values, fail=[0.1], at_once=1, name="study", callbacks=[scheduler.keep_rungs()]).fit()
    assert 0.1 not in trained(folder)
    (folder / "mended").touch()
    path = str(folder.parent / "ray" / "study")
    tune.Tuner.restore(path, tune.with_resources(trainable(folder), {"cpu": 1}), resume_errored=True).fit()
    (folder / "mended").unlink()
    assert trained(folder)[0.1] == [1, 2, 3]
