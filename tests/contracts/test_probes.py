"""What every probe must hold: it changes nothing in the training, and what it says can be taken over bit for bit."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import tune_regimes as tr
from tune_regimes.probes import PROBES, Watch, When, probe_class
from tune_regimes.results import read_epoch_rows, read_table
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.trial import TrialRun
from tune_regimes.search.workplace import Workplace
from tune_regimes.storage import Storage
from tune_regimes.training import Numerics, Trajectory

TASKS = {
    "mlp_si": tr.task("digits/mlp_si", train_size=100, test_size=50, batch_size=10),
    "mlp": tr.task("digits/mlp", train_size=100, test_size=50, batch_size=10),
    "cnn_bn": tr.task("digits/simple_cnn_bn", train_size=60, test_size=30, batch_size=10, width=1 / 8),
}
SCHEDULE = tr.two_phase(
    epochs=4, transition_epoch=2, large=tr.Phase(lr=0.1, momentum=0.5), small=tr.Phase(lr=0.01, momentum=0.9)
)
WHEN = When(every=1, steps=3)
AHEAD = ("momentum", "weights")
TIMES = ("seconds", "probe_seconds")

Record = Mapping[str, float | None]


def probe(name: str):
    """A probe that looks often, at a small data set."""
    options = {"curvature": {"batches": 7, "subset": 0.3, "hessian_every": 1}}.get(name, {})
    return probe_class(name)(when=WHEN, **options)


def trained(task: tr.Task, watcher: Watch | None, dtype: torch.dtype = torch.float32):
    numerics = Numerics(threads=1)
    trajectory = Trajectory(task, seed=1, numerics=numerics, watcher=watcher)
    return [trajectory.advance(SCHEDULE.settings(epoch, task.steps_per_epoch)) for epoch in range(4)], trajectory


def same(first: Record, second: Record) -> bool:
    """Equal values of the columns that both have, but for times; NaN equals NaN."""
    names = (first.keys() & second.keys()) - set(TIMES)
    return all(repr(first[name]) == repr(second[name]) for name in names)


@pytest.mark.parametrize("model", TASKS)
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_changes_no_bit_of_the_training(name: str, model: str) -> None:
    task = TASKS[model].build()
    plain, unwatched = trained(task, None)
    seen, watched = trained(task, Watch([probe(name)]))
    assert all(map(same, plain, seen))
    ends = zip(unwatched.model.state_dict().values(), watched.model.state_dict().values(), strict=True)
    assert all(torch.equal(first, second) for first, second in ends)


def test_all_probes_together_say_what_each_says_alone() -> None:
    task = TASKS["mlp_si"].build()
    together, _ = trained(task, Watch([probe(name) for name in PROBES]))
    for name in PROBES:
        alone, _ = trained(task, Watch([probe(name)]))
        assert all(map(same, alone, together))


@pytest.mark.parametrize("name", PROBES)
def test_what_a_probe_says_does_not_depend_on_where_the_training_was_taken_up(name: str) -> None:
    task = TASKS["mlp_si"].build()
    whole, _ = trained(task, Watch([probe(name)]))
    first = Trajectory(task, seed=1, numerics=Numerics(threads=1), watcher=Watch([probe(name)]))
    for epoch in range(2):
        first.advance(SCHEDULE.settings(epoch, task.steps_per_epoch))
    second = Trajectory(task, seed=1, numerics=Numerics(threads=1), watcher=Watch([probe(name)]))
    second.restore(first.capture())
    rest = [second.advance(SCHEDULE.settings(epoch, task.steps_per_epoch)) for epoch in (2, 3)]
    assert all(map(same, whole[2:], rest))


def job(folder: Path, *probes: str, store: str = "") -> Job:
    return Job(
        study="s",
        task=TASKS["mlp_si"],
        storage=str(folder),
        metric="test_accuracy",
        mode="max",
        store=store,
        probes=tuple(probe(name) for name in probes),
    )


def run(job: Job, spec: TrialSpec) -> list[Record]:
    trial = TrialRun(Workplace(job), spec)
    while not trial.advance()["done"]:
        pass
    return read_epoch_rows(Storage(job.storage), spec.trial_id)


def other_tail(spec: TrialSpec) -> TrialSpec:
    small = tr.Phase(lr=0.02, momentum=0.9)
    schedule = tr.two_phase(epochs=4, transition_epoch=2, large=replace(SCHEDULE.phases[0], epochs=None), small=small)
    return replace(spec, point=1, schedule=schedule)


@pytest.mark.parametrize("name", [name for name in PROBES if name not in AHEAD])
def test_inherited_epochs_keep_what_a_probe_saw_in_them(name: str, tmp_path: Path) -> None:
    spec = TrialSpec(0, 1, {}, SCHEDULE, branches=(2,))
    shared = job(tmp_path / "shared", name, store=str(tmp_path / "states"))
    run(shared, spec)
    inherited = run(shared, other_tail(spec))
    alone = run(job(tmp_path / "alone", name), other_tail(spec))
    assert [row["inherited"] for row in inherited] == [True, True, False, False]
    assert all(map(same, (_without_source(row) for row in inherited), alone))
    for table in ("measurements", "spectra"):
        tables = [read_table(Storage(tmp_path / place), table, ["00001-s1"]) for place in ("shared", "alone")]
        assert tables[0].equals(tables[1])


def _without_source(row: Record) -> Record:
    return {name: value for name, value in row.items() if name not in ("inherited", "source_trial_id")}


def test_studies_with_other_probes_share_no_states(tmp_path: Path) -> None:
    spec, store = TrialSpec(0, 1, {}, SCHEDULE, branches=(2,)), str(tmp_path / "states")
    run(job(tmp_path / "plain", store=store), spec)
    probed = run(job(tmp_path / "probed", "norms", store=store), spec)
    assert not any(row["inherited"] for row in probed)


def test_a_probe_that_looks_ahead_measures_the_way_to_the_end_of_each_schedule(tmp_path: Path) -> None:
    spec, store = TrialSpec(0, 1, {}, SCHEDULE, branches=(2,)), str(tmp_path / "states")
    ahead = job(tmp_path / "ahead", "momentum", store=store)
    first, second = run(ahead, spec), run(ahead, other_tail(spec))
    assert not any(row["inherited"] for row in second)
    assert first[0]["momentum_alignment"] != second[0]["momentum_alignment"]
    assert first[-1]["momentum_alignment"] is None
    plain = run(job(tmp_path / "plain"), spec)
    assert all(map(same, plain, first))


def test_a_probe_that_compares_its_looks_finds_the_weights_of_the_very_training(tmp_path: Path) -> None:
    """With steps trained ahead and inherited ahead, from a study that stored the first two epochs unwatched."""
    spec, store = TrialSpec(0, 1, {}, SCHEDULE, branches=(2,)), str(tmp_path / "states")
    run(job(tmp_path / "plain", store=store), spec)
    run(job(tmp_path / "seen", "weights", store=store), spec)
    spectra = read_table(Storage(tmp_path / "seen"), "spectra", ["00000-s1"]).to_pandas()
    own = spectra[(spectra["name"] == "weight_distance") & (spectra["index"] == spectra["epoch"] - 1)]
    at_end = own[own["step"] == 10]
    assert at_end["epoch"].tolist() == [1, 2, 3, 4]
    assert at_end["value"].tolist() == [0.0] * 4
    assert (own["value"] > 0).sum() == len(own) - 4


def test_a_training_that_diverges_has_nothing_ahead(tmp_path: Path) -> None:
    spec = TrialSpec(0, 1, {}, tr.Schedule((tr.Phase(lr=1e39, epochs=3),)))
    rows = run(job(tmp_path, "momentum", "weights"), spec)
    assert len(rows) == 1
    assert rows[0]["momentum_alignment"] is None


@pytest.mark.parametrize("name", AHEAD)
def test_a_probe_that_looks_ahead_goes_on_where_it_was_left(name: str, tmp_path: Path) -> None:
    spec = TrialSpec(0, 1, {}, SCHEDULE)
    interrupted = TrialRun(Workplace(replace(job(tmp_path / "a", name), save_every=0.0)), spec)
    interrupted.advance()
    interrupted.leave()
    resumed = run(job(tmp_path / "a", name), spec)
    whole = run(job(tmp_path / "b", name), spec)
    assert all(map(same, whole, resumed))
    spectra = [read_table(Storage(tmp_path / place), "spectra", ["00000-s1"]) for place in "ab"]
    assert spectra[0].equals(spectra[1])
