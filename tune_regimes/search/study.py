"""A study: a space, a schedule for each config, a task, and how to search."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import TrialScheduler

from tune_regimes.errors import StudyError
from tune_regimes.results import Results, read_spec
from tune_regimes.schedule import Phase, Policy
from tune_regimes.search.checks import check_count, check_goal, check_name
from tune_regimes.search.fork import fork_trial
from tune_regimes.search.options import DEFAULT_QUOTA, RunOptions
from tune_regimes.search.planning import StudyPlan, plan_study
from tune_regimes.search.points import Points, check_space, describe_space, list_points
from tune_regimes.search.progress import Progress
from tune_regimes.search.run import run_study
from tune_regimes.search.schedulers import describe_scheduler, make_scheduler
from tune_regimes.search.specification import check_same
from tune_regimes.storage import Storage
from tune_regimes.tasks import TaskSpec

if TYPE_CHECKING:
    from tune_regimes.probes import Probe


class Study:
    """A search over training schedules.

    Args:
        name: The study's name: its folder below the storage.
        task: What is trained, from `tune_regimes.task`.
        schedule: A function from a config to a `Schedule`, or to a `Policy` that reacts to what it observes.
        space: Ray Tune domains by name, as for ``param_space``.
        samples: Draws from the space; each draw visits every cell of its grid, as Ray's ``num_samples`` does.
        seeds: Seeds per config: a number (0..n-1) or the seeds themselves.
        metric: Column of the epochs table to optimise, such as ``"test_accuracy"``.
        mode: ``"max"`` or ``"min"``.
        scheduler: ``"fifo"``, ``"asha"``, ``"regime_asha"``, ``"hyperband"``, or a scheduler of Ray's with
            ``time_attr="epoch"``.
        searcher: ``"random"``, ``"grid"`` or ``"optuna"`` (TPE).
        cost: What a TPE search keeps small beside the metric: None, or ``"epochs"`` of the schedule that a trial goes
            through, whoever trains them. See `Results.pareto`.
        diverged: What a TPE search is told of a diverged point: ``"fail"``, or the value that it counts as.
        search_seed: Seed of the search itself.
        points_to_evaluate: Configs to try before the sampled ones.
        probes: What looks at each training along the way: probes, or their notation as on the command line, such as
            ``"curvature:every=5"``. They change no training; trials share states with studies of the same probes.
        origin: The catalogue entry that built the study, so that the command line can build it again.

    Raises:
        StudyError: If an argument cannot be used.
        ScheduleError: If the schedule of a config that is known beforehand is not valid.
    """

    def __init__(
        self,
        *,
        name: str,
        task: TaskSpec,
        schedule: Callable[[dict[str, Any]], Policy],
        space: Mapping[str, Any],
        samples: int = 1,
        seeds: int | Sequence[int] = 1,
        metric: str = "test_accuracy",
        mode: str = "max",
        scheduler: str | TrialScheduler = "fifo",
        searcher: str = "random",
        cost: str | None = None,
        diverged: float | str = "fail",
        search_seed: int = 0,
        points_to_evaluate: Sequence[Mapping[str, Any]] = (),
        probes: "Sequence[Probe | str]" = (),
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.task, self.schedule = check_name(name), task, schedule
        self.space, self.samples, self.search_seed = dict(space), check_count("samples", samples), search_seed
        self.seeds = list(range(check_count("seeds", seeds))) if not isinstance(seeds, Sequence) else list(seeds)
        self.metric, self.mode, self.scheduler, self.searcher = metric, mode, scheduler, searcher
        self.cost, self.diverged = cost, diverged
        self.points_to_evaluate = [dict(point) for point in points_to_evaluate]
        self.probes = _checked(probes)
        self.origin = None if origin is None else dict(origin)
        self._storage: str | None = None
        if mode not in ("max", "min"):
            raise StudyError(f"mode must be 'max' or 'min'; got {mode!r}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise StudyError(f"seeds must be distinct and at least one; got {self.seeds}")
        check_space(self.space, searcher)
        check_goal(searcher, cost, diverged)
        make_scheduler(scheduler, epochs=2)
        # A sequential searcher's first draw stands for the others: it tries the schedule before anything starts.
        draws = 1 if searcher == "optuna" else self.samples
        self._listed = list_points(self.space, draws, self.points_to_evaluate, search_seed)
        policies = self.listed_policies()
        self.lengths = [policy.epochs for policy in policies]
        self.unforeseen = searcher == "optuna" or any(policy.adaptive for policy in policies)

    @property
    def points(self) -> int:
        """Number of configs that the study evaluates."""
        return len(self.points_to_evaluate) + self.samples if self.searcher == "optuna" else self._listed.total

    @property
    def trials(self) -> int:
        """Number of trials: configs times seeds."""
        return self.points * len(self.seeds)

    def listed_policies(self) -> list[Policy]:
        """What each config follows that is known beforehand; of a sequential search, a first draw stands for others."""
        return [self.schedule(self._listed.config(point)) for point in range(self._listed.total)]

    def replaced(self, **changes: Any) -> "Study":
        """The same study with some arguments of the constructor changed.

        Raises:
            StudyError: As the constructor.
        """
        return Study(**({name: getattr(self, name) for name in signature(Study).parameters} | changes))

    def open_points(self, known: Mapping[int, dict[str, Any]], folder: Storage | None = None) -> Points:
        """The source of configs of one run.

        Args:
            known: Configs that an earlier run has begun to evaluate, by point: a sequential searcher repeats them.
            folder: The study's folder, where a sequential searcher keeps its journal; None for what is not to be kept.

        Raises:
            UsageError: If the journal cannot be used.
        """
        if self.searcher != "optuna":
            return self._listed
        from tune_regimes.search.optuna_points import OptunaPoints

        return OptunaPoints(
            self.space,
            self.samples,
            self.points_to_evaluate,
            known,
            name=self.name,
            objectives={self.metric: self.mode} | ({} if self.cost is None else {self.cost: "min"}),
            seeds=self.seeds,
            schedule=self.schedule,
            diverged=self.diverged,
            seed=self.search_seed,
            folder=folder,
        )

    def spec(self) -> dict[str, Any]:
        """What makes the study this study, as ``study.json`` holds it."""
        first = self._listed.config(0)
        return {
            "name": self.name,
            "task": self.task.to_dict(),
            "space": describe_space(self.space),
            "samples": self.samples,
            "trials": self.trials,
            "seeds": self.seeds,
            "metric": self.metric,
            "mode": self.mode,
            "scheduler": describe_scheduler(self.scheduler),
            "searcher": self.searcher,
            "cost": self.cost,
            "diverged": None if self.diverged == "fail" else self.diverged,
            "search_seed": self.search_seed,
            "points_to_evaluate": self.points_to_evaluate,
            "probes": [probe.to_dict() for probe in self.probes],
            "example": {"config": first, "schedule": self.schedule(dict(first)).to_dict()},
            "origin": self.origin,
        }

    def run(
        self,
        storage: str,
        *,
        max_concurrent: int | None = None,
        cpus_per_trial: float = 1.0,
        gpus_per_trial: float = 0.0,
        address: str | None = None,
        time_budget: float | None = None,
        max_failures: int = 3,
        save_every: float = 30.0,
        share: bool = True,
        store: str | None = None,
        quota: int | None = DEFAULT_QUOTA,
        keep_every: int | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Results:
        """Run the study, or go on where it was left.

        Args:
            storage: Folder or pyarrow filesystem URI that holds studies; this one goes into a folder of its name.
            max_concurrent: Trials at once; None for as many as the cluster holds.
            cpus_per_trial: CPUs of one trial, and its number of threads.
            gpus_per_trial: GPUs of one trial; a fraction lets trials share one.
            address: Address of an existing Ray cluster; None starts one on this machine.
            time_budget: Seconds after which the study stops, resumably.
            max_failures: How often a trial whose process died is started again from its last state.
            save_every: Seconds between two stored states of a trial.
            share: Whether trials inherit the epochs that they have in common, so that each prefix is trained once.
            store: Folder or URI of states that several studies share; None for the study's own.
            quota: Bytes that the store may hold; None for no limit.
            keep_every: Epochs between states that are kept for trials which are not known yet; None for a tenth of
                the schedule where later trials depend on earlier ones, else none.
            on_progress: Called about twice a second with the study's `Progress`.

        Returns:
            The results, of all runs so far.

        Raises:
            UsageError: For every mistake that can be mended; nothing that was stored is lost.
            StudyInterrupted: If a signal stopped the study; it can be resumed.
        """
        options = RunOptions(
            max_concurrent=max_concurrent,
            cpus_per_trial=cpus_per_trial,
            gpus_per_trial=gpus_per_trial,
            address=address,
            time_budget=time_budget,
            max_failures=max_failures,
            save_every=save_every,
            share=share,
            store=store,
            quota=quota,
            keep_every=keep_every,
        )
        self._storage = storage
        return run_study(self, storage, options, on_progress)

    def resume(self, storage: str, **options: Any) -> Results:
        """As `run`, for a study that must exist.

        Raises:
            StudyError: If there is no study of this name in the storage, or its specification differs.
        """
        read_spec(Storage(storage).child(self.name))
        return self.run(storage, **options)

    def plan(
        self,
        *,
        max_concurrent: int | None = None,
        storage: str | None = None,
        build: bool = True,
        cpus_per_trial: float = 1.0,
        quota: int | None = DEFAULT_QUOTA,
        keep_every: int | None = None,
    ) -> StudyPlan:
        """What a run will train and store, before anything runs.

        The plan is of the whole study, as if nothing were stored. Of a TPE search it holds the points that are known,
        explicit and stored ones; adaptive schedules are planned by their forecast.

        Args:
            max_concurrent: Trials at once; None for as many as this machine holds.
            storage: Where the study may lie already: what is to be said of that is in the notes.
            build: Whether to build the task, which tells how large a state is.
            cpus_per_trial: As for `run`.
            quota: As for `run`.
            keep_every: As for `run`.

        Raises:
            UsageError: If an option cannot be used, or the quota is smaller than one state.
        """
        options = RunOptions(
            max_concurrent=max_concurrent, cpus_per_trial=cpus_per_trial, quota=quota, keep_every=keep_every
        )
        return plan_study(self, storage, options, build=build)

    def fork(
        self,
        trial_id: str,
        at_epoch: int,
        tail: Sequence[Phase],
        *,
        storage: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        **options: Any,
    ) -> Results:
        """Go on from an epoch of a trial that has ended, with another tail.

        The fork is a point of its own with the trial's seed, whose config says what it goes on from (``fork.trial``,
        ``fork.epoch``, ``fork.tail``). Its first epochs are those of the trial, inherited from the nearest stored
        state; what was not stored is trained again, to the same values. The same fork again goes on where it was left.
        A resumed study leaves it alone.

        Args:
            trial_id: The trial: completed, pruned or diverged.
            at_epoch: Epochs that stay as they are, 1 or more.
            tail: The phases that follow, each with its epochs. Where one leaves weight decay open, that of the last
                epoch before the fork goes on, if the optimizer does too.
            storage: Where the study lies; None for where this object has run it last.
            on_progress: As for `run`.
            **options: As for `run`. Resources that are left out are those with which the study was begun.

        Returns:
            The results of the study, the fork among them.

        Raises:
            UsageError: If this cannot be forked; nothing was written.
            StudyInterrupted: If a signal stopped it; the same fork goes on.
        """
        storage = self._storage if storage is None else storage
        if storage is None:
            raise StudyError("a fork needs the storage of the study, which has not run here; got None: give storage")
        folder = Storage(storage).child(self.name)
        check_same(read_spec(folder), self.spec(), str(folder))
        fork_trial(
            folder, trial_id, at_epoch, tail, options, task=self.task, probes=self.probes, on_progress=on_progress
        )
        return Results.load(folder.uri)


def _checked(probes: "Sequence[Probe | str]") -> "tuple[Probe, ...]":
    """Probes that can look at one training together; without any, torch is not loaded."""
    if not probes:
        return ()
    from tune_regimes.probes import Watch, as_probes

    found = as_probes(probes)
    Watch(found)
    return found
