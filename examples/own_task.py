"""A task of your own: two spirals to be told apart, registered in a dozen lines and trained for two epochs.

Run it with ``python examples/own_task.py``. With a folder (``python examples/own_task.py studies``), it also searches
the transition epoch of a two-phase schedule on the task: because the task is registered by its name, a study takes it
as it takes a built-in one.
"""

import math
import sys

import torch
from torch import nn

import tune_regimes as tr


@tr.register_task("spirals")
def spirals(points: int = 400, turns: float = 0.75, hidden: int = 64) -> tr.Task:
    """Points of two interleaved spirals with a little noise, and a small network."""

    def split(seed: int) -> tr.Split:
        noise = 0.03 * torch.randn(points, 2, generator=torch.Generator().manual_seed(seed))
        arm, radius = torch.arange(points) % 2, torch.linspace(0.1, 1.0, points)
        angle = 2 * math.pi * turns * radius + math.pi * arm
        return tr.Split(radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1) + noise, arm)

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 2)
        )

    return tr.Task(model, tr.Data(split(0), split(1), num_classes=2), batch_size=20)


def schedule(config: dict[str, int]) -> tr.Schedule:
    """Ten epochs: a large step first, a small one after the transition."""
    return tr.two_phase(
        epochs=10,
        transition_epoch=config["transition_epoch"],
        large=tr.Phase(lr=0.5),
        small=tr.Phase(lr=0.05, momentum=0.9),
    )


def train() -> list[dict[str, float]]:
    """Two epochs of one schedule, without a study."""
    trajectory = tr.Trajectory(tr.task("spirals", points=200).build(), seed=0)
    ten_epochs = schedule({"transition_epoch": 5})
    return [trajectory.advance(ten_epochs.settings(epoch, trajectory.steps_per_epoch)) for epoch in range(2)]


def search(storage: str) -> tr.Results:
    """A study of every other transition epoch, two seeds each."""
    from ray import tune

    study = tr.Study(
        name="spirals",
        task=tr.task("spirals"),
        schedule=schedule,
        space={"transition_epoch": tune.grid_search([2, 4, 6, 8])},
        seeds=2,
    )
    return study.run(storage)


if __name__ == "__main__":
    for epoch, record in enumerate(train(), start=1):
        print(f"epoch {epoch}: test accuracy {record['test_accuracy']:.3f}, test loss {record['test_loss']:.3f}")
    for storage in sys.argv[1:]:
        best = search(storage).best()
        interval = f"[{best.low:.3f}, {best.high:.3f}]"
        print(f"best: {best.config}, test accuracy {best.mean:.3f} {interval} over {best.n} seeds")
