"""What the settings of an epoch say at the step that was made last."""

from tune_regimes.schedule import PerStep, at_step
from tune_regimes.training.moment import Moment


def applied(value: PerStep, moment: Moment) -> float:
    """The value that the last step was made with: one of several where a ramp gives each step its own.

    Args:
        value: A setting of the epoch, such as ``moment.settings.lr``.
        moment: Where the training stands, after a step.
    """
    return at_step(value, max(moment.step - 1, 0) * moment.settings.batches_per_step)
