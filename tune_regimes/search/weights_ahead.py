"""Where a training will be, before it is followed under the eyes of a probe that looks ahead."""

from tune_regimes.search.job import TrialSpec
from tune_regimes.search.trial_states import TrialStates
from tune_regimes.search.workplace import Workplace
from tune_regimes.sharing.course import Course, has_diverged
from tune_regimes.sharing.store import Epoch
from tune_regimes.training import Trajectory
from tune_regimes.training.moment import NOTHING_AHEAD, Ahead, Vectors
from tune_regimes.training.observables import copies_like


def weights_ahead(place: Workplace, spec: TrialSpec) -> Ahead:
    """Train a trial's schedule, unwatched, and return its weights after the epochs that its probes need beforehand.

    A training is a pure function of its settings, so the watched one has the same weights bit for bit. What the store
    holds of unwatched trainings with the same beginning is taken over, and where this one ends is left there.

    Args:
        place: The process that works on the trial.
        spec: The trial.

    Returns:
        Copies on the trial's device, as large as the weights for each epoch; none where no probe asks for any, or where
        the training diverges before the last of them.

    Raises:
        UsageError: As `Trajectory.advance`.
    """
    wanted = place.epochs_ahead(spec)
    if not wanted:
        return NOTHING_AHEAD
    plain = place.unwatched
    states, course, trajectory = TrialStates(plain, spec), plain.course(spec), plain.trajectory(spec.seed)
    root, history = course.key, states.inherited(course)[: wanted[0]]
    states.restore(trajectory, root, history)
    history = history[: trajectory.epoch]
    for epoch in history:
        course = course.after(epoch.record)
    inherited, found = len(history), dict[int, Vectors]()
    parameters = dict(trajectory.model.named_parameters())
    while not trajectory.diverged:
        if trajectory.epoch in wanted:
            found[trajectory.epoch] = copies_like(parameters, parameters)
        if trajectory.epoch == wanted[-1]:
            break
        course = _advance(trajectory, course, history, plain.job.study, spec.trial_id)
    if plain.job.share and len(history) > inherited:
        states.publish(root, history, None if trajectory.diverged else trajectory, pinned=False)
    return NOTHING_AHEAD if trajectory.diverged else found


def _advance(trajectory: Trajectory, course: Course, history: list[Epoch], study: str, trial: str) -> Course:
    """Train one epoch, enter it in the history, and return the course after it."""
    record = trajectory.advance(course.settings)
    history.append(Epoch(course.next_key, record, study, trial))
    return course if has_diverged(record) else course.after(record)
