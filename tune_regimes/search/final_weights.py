"""Where a schedule ends, before it is followed under the eyes of a probe that measures the way from there."""

from collections.abc import Mapping

from torch import Tensor

from tune_regimes.search.job import TrialSpec
from tune_regimes.search.trial_states import TrialStates
from tune_regimes.search.workplace import Workplace
from tune_regimes.sharing.course import has_diverged
from tune_regimes.sharing.store import Epoch


def final_weights(place: Workplace, spec: TrialSpec) -> Mapping[str, Tensor] | None:
    """Train a trial's schedule to its end, unwatched, and return the weights.

    A training is a pure function of its settings, so the watched one ends at the same weights bit for bit. What the
    store holds of unwatched trainings with the same beginning is taken over, and the end is left there.

    Args:
        place: The process that works on the trial.
        spec: The trial.

    Returns:
        Copies by name of parameter, on the trial's device; None where it diverges.

    Raises:
        UsageError: As `Trajectory.advance`.
    """
    plain = place.unwatched
    states, course, trajectory = TrialStates(plain, spec), plain.course(spec), plain.trajectory(spec.seed)
    root, history = course.key, states.inherited(course)
    states.restore(trajectory, root, history)
    history = history[: trajectory.epoch]
    for epoch in history:
        course = course.after(epoch.record)
    inherited = len(history)
    while not (course.over or trajectory.diverged):
        record = trajectory.advance(course.settings)
        history.append(Epoch(course.next_key, record, plain.job.study, spec.trial_id))
        course = course if has_diverged(record) else course.after(record)
    if plain.job.share and len(history) > inherited:
        states.publish(root, history, None if trajectory.diverged else trajectory, pinned=False)
    if trajectory.diverged:
        return None
    return {name: parameter.detach().clone() for name, parameter in trajectory.model.named_parameters()}
