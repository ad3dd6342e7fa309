"""The stage tree: the schedules of many trials, merged where they begin alike.

A node is an epoch at which trials part or end; the edge above it is a stage, a stretch of epochs that all trials below
it share. So the epochs of all edges together are the epochs that have to be trained. (Stage trees: Hippo, VLDB 2022.)
"""

from collections.abc import Hashable, Iterator
from dataclasses import replace
from enum import Enum

from tune_regimes.schedule import Schedule, Settings

# Ramps are compared at this many steps an epoch, whatever the task has: the keys of the worker decide what is loaded,
# the tree only what is expected.
STEPS = 7
_UNKNOWN = -1


class State(Enum):
    """How far a stage is, from the point of view of those who would train it."""

    BLOCKED = "the stage before it has not been trained"
    READY = "it can be trained now"
    CLAIMED = "a trial is to train it"
    DONE = "it has been trained"


class Path:
    """The epochs of one schedule as tokens: equal tokens of one `StageTree` mean equal settings.

    A constant phase has two tokens at most; those of a ramp are made when they are asked for.

    Args:
        schedule: The schedule.
        tokens: The token of each settings so far; new ones are entered.
    """

    __slots__ = ("_known", "_schedule", "_tokens", "epochs")

    def __init__(self, schedule: Schedule, tokens: dict[Settings, int]) -> None:
        self._schedule, self._known, self.epochs = schedule, tokens, schedule.epochs
        self._tokens = [_UNKNOWN] * self.epochs
        for start, phase in zip((0, *schedule.transitions), schedule.phases, strict=True):
            if phase.constant:
                end = start + phase.length
                self._tokens[start] = self._resolved(start)
                self._tokens[start + 1 : end] = [self._resolved(min(start + 1, end - 1))] * (end - start - 1)

    @property
    def schedule(self) -> Schedule:
        """The schedule."""
        return self._schedule

    def token(self, epoch: int) -> int:
        """The token of an epoch, from 0."""
        token = self._tokens[epoch]
        if token == _UNKNOWN:
            token = self._tokens[epoch] = self._resolved(epoch)
        return token

    def _resolved(self, epoch: int) -> int:
        settings = self._schedule.settings(epoch, STEPS)
        # Of more batches than are compared here, every number would be the full batch.
        group = self._schedule.phases[self._schedule.phase_of(epoch)[0]].batches_per_step
        unlike = settings if group <= STEPS else replace(settings, batches_per_step=group)
        return self._known.setdefault(unlike, len(self._known))

    def agrees_until(self, other: "Path", start: int, end: int) -> int:
        """The first epoch from ``start`` on at which the two differ, ``end`` where they do not."""
        mine = self._tokens[start:end]
        if mine == other._tokens[start:end] and _UNKNOWN not in mine:
            return end
        epoch = start
        while epoch < end and self.token(epoch) == other.token(epoch):
            epoch = max(epoch + 1, min(end, self._alike_until(other, epoch)))
        return epoch

    def _alike_until(self, other: "Path", epoch: int) -> int:
        """The end of a phase that both are in at the same place, 0 where there is none."""
        (mine, at), (theirs, there) = self._schedule.phase_of(epoch), other._schedule.phase_of(epoch)
        same = at == there and self._schedule.phases[mine] == other._schedule.phases[theirs]
        return epoch - at + self._schedule.phases[mine].length if same else 0


class Node:
    """An epoch at which trials part or end, with the stage that leads to it.

    Attributes:
        epoch: Epochs from the start to here.
        parent: Where the stage begins; None for the root.
        path: A schedule that leads through the stage.
        children: The stages that begin here, by the token of their first epoch.
        trials: Trials whose schedule ends here.
        height: Epoch at which the longest schedule below ends.
        waiting: Trials here and below that have not been given out.
        state: How far the stage is.
    """

    __slots__ = ("children", "epoch", "height", "parent", "path", "state", "trials", "waiting")

    def __init__(self, epoch: int, parent: "Node | None", path: Path | None) -> None:
        self.epoch, self.parent, self.path = epoch, parent, path
        self.children: dict[int, Node] = {}
        self.trials: list[Hashable] = []
        self.height, self.waiting = epoch, 0
        self.state = State.BLOCKED

    def meet(self, end: int) -> None:
        """Count one more waiting trial here or below, whose schedule ends at that epoch."""
        self.waiting += 1
        self.height = max(self.height, end)

    @property
    def length(self) -> int:
        """Epochs of the stage."""
        return self.epoch - self.parent.epoch if self.parent is not None else 0

    def below(self) -> Iterator["Node"]:
        """This node and all that follow, parents first."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children.values()))

    def above(self) -> Iterator["Node"]:
        """This node and all before it, to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent


class StageTree:
    """The stage trees of a study: one for each seed, since trials of different seeds share nothing.

    Examples:
        >>> from tune_regimes.schedule import Phase
        >>> tree = StageTree()
        >>> for name, transition in (("a", 2), ("b", 4), ("c", 4)):
        ...     phases = (Phase(lr=0.1, epochs=transition), Phase(lr=0.01, epochs=6 - transition))
        ...     _ = tree.insert(name, 0, Schedule(phases))
        >>> tree.asked, tree.distinct
        (18, 10)
    """

    def __init__(self) -> None:
        self.roots: dict[Hashable, Node] = {}
        self.asked = 0
        self._tokens: dict[Settings, int] = {}

    @property
    def distinct(self) -> int:
        """Epochs that have to be trained: the distinct prefixes of all schedules."""
        return sum(node.length for root in self.roots.values() for node in root.below())

    def insert(self, trial: Hashable, seed: Hashable, schedule: Schedule) -> tuple[Node, Node | None]:
        """Add a trial.

        Args:
            trial: Its name.
            seed: Its seed.
            schedule: What it follows, or is expected to.

        Returns:
            The node at which the trial ends, and the node that was put into a stage to make room for it, or None.
        """
        path = Path(schedule, self._tokens)
        self.asked += path.epochs
        node, split = self._root(seed), None
        node.meet(path.epochs)
        while node.epoch < path.epochs:
            token = path.token(node.epoch)
            child = node.children.get(token)
            if child is None:
                child = node.children[token] = Node(path.epochs, node, path)
            elif (parting := _parting(path, child)) < child.epoch:
                child = split = _split(child, parting)
            child.meet(path.epochs)
            node = child
        node.trials.append(trial)
        return node, split

    def _root(self, seed: Hashable) -> Node:
        if seed not in self.roots:
            self.roots[seed] = Node(0, None, None)
            self.roots[seed].state = State.DONE
        return self.roots[seed]


def _parting(path: Path, child: Node) -> int:
    """The epoch of a stage at which a path leaves it; its first epoch is known to be the path's."""
    assert child.parent is not None
    assert child.path is not None
    start, end = child.parent.epoch + 1, min(child.epoch, path.epochs)
    return path.agrees_until(child.path, start, end) if start < end else end


def _split(child: Node, epoch: int) -> Node:
    """Put a node into the stage that leads to a node; what waits below the one waits below the other."""
    assert child.parent is not None
    assert child.path is not None
    parent = child.parent
    middle = Node(epoch, parent, child.path)
    middle.height, middle.waiting, middle.state = child.height, child.waiting, child.state
    parent.children[child.path.token(parent.epoch)] = middle
    middle.children[child.path.token(epoch)] = child
    child.parent = middle
    return middle
