"""Studies of the papers: a space, a schedule, a task, its scales and the claims it tests; one module per paper."""

from search_spaces.catalogue import OPTIONS, Scale, StudyEntry, find_study, studies

__all__ = ["OPTIONS", "Scale", "StudyEntry", "find_study", "studies"]
