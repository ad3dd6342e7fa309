"""What sharing must hold: the same values with and without it, no prefix trained twice, nothing lost when it fails.

The searcher and the trials are the real ones; only Ray between them is replaced by a loop that takes turns at random.
"""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray.tune.search import Searcher

import tune_regimes as tr
from tune_regimes.errors import UsageError
from tune_regimes.results import observations, read_epochs, read_trials
from tune_regimes.schedule.policy import policy_from_json, told
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.options import RunOptions
from tune_regimes.search.points import ListedPoints
from tune_regimes.search.searcher import StudySearcher
from tune_regimes.search.states import StudyStates
from tune_regimes.search.trial import TrialRun
from tune_regimes.search.workplace import Workplace
from tune_regimes.sharing.fingerprint import key_chain
from tune_regimes.storage import Storage

TASK = tr.task("digits/mlp", train_size=60, test_size=40, batch_size=20, dropout=0.1, augment=True)
STEPS = 3
VALUES = ["phase", "epoch_in_phase", "lr", "momentum", "weight_decay", "optimizer"]
MEASURED = ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]
OBSERVED = ["steps", "weight_norm", "angular_velocity"]


class Loop:
    """A study whose workers take turns at random in this process."""

    def __init__(
        self, folder, policies, *, seeds=(0,), workers=2, order=0, name="s", metric="test_accuracy", **options
    ):
        self.folder = Storage(folder).child(name)
        self.random = random.Random(order)
        run = RunOptions(save_every=0.0, **options)
        states = StudyStates(name, self.folder, run)
        self.job = Job(
            study=name, task=TASK, storage=self.folder.uri, metric=metric, mode="max", save_every=run.save_every,
            store=states.uri, owner=states.owner, quota=run.quota, share=run.share, keep_every=run.keep_every or 0,
        )  # fmt: skip
        points = ListedPoints([{"policy": number} for number in range(len(policies))])
        stored = {row["trial_id"]: row for row in read_trials(self.folder).to_dict("records")}
        self.searcher = StudySearcher(
            points, lambda config: policies[config["policy"]], seeds, stored,
            replay=False, metric=metric, mode="max", share=run.share, states=states,
        )  # fmt: skip
        self.places = [Workplace(self.job) for _ in range(workers)]
        self.running = {}
        self.problems = Counter()
        self.unshared = set()
        self._number = 0

    def fill(self):
        """Start what can start; whether anything runs."""
        for place in self.places:
            if all(place is not busy for busy, _, _ in self.running.values()):
                config = self.searcher.suggest(f"t{self._number}")
                if isinstance(config, dict):
                    spec = TrialSpec.from_config(config)
                    self.running[f"t{self._number}"] = place, spec, TrialRun(place, spec)
                    self._number += 1
        return bool(self.running)

    def turn(self, name=None):
        """One report of a running trial."""
        name = name or self.random.choice(sorted(self.running))
        _, spec, run = self.running[name]
        report = run.advance()
        self.problems.update(report["problems"])
        self.unshared |= {report["unshared"]} - {""}
        if report["done"]:
            run.leave()
            del self.running[name]
            self.searcher.on_trial_complete(name, report)
        else:
            self.searcher.on_trial_result(name, report)
        return spec, report

    def stop(self, name):
        """The scheduler stops a trial between two reports."""
        _, _, run = self.running.pop(name)
        self.searcher.on_trial_complete(name, None)
        run.leave()

    def die(self, name):
        """The process of a trial dies, and is not tried again."""
        place, _, _ = self.running.pop(name)
        self.places[self.places.index(place)] = Workplace(self.job)
        self.searcher.on_trial_complete(name, None, error=True)

    def to_the_end(self):
        while self.fill():
            self.turn()
        assert self.searcher.suggest("none") == Searcher.FINISHED
        assert self.searcher.mistake is None
        return self

    @property
    def epochs(self):
        return read_epochs(self.folder)

    @property
    def trials(self):
        return read_trials(self.folder)


