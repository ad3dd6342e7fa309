"""Forks: the values of the same schedule from scratch, whatever is stored, as trials that a resume leaves alone."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
from ray import tune

import tune_regimes as tr
from tune_regimes.errors import StudyError, UsageError
from tune_regimes.results import read_epoch_rows, read_spec, read_trial, write_spec
from tune_regimes.schedule import forked
from tune_regimes.search import fork
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.original import Original
from tune_regimes.search.specification import versions
from tune_regimes.search.trial import TrialRun
from tune_regimes.search.workplace import Workplace
from tune_regimes.sharing import key_chain, root_key
from tune_regimes.storage import Storage

TASK = tr.task("digits/mlp", train_size=60, test_size=40, batch_size=20, dropout=0.1, augment=True)
MEASURED = ["phase", "epoch_in_phase", "lr", "momentum", "train_loss", "train_accuracy", "test_loss", "test_accuracy"]
RAMPED = tr.Schedule(
    (
        tr.Phase(lr=0.2, weight_decay=1e-3, decay="kernels", epochs=2),
        tr.Phase(lr=tr.Ramp("cosine", 0.1, 0.0), momentum=0.9, weight_decay=1e-3, decay="kernels", epochs=6),
    )
)
ADAPTIVE = tr.Plateau(tr.Phase(lr=0.3, momentum=0.5, epochs=7), patience=0, threshold=0.3)
TAIL = [tr.Phase(lr=0.01, momentum=0.5, epochs=2, momentum_rule="reset"), tr.Phase(lr=1e-3, epochs=1, optimizer="adam")]


@pytest.fixture
def folder(tmp_path):
    """A study of one point and two seeds, of which nothing has run."""
    folder = Storage(tmp_path / "s")
    spec = {"name": "s", "metric": "test_accuracy", "mode": "max", "seeds": [0, 1], "trials": 2}
    write_spec(folder, {**spec, "task": TASK.to_dict()})
    return folder


@pytest.fixture
def loop(monkeypatch):
    """Ray is replaced by a loop in this process; gives the jobs of what ran, and ends a trial early on demand."""
    ran = []

    @contextmanager
    def prepared(task, folder, options):
        yield 1

    def fit(search, on_progress):
        ran.append(search)
        run = TrialRun(Workplace(search.job), TrialSpec.from_config(search.source.suggest("t")))
        while not run.advance()["done"]:
            if fit.ends_after is not None and run.epochs_done >= fit.ends_after:
                run.leave()
                raise KeyboardInterrupt
        run.leave()
        search.states.settle(ended=True)

    fit.ends_after, fit.ran = None, ran
    monkeypatch.setattr(fork, "prepared", prepared)
    monkeypatch.setattr(fork, "fit", fit)
    monkeypatch.setattr(fork, "REPORT_EVERY", 0.0)
    return fit


def job(folder, **changes):
    made = Job(study="s", task=TASK, storage=folder.uri, metric="test_accuracy", mode="max", owner="s.0")
    return replace(made, **({"versions": versions()} | changes))


def trained(folder, policy, *, seed=0, branches=(), share=True):
    """A trial that has run to its end."""
    run = TrialRun(Workplace(job(folder, share=share)), TrialSpec(0, seed, {"lr": 0.2}, policy, branches))
    while not run.advance()["done"]:
        pass
    run.leave()
    return run.spec.trial_id


def values(folder, trial_id, epochs=None):
    return [tuple(row[name] for name in MEASURED) for row in read_epoch_rows(folder, trial_id)][:epochs]


def from_scratch(tmp_path, policy, seed=0):
    """The values of a policy that shares nothing."""
    plain = Storage(tmp_path / "plain")
    return values(plain, trained(plain, policy, seed=seed, share=False))


@pytest.mark.parametrize("policy", [RAMPED, ADAPTIVE], ids=["ramped", "adaptive"])
@pytest.mark.parametrize("stored", ["at the fork", "earlier", "nothing"])
@pytest.mark.parametrize("at", [1, 5])
def test_a_fork_has_the_values_of_its_schedule_from_scratch(policy, stored, at, folder, loop, tmp_path):
    branches = {"at the fork": (at,), "earlier": (max(1, at - 2),), "nothing": ()}[stored]
    source = trained(folder, policy, seed=1, branches=branches)
    if stored == "nothing":
        folder.delete("states")
    name = fork.fork_trial(folder, source, at, TAIL, {})
    assert name == "00001-s1"
    kept = [replace(TAIL[0], weight_decay=1e-3, decay="kernels"), TAIL[1]]
    whole = forked(policy, at, kept if policy is RAMPED else TAIL)
    assert values(folder, name) == from_scratch(tmp_path, whole, seed=1)
    assert values(folder, name, at) == values(folder, source, at)
    inherited = [row["source_trial_id"] for row in read_epoch_rows(folder, name) if row["inherited"]]
    if stored == "at the fork":
        assert inherited == [source] * at
    elif stored == "nothing":
        assert inherited == []
    else:
        assert inherited == [source] * len(inherited)


def test_the_keys_of_the_head_are_those_of_the_trial(folder, loop):
    source = trained(folder, RAMPED, branches=(4,))
    name = fork.fork_trial(folder, source, 4, TAIL, {})
    root = root_key({"seed": 0})
    chains = [
        key_chain(root, tr.Schedule.from_json(read_trial(folder, each)["schedule"]), 3) for each in (source, name)
    ]
    assert chains[0][:5] == chains[1][:5]
    assert chains[0][5] != chains[1][5]


def test_a_second_tail_inherits_the_state_that_the_first_fork_left(folder, loop):
    source = trained(folder, RAMPED)
    folder.delete("states")
    first = fork.fork_trial(folder, source, 5, TAIL, {})
    second = fork.fork_trial(folder, source, 5, [tr.Phase(lr=0.05, epochs=2)], {})
    assert read_trial(folder, first)["epochs_trained"] == 8
    assert (read_trial(folder, second)["epochs_trained"], read_trial(folder, second)["epochs_inherited"]) == (2, 5)
    assert {row["source_trial_id"] for row in read_epoch_rows(folder, second)} == {first, None}


def test_a_fork_is_a_point_of_its_own_with_the_config_it_came_from(folder, loop):
    source = trained(folder, RAMPED, seed=1)
    name = fork.fork_trial(folder, source, 5, [tr.Phase(lr=0.01, epochs=2)], {})
    row = read_trial(folder, name)
    assert (row["point"], row["seed"], row["status"]) == (1, 1, "completed")
    assert (row["config.lr"], row["config.fork.trial"], row["config.fork.epoch"]) == (0.2, source, 5)
    assert row["config.fork.tail"] == "lr=0.01,weight_decay=0.001,epochs=2,decay=kernels"
    again = fork.fork_trial(folder, name, 6, [tr.Phase(lr=0.5, weight_decay=0.0, epochs=1)], {})
    assert again == "00002-s1"
    assert values(folder, again, 6) == values(folder, name, 6)
    assert read_trial(folder, again)["config.fork.trial"] == name


def test_numbers_of_points_that_have_not_begun_are_left_to_them(folder, loop):
    spec = read_spec(folder)
    write_spec(folder, spec | {"trials": 20})
    assert fork.fork_trial(folder, trained(folder, RAMPED), 5, TAIL, {}) == "00010-s0"


def test_the_same_fork_again_is_the_one_that_there_is(folder, loop):
    source = trained(folder, RAMPED)
    name = fork.fork_trial(folder, source, 5, TAIL, {})
    assert fork.fork_trial(folder, source, 5, TAIL, {}) == name
    assert len(loop.ran) == 1
    assert fork.fork_trial(folder, source, 4, TAIL, {}) != name


@pytest.mark.parametrize("policy", [RAMPED, ADAPTIVE], ids=["ramped", "adaptive"])
def test_an_interrupted_fork_goes_on_where_it_was_left(policy, folder, loop, tmp_path):
    source = trained(folder, policy, branches=(3,))
    loop.ends_after = 5
    with pytest.raises(KeyboardInterrupt):
        fork.fork_trial(folder, source, 3, TAIL, {"save_every": 0.0})
    (name,) = set(folder.list("trials")) - {f"{source}.parquet"}
    name = name.removesuffix(".parquet")
    assert (read_trial(folder, name)["status"], read_trial(folder, name)["epochs"]) == ("running", 5)
    loop.ends_after = None
    assert fork.fork_trial(folder, source, 3, TAIL, {}) == name
    phases = Original(folder, source).completed(TAIL, 3)
    assert values(folder, name) == from_scratch(tmp_path, forked(policy, 3, phases))


def test_a_fork_takes_nothing_from_its_study(folder, loop):
    run = TrialRun(Workplace(job(folder)), TrialSpec(0, 0, {"lr": 0.2}, RAMPED, (4,)))
    while not run.advance()["done"]:
        pass
    run.leave()
    pinned = sorted(path.name for path in folder.walk("states") if path.name.endswith(".pin"))
    assert pinned
    fork.fork_trial(folder, run.spec.trial_id, 4, TAIL, {})
    files = {path.name for path in folder.walk("states")}
    assert set(pinned) <= files
    assert {name.replace(".s.0.pin", ".state") for name in pinned} <= files


def test_a_fork_that_a_mistake_ends_before_its_first_epoch_leaves_nothing(folder, loop):
    source = trained(folder, RAMPED)
    before = sorted(path.name for path in folder.walk())
    with pytest.raises(UsageError, match="quota must hold at least one state"):
        fork.fork_trial(folder, source, 5, TAIL, {"quota": 100})
    assert sorted(path.name for path in folder.walk()) == before


def test_a_trial_of_another_version_is_forked_with_a_word_of_it(folder, loop):
    source = trained(folder, RAMPED)
    row = read_trial(folder, source)
    fork.write_trial(folder, row | {"versions": '{"torch": "1.0"}'})
    fork.fork_trial(folder, source, 5, TAIL, {})
    assert any("was trained with torch 1.0" in note for note in loop.ran[0].notes)


@pytest.mark.parametrize(("optimizer", "named"), [("kfac", True), ("sgd", False)])
def test_another_version_of_an_optimizers_library_counts_where_the_trial_used_it(optimizer, named, folder, loop):
    original = Original(folder, trained(folder, RAMPED))
    original.rows[0]["optimizer"] = optimizer
    original.row["versions"] = json.dumps(versions() | {"curvlinops-for-pytorch": "0.1"})
    notes = original.notes()
    assert any("was trained with curvlinops-for-pytorch 0.1" in note for note in notes) is named


def test_weight_decay_that_is_left_open_goes_on_under_the_same_optimizer_only(folder, loop):
    original = Original(folder, trained(folder, RAMPED))
    open_, other, own = original.completed(
        [
            tr.Phase(lr=0.1, epochs=1),
            tr.Phase(lr=0.1, epochs=1, optimizer="adamw"),
            tr.Phase(lr=0.1, epochs=1, weight_decay=0.0, name="mine"),
        ],
        5,
    )
    assert (open_.weight_decay, open_.decay, open_.name) == (1e-3, "kernels", "tail")
    assert (other.weight_decay, own.weight_decay, own.decay, own.name) == (None, 0.0, "all", "mine")


LENGTHLESS = [tr.Phase(lr=0.1)]


@pytest.mark.parametrize(
    ("trial", "at", "tail", "options", "message"),
    [
        ("00000-s0", 9, TAIL, {}, r"epochs 1\.\.8 of its trial \(00000-s0 completed\); got 9"),
        ("00000-s0", 0, TAIL, {}, "got 0; a new start is a study of its own"),
        ("00000-s0", -1, TAIL, {}, "got -1"),
        ("00000-s0", 2.0, TAIL, {}, r"got 2\.0"),
        ("00000-s0", 5, [], {}, r"list of one Phase or more, each with epochs; got \[\]"),
        ("00000-s0", 5, TAIL[0], {}, "list of one Phase or more"),
        ("00000-s0", 5, LENGTHLESS, {}, "must have a length: received epochs=None"),
        ("00007-s0", 5, TAIL, {}, "got '00007-s0'; known: 00000-s0, 00000-s1"),
        ("00000-s1", 1, TAIL, {}, "a fork needs a trial that has ended; 00000-s1 is running"),
        ("00000-s0", 5, TAIL, {"gpus_per_trial": 0.5}, "00000-s0 ran on cpu, this would run on cuda"),
        ("00000-s0", 5, TAIL, {"quota": 0}, "quota must be positive"),
    ],
)
def test_what_cannot_be_forked_is_refused_and_nothing_is_written(trial, at, tail, options, message, folder, loop):
    trained(folder, RAMPED)
    run = TrialRun(Workplace(job(folder)), TrialSpec(0, 1, {"lr": 0.2}, RAMPED))
    run.advance()
    run.leave()
    before = sorted(path.name for path in folder.walk())
    with pytest.raises(UsageError, match=message):
        fork.fork_trial(folder, trial, at, tail, options)
    assert sorted(path.name for path in folder.walk()) == before
    assert loop.ran == []


def test_a_diverged_trial_is_forked_before_it_diverged_and_not_after(folder, loop):
    wild = tr.Schedule((tr.Phase(lr=0.1, epochs=3), tr.Phase(lr=1e20, epochs=3)))
    source = trained(folder, wild)
    last = len(read_epoch_rows(folder, source))
    with pytest.raises(StudyError, match=rf"epochs 1\.\.{last - 1} .*diverged: the loss became non-finite"):
        fork.fork_trial(folder, source, last, TAIL, {})
    name = fork.fork_trial(folder, source, 3, TAIL, {})
    assert read_trial(folder, name)["status"] == "completed"


def test_a_trial_that_diverged_at_once_cannot_be_forked(folder, loop):
    source = trained(folder, tr.Schedule((tr.Phase(lr=1e20, epochs=3),)))
    assert len(read_epoch_rows(folder, source)) == 1
    with pytest.raises(StudyError, match="needs an epoch to go on from"):
        fork.fork_trial(folder, source, 1, TAIL, {})


def schedule(config):
    return tr.two_phase(
        epochs=6, transition_epoch=config["at"], large=tr.Phase(lr=0.2), small=tr.Phase(lr=0.02, momentum=0.9)
    )


def study(**changes):
    arguments = {
        "name": "tiny",
        "task": TASK,
        "schedule": schedule,
        "space": {"at": tune.grid_search([2, 4])},
        "seeds": 2,
    }
    return tr.Study(**(arguments | changes))


def test_a_fork_needs_a_storage_and_the_study_that_is_stored(tmp_path):
    with pytest.raises(StudyError, match="give storage"):
        study().fork("00000-s0", 2, TAIL)
    with pytest.raises(StudyError, match=r"study\.json"):
        study().fork("00000-s0", 2, TAIL, storage=tmp_path)
    write_spec(Storage(tmp_path / "tiny"), study().spec())
    with pytest.raises(StudyError, match="seeds: stored"):
        study(seeds=3).fork("00000-s0", 2, TAIL, storage=tmp_path)


def test_a_study_that_was_forked_is_resumed_without_its_forks(ray_cluster, tmp_path):
    one = study()
    before = one.run(tmp_path, max_concurrent=1).trials
    tails = [[tr.Phase(lr=0.01, epochs=2)], [tr.Phase(lr=0.05, momentum=0.9, epochs=3)]]
    for tail in tails:
        results = one.fork("00001-s1", 4, tail)
    assert results.forks.trial_id.tolist() == ["00002-s1", "00003-s1"]
    assert results.forks.status.tolist() == ["completed"] * 2
    # A state lies at the branch point of the study, epoch 2; the first fork leaves one where it parts.
    assert results.forks.epochs_inherited.tolist() == [2, 4]
    lost = "00000-s0"
    for table in ("trials", "epochs"):
        (tmp_path / "tiny" / table / f"{lost}.parquet").unlink()
    seen = []
    after = study().resume(tmp_path, on_progress=seen.append, max_concurrent=1)
    assert after.forks.equals(results.forks)
    assert (seen[-1].trials, seen[-1].states["completed"]) == (4, 4)
    times = ["wall_seconds", "train_seconds", "epochs_trained", "epochs_inherited"]
    assert after.without_forks().trials.drop(columns=times).equals(before.drop(columns=times))
    assert len(after.ranking()) == 4
    assert read_spec(after.storage)["resources"] == {"cpus_per_trial": 1.0, "gpus_per_trial": 0.0}
