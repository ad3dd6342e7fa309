"""The stage tree of a study as it ran: the epochs of its trials, merged where they were told the same.

It is made from the tables alone, so a study that shared nothing has one too: the tree that sharing would have trained.
A fixed schedule says itself what its epochs were told, an adaptive policy once it observes its records again. Where
neither can be read (a schedule of a later version, or none), the settings in the epochs table stand for it, which are
those of the first step of each epoch.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pandas as pd

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule import Policy, Schedule, policy_from_json, told
from tune_regimes.sharing.tree import STEPS, Path

APPLIED = ("phase", "epoch_in_phase", "lr", "momentum", "weight_decay", "optimizer")
"""Columns of the epochs table that stand for settings where a schedule cannot be read."""

_Known = dict[Any, int]


@dataclass(frozen=True)
class Way:
    """What a trial went through.

    Args:
        tokens: A number per recorded epoch; two trials of one seed with equal tokens so far had equal trainings so far.
        transitions: Epochs, from 0, with which a phase but the first began.
    """

    tokens: tuple[int, ...]
    transitions: tuple[int, ...]


@dataclass(eq=False)
class Stage:
    """A stretch of epochs that the same trials went through, and the stages that follow.

    Attributes:
        start: Epochs completed before it.
        end: Epochs completed after it.
        way: What one of its trials went through, from the first epoch on.
        passing: Trials that went through it.
        trials: Those of them that ended with it.
        children: The stages that begin where it ends, by the token of their first epoch.
    """

    start: int
    end: int
    way: Way
    passing: int = 0
    trials: list[str] = field(default_factory=list)
    children: dict[int, "Stage"] = field(default_factory=dict)

    @property
    def transitions(self) -> list[int]:
        """Epochs completed when a phase begins within the stage or with it."""
        return [epoch for epoch in self.way.transitions if self.start <= epoch < self.end]

    def below(self) -> Iterator["Stage"]:
        """This stage and all that follow, earlier ones first."""
        stack = [self]
        while stack:
            stage = stack.pop()
            yield stage
            stack.extend(reversed(stage.children.values()))


@dataclass(frozen=True)
class Tally:
    """The epochs of a study.

    Args:
        asked: Recorded epochs of all trials.
        trained: Those that the trial itself trained; the others it inherited.
        distinct: Epochs of the stage trees: the fewest that have to be trained.
    """

    asked: int
    trained: int
    distinct: int

    def sentence(self) -> str:
        """The numbers in words.

        Examples:
            >>> Tally(18, 10, 10).sentence()
            '18 epochs asked for, 10 trained, 8 inherited: a saving of 44 %. The tree has 10 epochs.'
            >>> Tally(18, 18, 10).sentence()
            '18 epochs asked for, 18 trained, none inherited. The tree has 10 epochs: sharing would save 44 %.'
        """
        asked, inherited = f"{self.asked:,} epochs asked for, {self.trained:,} trained", self.asked - self.trained
        tree = f"The tree has {self.distinct:,} epochs"
        if inherited:
            return f"{asked}, {inherited:,} inherited: a saving of {self._share(inherited)}. {tree}."
        spare = self.asked - self.distinct
        rest = f"sharing would save {self._share(spare)}" if spare else "no two trials begin alike"
        return f"{asked}, none inherited. {tree}: {rest}."

    def _share(self, epochs: int) -> str:
        return f"{100 * epochs / self.asked:.0f} %"


def tally(epochs: pd.DataFrame, trees: Mapping[int, Stage]) -> Tally:
    """Count the epochs of a study and those of its stage trees."""
    inherited = epochs["inherited"].eq(True).sum()
    distinct = sum(stage.end - stage.start for root in trees.values() for stage in root.below())
    return Tally(len(epochs), len(epochs) - int(inherited), distinct)


def stage_trees(trials: pd.DataFrame, epochs: pd.DataFrame) -> dict[int, Stage]:
    """The stage tree of each seed: trials of different seeds share nothing.

    Args:
        trials: The trials table.
        epochs: The epochs table; trials without a row in it are left out.

    Returns:
        The trees by seed, the smallest first.
    """
    ways = _ways(trials, epochs)
    by_seed: dict[int, dict[str, Way]] = {}
    for trial_id, seed in zip(trials["trial_id"], trials["seed"], strict=True):
        if trial_id in ways:
            by_seed.setdefault(int(seed), {})[trial_id] = ways[trial_id]
    return {seed: plant(by_seed[seed]) for seed in sorted(by_seed)}


def plant(ways: Mapping[str, Way]) -> Stage:
    """The stage tree of trials: a stage of no epochs with which all others begin.

    Examples:
        >>> root = plant({"a": Way((0, 0, 0), ()), "b": Way((0, 0, 1), (2,))})
        >>> [(stage.start, stage.end, stage.trials) for stage in root.below()]
        [(0, 0, []), (0, 2, []), (2, 3, ['a']), (2, 3, ['b'])]
    """
    root = Stage(0, 0, Way((), ()))
    for trial_id, way in ways.items():
        stage = root
        stage.passing += 1
        while stage.end < len(way.tokens):
            stage = _next(stage, way)
            stage.passing += 1
        stage.trials.append(trial_id)
    return root


def _next(stage: Stage, way: Way) -> Stage:
    """The stage that follows on a way: a new one, or the part of a known one that the way shares."""
    token = way.tokens[stage.end]
    child = stage.children.get(token)
    if child is None:
        child = stage.children[token] = Stage(stage.end, len(way.tokens), way)
    elif (parting := _parting(way, child)) < child.end:
        child, rest = Stage(child.start, parting, child.way, child.passing), child
        rest.start = parting
        child.children[rest.way.tokens[parting]] = rest
        stage.children[token] = child
    return child


def _parting(way: Way, child: Stage) -> int:
    """The epochs after which a way leaves a stage, or ends in it."""
    end = min(child.end, len(way.tokens))
    pairs = zip(way.tokens[child.start : end], child.way.tokens[child.start : end], strict=True)
    return next((child.start + number for number, (mine, other) in enumerate(pairs) if mine != other), end)


def _ways(trials: pd.DataFrame, epochs: pd.DataFrame) -> dict[str, Way]:
    """The way of every trial that has an epoch."""
    known: _Known = {}
    policies = {text: _policy(text) for text in trials["schedule"].dropna().unique()}
    paths = {text: Path(policy, known) for text, policy in policies.items() if isinstance(policy, Schedule)}
    texts = dict(zip(trials["trial_id"], trials["schedule"], strict=True))
    ways = {}
    for trial_id, rows in epochs.sort_values(["trial_id", "epoch"]).groupby("trial_id"):
        text = texts.get(trial_id)
        tokens = _tokens(policies.get(text), paths.get(text), rows, known)
        ways[str(trial_id)] = Way(tuple(tokens), _transitions(rows))
    return ways


def _policy(text: str) -> Policy | None:
    try:
        return policy_from_json(text)
    except ScheduleError:
        return None


def _tokens(policy: Policy | None, path: Path | None, rows: pd.DataFrame, known: _Known) -> Sequence[int]:
    """The tokens of the recorded epochs of a trial."""
    if path is not None and len(rows) <= path.epochs:
        return [path.token(epoch) for epoch in range(len(rows))]
    settings: Sequence[Hashable] = ()
    if policy is not None and policy.adaptive:
        with suppress(ScheduleError):
            settings = _replayed(policy, rows)
    if len(settings) < len(rows):
        settings = _applied(rows)
    return [known.setdefault(each, len(known)) for each in settings]


def _replayed(policy: Policy, rows: pd.DataFrame) -> Sequence[Hashable]:
    """What an adaptive policy told each epoch, given the records."""
    measured = rows.select_dtypes("number")
    names = list(measured.columns)
    records = (dict(zip(names, values, strict=True)) for values in measured.to_numpy(float).tolist())
    return [settings for settings, _ in islice(told(policy, records, STEPS), len(rows))]


def _applied(rows: pd.DataFrame) -> Sequence[Hashable]:
    known = rows.reindex(columns=list(APPLIED)).astype(object)
    return list(known.where(known.notna(), None).itertuples(index=False, name=None))


def _transitions(rows: pd.DataFrame) -> tuple[int, ...]:
    phases = rows["phase"].tolist() if "phase" in rows else []
    return tuple(n for n in range(1, len(phases)) if phases[n] != phases[n - 1] and phases[n] == phases[n])