def exact(loop):
    """The values of every epoch of every trial, without who trained it and how long that took."""
    table = loop.epochs
    assert not table.duplicated(["trial_id", "epoch"]).any()
    return table[["trial_id", "epoch", *VALUES, *MEASURED, *OBSERVED]]


def distinct(loop):
    """Distinct prefixes of all trials, by what they were told and what came of it."""
    seen = set()
    policies = {row.trial_id: policy_from_json(row.schedule) for row in loop.trials.itertuples()}
    for name, rows in loop.epochs.groupby("trial_id"):
        prefix, rows = (name.partition("-s")[2],), rows.sort_values("epoch")
        records = observations(rows.to_dict("records"))
        measured = zip(rows.train_loss, rows.test_loss, strict=True)
        for (applied, _), row in zip(told(policies[name], records, STEPS), measured, strict=False):
            prefix += ((applied, *row),)
            seen.add(prefix)
    return len(seen)


def distinct_settings(policies):
    """Distinct prefixes of fixed schedules, by what they are told."""
    return len({key for policy in policies for key in key_chain("", policy.forecast(), STEPS)[1:]})


def trained(loop):
    return int(loop.trials.epochs_trained.sum())


LARGE = tr.Phase(lr=0.3)
SMALL = tr.Phase(lr=0.02, momentum=0.9)


def at(transition, small=SMALL, epochs=7):
    return tr.two_phase(epochs=epochs, transition_epoch=transition, large=LARGE, small=small)


def dropping(rho, delay=2, epochs=7):
    """AutoDrop that finds any change of the angle small: saturated after epoch 3, it drops after 3 + delay epochs."""
    phase = tr.Phase(lr=0.3, momentum=0.5, epochs=epochs)
    return tr.AutoDrop(phase, rho=rho, delay=delay, threshold=180.0, max_threshold=180.0)


SETTLING = tr.Phase(lr=0.3, weight_decay=0.1, epochs=4)
MIXED = [
    at(2), at(5), at(3), at(3), at(7),
    at(3, tr.Phase(lr=1e-3, optimizer="adam")),
    at(5, tr.Phase(lr=tr.Ramp("cosine", 0.05, 0.0), momentum=0.9, momentum_rule="keep")),
    at(4, tr.Phase(lr=tr.Ramp("linear", 0.05, 0.0, per="epoch"), weight_decay=1e-3)),
    tr.Schedule((tr.Phase(lr=0.3, epochs=4),)),
    tr.Plateau(tr.Phase(lr=0.3, epochs=7), patience=0, threshold=0.3, factor=0.1),
    tr.Plateau(tr.Phase(lr=0.3, epochs=7), patience=0, threshold=0.3, factor=0.5),
    tr.Plateau(tr.Phase(lr=0.3, epochs=7), patience=1, threshold=0.3, factor=0.5),
    dropping(0.5), dropping(0.1),
    tr.Equilibrium((SETTLING, tr.Phase(lr=0.03, epochs=3)), tolerance=0.5, window=0.1),
    tr.Averaged(at(3, epochs=6), last=3, rule="ema"),
    tr.Averaged(tr.Plateau(tr.Phase(lr=0.3, epochs=6), patience=0, threshold=0.3, factor=0.1), last=4, rule="linear"),
    tr.Schedule((tr.Phase(lr=1e20, epochs=3), tr.Phase(lr=0.1, epochs=1))),
    tr.Schedule((tr.Phase(lr=1e20, epochs=3), tr.Phase(lr=0.2, epochs=1))),
]  # fmt: skip


@pytest.fixture(scope="module")
def unshared(tmp_path_factory):
    return Loop(tmp_path_factory.mktemp("unshared"), MIXED, seeds=(0, 1, 2), share=False).to_the_end()


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_mixed_study_has_the_same_values_shared_and_each_prefix_is_trained_once(unshared, workers, tmp_path):
    policies = list(enumerate(MIXED))
    loop = Loop(tmp_path, MIXED, seeds=(0, 1, 2), workers=workers, order=workers).to_the_end()
    assert exact(loop).equals(exact(unshared))
    assert list(loop.trials.status) == list(unshared.trials.status)
    assert len(policies) * 3 == len(loop.trials)
    assert trained(unshared) == len(unshared.epochs)
    assert trained(loop) <= 1.02 * distinct(unshared)
    assert loop.problems == Counter()


