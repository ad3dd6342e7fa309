"""A stage tree as a table that fits a screen, however large the study is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tune_regimes.cli import formatting
from tune_regimes.cli.output import Row
from tune_regimes.cli.schedules import phase_settings
from tune_regimes.sharing.tree import Node

BRANCHES = 4
"""Branches that are shown of those that part at one epoch."""
SEGMENTS = 8
"""Stages that are shown along one phase, at each end of which something parts."""
LINES = 40
"""Lines that are shown in all."""

COLUMNS = {"epochs": "left", "length": "right", "trials": "right", "settings": "left"}


@dataclass(frozen=True)
class Weight:
    """What is in a part of the tree: stages, trials that end there, and epochs."""

    stages: int = 0
    trials: int = 0
    epochs: int = 0

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(self.stages + other.stages, self.trials + other.trials, self.epochs + other.epochs)

    def __sub__(self, other: "Weight") -> "Weight":
        return Weight(self.stages - other.stages, self.trials - other.trials, self.epochs - other.epochs)


def stage_rows(root: Node) -> list[Row]:
    """The tree below a root, for `COLUMNS`: branches are indented under the stage at whose end they part.

    A stage that goes on in the phase of the one before it stands under it at the same depth. Of many branches, and of
    many stages along one phase, some are shown and the others counted.
    """
    weights = _weights(root)
    shown = list(islice(_Lines(weights).below(root), LINES))
    rest = weights[id(root)] - sum((counted for _, counted in shown), Weight())
    rows = [row for row, _ in shown]
    return rows + ([_elided(0, rest)] if rest.stages else [])


def _weights(root: Node) -> dict[int, Weight]:
    """The weight of every node: of its stage and all below."""
    weights: dict[int, Weight] = {}
    for node in reversed(list(root.below())):
        own = Weight(int(node.parent is not None), len(node.trials), node.length)
        weights[id(node)] = sum((weights[id(child)] for child in node.children.values()), own)
    return weights


class _Lines:
    """The lines of a tree, in order, each with the weight that it stands for."""

    def __init__(self, weights: dict[int, Weight]) -> None:
        self._weights = weights

    def below(self, root: Node) -> Iterator[tuple[Row, Weight]]:
        yield from self._branches(list(root.children.values()), 0)

    def _branches(self, branches: Sequence[Node], depth: int) -> Iterator[tuple[Row, Weight]]:
        ordered = sorted(branches, key=lambda branch: -self._of(branch).trials)
        # One more line would take as much room as the branch that it counts.
        count = BRANCHES if len(ordered) > BRANCHES + 1 else len(ordered)
        for branch in ordered[:count]:
            yield from self._chain(branch, depth)
        if rest := ordered[count:]:
            weight = sum(map(self._of, rest), Weight())
            yield _elided(depth, weight, f"{len(rest)} more branches"), weight

    def _chain(self, first: Node, depth: int) -> Iterator[tuple[Row, Weight]]:
        """A stage, the stages that go on in its phase, and what parts at the end of each."""
        chain = [first]
        while (after := self._goes_on(chain[-1])) is not None:
            chain.append(after)
        kept = len(chain) if len(chain) <= SEGMENTS else SEGMENTS - 2
        for number, node in enumerate(chain):
            if kept <= number < len(chain) - 1:
                if number == kept:
                    weight = self._of(node) - self._of(chain[-1])
                    yield (
                        _elided(depth, weight, f"{len(chain) - 1 - kept} more stages that go on, and what parts there"),
                        weight,
                    )
                continue
            after = chain[number + 1] if number + 1 < len(chain) else None
            row = _row(node, depth, self._of(node).trials, goes_on=number > 0)
            yield row, Weight(1, len(node.trials), node.length)
            yield from self._branches([child for child in node.children.values() if child is not after], depth + 1)

    def _goes_on(self, node: Node) -> Node | None:
        going = [child for child in node.children.values() if _phase(child)[1] > 0]
        return max(going, key=lambda child: self._of(child).trials, default=None)

    def _of(self, node: Node) -> Weight:
        return self._weights[id(node)]


def _phase(node: Node) -> tuple[int, int]:
    """The phase in which the stage to a node begins, and the epoch within it, both from 0."""
    assert node.parent is not None
    assert node.path is not None
    return node.path.schedule.phase_of(node.parent.epoch)


def _row(node: Node, depth: int, trials: int, *, goes_on: bool) -> Row:
    assert node.parent is not None
    epochs = formatting.epoch_range(node.parent.epoch + 1, node.epoch).partition(" ")[2]
    return (f"{_mark(depth, goes_on)}{epochs}", f"{node.length}", f"{trials:,}", _settings(node, goes_on=goes_on))


def _settings(node: Node, *, goes_on: bool) -> str:
    assert node.path is not None
    schedule = node.path.schedule
    first, last = _phase(node)[0], schedule.phase_of(node.epoch - 1)[0]
    texts = ["goes on" if goes_on else phase_settings(schedule.phases[first])]
    texts += [
        f"from {schedule.transitions[index - 1] + 1} on {phase_settings(schedule.phases[index])}"
        for index in range(first + 1, last + 1)
    ]
    return "; ".join(texts)


def _elided(depth: int, weight: Weight, what: str = "") -> Row:
    what = what or f"{formatting.counted(weight.stages, 'more stage')}"
    return (f"{_mark(depth, False)}...", f"{weight.epochs:,}", f"{weight.trials:,}", what)


def _mark(depth: int, goes_on: bool) -> str:
    return "  " * depth + ("" if depth == 0 else "  " if goes_on else "└ ")
