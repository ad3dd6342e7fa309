"""Where the stages of a stage tree are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.stage_tree import Stage


@dataclass(frozen=True)
class Layout:
    """The rows of one tree, counted downwards from 0: one for each branch, a stage that no other follows.

    Args:
        rows: The row of each stage, earlier stages first. A trunk has that of the stage that goes on in its phase, or
            the middle of those that follow where none does.
        height: Number of rows.
    """

    rows: Mapping[Stage, float]
    height: int

    @property
    def branches(self) -> list[Stage]:
        """The stages that no other follows."""
        return [stage for stage in self.rows if not stage.children]

    @property
    def trunks(self) -> list[Stage]:
        """The stages that others follow, but for the one of no epochs with which the tree begins."""
        return [stage for stage in self.rows if stage.children and stage.end]

    @property
    def joints(self) -> list[tuple[int, float, float]]:
        """Epoch, upper and lower row of every place where stages part."""
        found = []
        for stage in self.rows:
            every = [self.rows[stage], *(self.rows[child] for child in stage.children.values())]
            if min(every) < max(every):
                found.append((stage.end, min(every), max(every)))
        return found


def lay_out(root: Stage, merits: Mapping[str, float]) -> Layout:
    """Give every stage of a tree its row, so that no line crosses another.

    What parts first lies uppermost and the trunk below it; of those that part at one epoch, the best is uppermost.

    Args:
        root: The tree.
        merits: How good the trials are by id, the larger the better; those without lie below them.
    """
    order = _sorted(root, merits)
    branches = [stage for stage in order if not stage.children]
    rows: dict[Stage, float] = {branch: float(row) for row, branch in enumerate(branches)}
    for stage in reversed(order):
        if stage.children:
            followers = list(stage.children.values())
            every = [rows[child] for child in followers]
            kept = [rows[child] for child in followers if stage.end and _goes_on(child)]
            rows[stage] = max(kept, default=(min(every) + max(every)) / 2)
    return Layout({stage: rows[stage] for stage in order}, len(branches))


def _sorted(root: Stage, merits: Mapping[str, float]) -> list[Stage]:
    """All stages, earlier ones first, in the order of their rows."""
    best: dict[Stage, float] = {}
    for stage in reversed(list(root.below())):
        own = (merits.get(trial, -np.inf) for trial in stage.trials)
        best[stage] = max((*own, *(best[child] for child in stage.children.values())))
    order, stack = [], [root]
    while stack:
        order.append(stack.pop())
        children = order[-1].children.values()
        stack.extend(sorted(children, key=lambda child: (_goes_on(child), -best[child]), reverse=True))
    return order


def _goes_on(stage: Stage) -> bool:
    """Whether the stage begins without a phase."""
    return stage.start not in stage.transitions