def test_adaptive_trials_share_everything_up_to_their_first_drop(tmp_path):
    policies = [
        tr.Plateau(tr.Phase(lr=0.3, epochs=6), patience=0, threshold=0.9, factor=factor) for factor in (0.1, 0.3, 0.5)
    ]
    loop = Loop(tmp_path, policies, workers=1).to_the_end()
    drops = [int(rows[rows.phase == 2].epoch.min()) for _, rows in loop.epochs.groupby("trial_id")]
    assert len(set(drops)) == 1
    inherited = sorted(loop.trials.epochs_inherited)
    assert inherited == [0, drops[0] - 1, drops[0] - 1]


def test_drop_factors_of_autodrop_share_everything_up_to_the_first_drop(tmp_path):
    policies = [dropping(rho, epochs=9) for rho in (0.1, 0.2, 0.5)]
    plain = Loop(tmp_path / "plain", policies, seeds=(0, 1), share=False, workers=1).to_the_end()
    loop = Loop(tmp_path / "shared", policies, seeds=(0, 1), workers=1).to_the_end()
    assert exact(loop).equals(exact(plain))
    drops = {int(rows[rows.phase == 2].epoch.min()) for _, rows in loop.epochs.groupby("trial_id")}
    assert drops == {6}
    saved = trained(plain) - trained(loop)
    print(f"{saved} of {trained(plain)} epochs saved by sharing over three drop factors")
    assert saved == int(loop.trials.epochs_inherited.sum()) == 2 * 2 * 5


def test_rules_of_averaging_share_everything_before_their_first_entry(tmp_path):
    policies = [tr.Averaged(at(3, epochs=6), last=last) for last in (2, 3)]
    policies += [tr.Averaged(at(3, epochs=6), last=3, rule=rule) for rule in ("ema", "linear")]
    plain = Loop(tmp_path / "plain", policies, share=False, workers=1).to_the_end()
    loop = Loop(tmp_path / "shared", policies, workers=1).to_the_end()
    assert exact(loop).equals(exact(plain))
    # Weights first enter before epoch 6 or 5: all have four epochs in common, the rules that begin alike the fifth too.
    assert trained(loop) == distinct_settings(policies) == 4 + 2 + 4 + 4


def test_rows_say_who_trained_what_was_inherited(tmp_path):
    loop = Loop(tmp_path, [at(2), at(5)], workers=1).to_the_end()
    table = loop.epochs.set_index(["trial_id", "epoch"])
    owner, heir = loop.trials.sort_values("epochs_inherited").trial_id
    assert not table.loc[owner].inherited.any()
    assert list(table.loc[heir].inherited) == [True, True] + [False] * 5
    assert list(table.loc[heir].source_trial_id[:2]) == [owner, owner]
    assert table.loc[heir].source_trial_id[2:].isna().all()


PHASES = st.builds(
    tr.Phase,
    lr=st.sampled_from([0.3, 0.02, tr.Ramp("linear", 0.3, 0.02)]),
    momentum=st.sampled_from([0.0, 0.9]),
    momentum_rule=st.sampled_from(["keep", "reset"]),
    epochs=st.integers(1, 3),
)
SCHEDULES = st.lists(PHASES, min_size=1, max_size=3).map(lambda phases: tr.Schedule(tuple(phases)))
PLATEAUS = st.builds(
    tr.Plateau,
    phase=st.just(tr.Phase(lr=0.3, epochs=5)),
    factor=st.sampled_from([0.1, 0.5]),
    patience=st.integers(0, 1),
    threshold=st.sampled_from([0.1, 0.5]),
)
POLICIES = st.lists(st.one_of(SCHEDULES, SCHEDULES, PLATEAUS), min_size=2, max_size=5)


