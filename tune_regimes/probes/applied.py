"""The step that was made last: where it lies in the epoch, what it was made of, and what the settings say there."""

from tune_regimes.schedule import PerStep, at_step
from tune_regimes.training.moment import Moment


def batch_index(moment: Moment) -> int:
    """Number, from 0, of the first batch of the step that was made last: values per step are read there."""
    return max(moment.step - 1, 0) * moment.settings.batches_per_step


def batches_in_step(moment: Moment) -> int:
    """Batches whose gradients a step of the training is made of."""
    return min(moment.settings.batches_per_step, moment.steps_per_epoch)


def examples_in_step(moment: Moment) -> int:
    """Examples that a step of the training is made of."""
    return moment.batch_size * batches_in_step(moment)


def applied(value: PerStep, moment: Moment) -> float:
    """The value that the last step was made with: one of several where a ramp gives each step its own.

    Args:
        value: A setting of the epoch, such as ``moment.settings.lr``.
        moment: Where the training stands, after a step.
    """
    return at_step(value, batch_index(moment))
