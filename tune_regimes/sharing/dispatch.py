"""Who trains what, and when: trials are given out so that no stage is trained twice.

A stage that can begin (the one before it has been trained) is given to one trial, which then follows the longest path
below it to its end; all other trials below are held back until that one has reached the node at which they part. They
could not end sooner by starting at once. Among the stages that can begin, the one with the longest path below it goes
first.

A trial may leave its path before the end: it failed, was stopped or paused, diverged, or follows a policy that has
changed its settings. What it has not reached is then given to another trial.
"""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import count, pairwise

from tune_regimes.schedule import Schedule
from tune_regimes.sharing.tree import Node, StageTree, State

Trial = Hashable


@dataclass(frozen=True)
class Start:
    """A trial that can start now.

    Attributes:
        trial: Its name.
        source: The trial whose state it can begin from, or None.
        epoch: Epochs that it is expected to inherit.
        branches: Epochs, counted from 1, after which other trials part from it: their states are needed.
        ends: Epochs after which other trials end: their histories are needed.
    """

    trial: Trial
    source: Trial | None
    epoch: int
    branches: tuple[int, ...]
    ends: tuple[int, ...]


@dataclass
class _Course:
    """Where a running trial stands: the nodes that it is still to reach, in order, and the epochs completed."""

    nodes: list[Node]
    epoch: int = 0


