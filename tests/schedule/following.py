"""Following a policy without a network: what it tells, and what its averages make of scripted weights."""

import math


def angles_record(angle):
    """The record of an epoch that turned by so many degrees."""
    return {"train_loss": 1.0, "steps": 5.0, "weight_norm": 1.0, "angular_velocity": angle}


def followed(policy, records):
    """The states before each epoch, and after the last."""
    states = [policy.start()]
    for record in records:
        states.append(policy.observe(states[-1], record))
    return states


def told(policy, records, steps_per_epoch=5):
    """What every epoch is told, one more than there are records."""
    return [policy.settings(state, steps_per_epoch) for state in followed(policy, records)]


class Weights:
    """A scalar weight that moves as scripted, and the running average as settings tell it to be kept."""

    def __init__(self, value=0.0):
        self.value, self.mean, self.collected = value, math.nan, 0.0

    def train(self, settings, step):
        """One epoch: average, adopt, then move by a step."""
        if settings.average is not None:
            keep, weight = settings.average
            kept = keep * self.collected
            self.collected = kept + weight
            before = self.mean if kept else 0.0
            self.mean = before + weight / self.collected * (self.value - before)
        if settings.adopt:
            self.value, self.collected = settings.adopt * self.mean, 0.0
        self.value += step
