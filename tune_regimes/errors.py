"""Mistakes that a user can mend: each message states the invariant, the value received and the remedy.

The command line prints only the message and exits with status 2. Everything else that is raised is a defect of ours.
"""


class UsageError(ValueError):
    """Base of every error whose remedy is in the user's hands."""


class ScheduleError(UsageError):
    """A schedule, phase, ramp or setting that cannot be applied."""


class TaskError(UsageError):
    """An unknown task, model or option, or a task that cannot be built where it is needed."""


class DataError(UsageError):
    """A data set that is missing, incomplete or damaged."""


class StorageError(UsageError):
    """A storage location that cannot be read or written."""


class StudyError(UsageError):
    """A study that cannot be started, resumed or read as asked."""


class ResourceError(UsageError):
    """More CPUs or GPUs asked for than the cluster has."""


class TheoryError(UsageError):
    """A closed form or toy model asked for outside the range in which it holds."""