@given(POLICIES, st.integers(1, 3), st.integers(0, 9))
@settings(max_examples=12)
def test_any_small_study_has_the_same_values_shared(tmp_path_factory, policies, workers, order):
    folder = tmp_path_factory.mktemp("any")
    shared = Loop(folder / "shared", policies, workers=workers, order=order).to_the_end()
    plain = Loop(folder / "plain", policies, share=False, workers=1).to_the_end()
    assert exact(shared).equals(exact(plain))
    if not any(policy.adaptive for policy in policies):
        assert trained(shared) == distinct(plain)


@pytest.mark.parametrize("order", range(3))
def test_when_trials_die_or_are_stopped_the_others_end_with_the_same_values(unshared, order, tmp_path):
    loop = Loop(tmp_path, MIXED, seeds=(0, 1, 2), workers=3, order=order)
    lost = 0
    while loop.fill():
        if lost < 8 and loop.random.random() < 0.1:
            loop.random.choice([loop.die, loop.stop])(loop.random.choice(sorted(loop.running)))
            lost += 1
        else:
            loop.turn()
    assert lost == 8
    rows = exact(loop).merge(exact(unshared), how="left", indicator=True)
    assert (rows["_merge"] == "both").all()
    again = Loop(tmp_path, MIXED, seeds=(0, 1, 2), workers=2).to_the_end()
    assert exact(again).equals(exact(unshared))


def test_a_damaged_state_is_trained_again_to_the_same_values_and_counted(tmp_path):
    plain = Loop(tmp_path / "plain", [at(5), at(2)], share=False).to_the_end()
    loop = Loop(tmp_path, [at(5), at(2)], workers=1)
    loop.fill()
    while not list(Path(tmp_path).glob("s/states/*/*.state")):
        loop.turn()
    while len(loop.running) and next(iter(loop.running.values()))[2].epochs_done < 7:
        loop.turn()
    for path in Path(tmp_path).glob("s/states/*/*.state"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    loop.to_the_end()
    assert exact(loop).equals(exact(plain))
    assert trained(loop) == 14
    assert loop.problems["damaged"] >= 1


def test_a_store_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("in the way")
    plain = Loop(tmp_path / "plain", [at(5), at(2)], share=False).to_the_end()
    loop = Loop(tmp_path, [at(5), at(2)], store=str(tmp_path / "file")).to_the_end()
    assert exact(loop).equals(exact(plain))
    assert len(loop.unshared) == 1


def test_a_second_study_on_the_same_store_trains_nothing_anew(tmp_path):
    store = str(tmp_path / "store")
    first = Loop(tmp_path, [at(2), at(5)], store=store, name="first").to_the_end()
    second = Loop(tmp_path, [at(5), at(2), at(5)], store=store, name="second").to_the_end()
    assert trained(second) == 0
    assert set(second.epochs.source_trial_id) == {f"first/{name}" for name in first.trials.trial_id}


def test_two_studies_at_once_on_one_store_under_a_tight_quota_have_the_values_of_quiet_ones(tmp_path):
    policies = [at(n) for n in (2, 3, 4, 5)]
    plain = Loop(tmp_path / "plain", policies, seeds=(0, 1), share=False).to_the_end()
    quota = 3_700_000  # six states of this task
    store = str(tmp_path / "store")
    loops = [
        Loop(tmp_path / name, policies, seeds=(0, 1), store=store, quota=quota, workers=2, order=number)
        for number, name in enumerate(("one", "two"))
    ]
    chance = random.Random(0)
    while sum(loop.fill() for loop in loops):
        chance.choice([loop for loop in loops if loop.running]).turn()
    for loop in loops:
        assert exact(loop).equals(exact(plain))
    held = sum(path.stat().st_size for path in Path(store).rglob("*") if path.is_file())
    assert held <= quota


def test_a_quota_smaller_than_one_state_is_refused(tmp_path):
    loop = Loop(tmp_path, [at(2), at(5)], quota=100)
    loop.fill()
    with pytest.raises(UsageError, match="quota"):
        loop.to_the_end()
