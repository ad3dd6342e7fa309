"""What a worker reports of a mistake that every trial would repeat."""

from tune_regimes.errors import DataError
from tune_regimes.search.job import Job
from tune_regimes.search.regime_asha import RegimeASHA
from tune_regimes.search.trainable import ScheduleTrainable
from tune_regimes.tasks import task


def fatal_report():
    worker = ScheduleTrainable.__new__(ScheduleTrainable)
    worker._job = Job(study="s", task=task("digits/mlp"), storage="s", metric="test_accuracy", mode="max")
    worker._run, worker._mistake = None, DataError("no data")
    return worker.step()


def test_a_mistake_is_reported_with_its_class_and_message_and_ends_the_trial():
    report = fatal_report()
    assert (report["status"], report["error"], report["reason"]) == ("fatal", "DataError", "no data")
    assert report["done"]


def test_a_scheduler_that_compares_progress_can_read_the_report_of_a_mistake():
    scheduler = RegimeASHA(metric="test_accuracy", mode="max")
    assert scheduler._read(fatal_report()) is not None