class Dispatcher:
    """Gives out trials, stage by stage.

    Attributes:
        tree: The stage tree of all trials that were added.
        waiting: Number of trials that were added and not given out.
        freed: (trial, epoch) of the states that no trial waits for any more; the caller empties it.

    Examples:
        >>> from tune_regimes.schedule import Phase
        >>> dispatcher = Dispatcher()
        >>> for name, epochs in (("short", 2), ("long", 4)):
        ...     dispatcher.add(name, 0, Schedule((Phase(lr=0.1, epochs=epochs), Phase(lr=0.01, epochs=6 - epochs))))
        >>> start = dispatcher.next()
        >>> start.trial, start.branches, dispatcher.next()
        ('short', (2,), None)
        >>> dispatcher.reached("short", 2)
        >>> start = dispatcher.next()
        >>> start.trial, start.source, start.epoch
        ('long', 'short', 2)
    """

    def __init__(self) -> None:
        self.tree, self.waiting = StageTree(), 0
        self.freed: list[tuple[Trial, int]] = []
        self._order: dict[Trial, int] = {}
        self._given: set[Trial] = set()
        self._courses: dict[Trial, _Course] = {}
        self._needs: dict[tuple[Trial, int], set[Trial]] = {}
        self._begins_from: dict[Trial, tuple[Trial, int]] = {}
        self._ready: list[tuple[int, int, int, Node]] = []
        self._tickets = count()
        self._copies: list[tuple[int, Trial, Node]] = []

    def add(self, trial: Trial, seed: Hashable, schedule: Schedule) -> None:
        """Add a trial that waits.

        Args:
            trial: Its name, each once.
            seed: Its seed: trials of different seeds share nothing.
            schedule: What it follows; of an adaptive policy, its forecast.
        """
        self._order[trial] = len(self._order)
        self.waiting += 1
        leaf, split = self.tree.insert(trial, seed, schedule)
        if split is not None:
            self._adopt(split)
        if leaf.state is State.DONE:
            heapq.heappush(self._copies, (self._order[trial], trial, leaf))
        else:
            self._open(leaf)

    def _adopt(self, split: Node) -> None:
        """A node that was put into a stage takes over what was known of the stage."""
        child = next(iter(split.children.values()))
        if split.state is State.READY:
            child.state = State.BLOCKED
            self._push(split)
        elif split.state is State.CLAIMED:
            course = next(course for course in self._courses.values() if child in course.nodes)
            if course.epoch >= split.epoch:
                split.state = State.DONE
            else:
                course.nodes.insert(course.nodes.index(child), split)

    def _open(self, node: Node) -> None:
        """Make the stage that a new trial waits for ready, where the one before it is done.

        Where another trial waits behind the same node, that one has seen to it already.
        """
        while node.state is State.BLOCKED:
            assert node.parent is not None
            if node.parent.state is State.DONE:
                node.state = State.READY
            elif node.parent.waiting > 1:
                return
            else:
                node = node.parent
        if node.state is State.READY:
            self._push(node)

    def next(self) -> Start | None:
        """The trial to start now, or None where all that wait are held back."""
        while self._copies:
            _, trial, node = heapq.heappop(self._copies)
            if trial not in self._given:
                return self._give(trial, node, [])
        while self._ready:
            stage = heapq.heappop(self._ready)[-1]
            if stage.state is State.READY and stage.waiting:
                nodes = _longest(stage)
                for node in nodes:
                    node.state = State.CLAIMED
                trial = min((t for t in nodes[-1].trials if t not in self._given), key=self._order.__getitem__)
                return self._give(trial, stage, nodes)
        return None

    def _give(self, trial: Trial, stage: Node, nodes: list[Node]) -> Start:
        leaf = nodes[-1] if nodes else stage
        for node in leaf.above():
            node.waiting -= 1
        self.waiting -= 1
        self._given.add(trial)
        self._courses[trial] = _Course(nodes)
        branches = tuple(node.epoch for node, after in pairwise(nodes) if _parts(node, after))
        ends = tuple(node.epoch for node in nodes if any(t not in self._given for t in node.trials))
        source, epoch = self._begins_from.get(trial, (None, 0))
        return Start(trial, source, epoch if nodes else leaf.epoch, branches, ends)

    def reached(self, trial: Trial, epoch: int) -> None:
        """A trial that was given out has completed that many epochs and stored what its `Start` asked for."""
        course = self._courses.get(trial)
        if course is None:
            return
        course.epoch = epoch
        while course.nodes and course.nodes[0].epoch <= epoch:
            self._release(trial, course.nodes.pop(0))

    def _release(self, trial: Trial, node: Node) -> None:
        node.state = State.DONE
        for child in node.children.values():
            if child.state is State.BLOCKED and child.waiting:
                child.state = State.READY
                self._source_of(child, (trial, node.epoch))
                self._push(child)
        for other in node.trials:
            if other not in self._given:
                heapq.heappush(self._copies, (self._order[other], other, node))

    def _source_of(self, stage: Node, source: tuple[Trial, int]) -> None:
        for node in stage.below():
            for other in node.trials:
                if other not in self._given:
                    self.began(other)
                    self._begins_from[other] = source
                    self._needs.setdefault(source, set()).add(other)

    def left(self, trial: Trial) -> None:
        """A trial has left its path where it stands: what it has not reached is given to others."""
        course = self._courses.pop(trial, None)
        if course is None or not course.nodes:
            return
        for node in course.nodes:
            node.state = State.BLOCKED
        course.nodes[0].state = State.READY
        self._push(course.nodes[0])

    def began(self, trial: Trial) -> None:
        """A trial no longer needs the state that it begins from: it has loaded it, or ended."""
        source = self._begins_from.pop(trial, None)
        if source is None:
            return
        self._needs[source].discard(trial)
        if not self._needs[source]:
            del self._needs[source]
            self.freed.append(source)

    def _push(self, stage: Node) -> None:
        assert stage.parent is not None
        remaining = stage.height - stage.parent.epoch
        heapq.heappush(self._ready, (-remaining, -stage.waiting, next(self._tickets), stage))


def _longest(stage: Node) -> list[Node]:
    """The nodes from a stage along the longest path that a waiting trial follows."""
    nodes = [stage]
    while open_ := [child for child in nodes[-1].children.values() if child.waiting and child.state is State.BLOCKED]:
        nodes.append(max(open_, key=lambda child: (child.height, child.waiting)))
    return nodes


def _parts(node: Node, after: Node) -> bool:
    return any(child.waiting for child in node.children.values() if child is not after)
