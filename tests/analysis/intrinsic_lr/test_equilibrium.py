from collections.abc import Callable, Mapping
from typing import Any

import pytest

from analysis.intrinsic_lr.effective_lr import courses
from analysis.intrinsic_lr.equilibrium import claims, meeting, on_other_tasks
from analysis.verdicts import Verdict
from search_spaces.intrinsic_lr_points import equilibrium_schedule
from search_spaces.intrinsic_lr_rates import SMOKE

EPOCHS = 66
POINTS = [({"schedule": n}, equilibrium_schedule({"schedule": n}, rates=SMOKE, epochs=EPOCHS)) for n in "12345"]


def verdicts(tables: Any, **options: Any) -> dict[str, Verdict]:
    return {verdict.claim: verdict for verdict in claims(*tables, **options)}


def late(config: Mapping[str, Any], epoch: int) -> float:
    """An effect on schedule 4 from the meeting on."""
    return 0.15 * (config["schedule"] == "4" and epoch > 30)


def tuned(config: Mapping[str, Any], epoch: int) -> float:
    """An effect on schedule 4 after the fine-tuning has begun."""
    return 0.15 * (config["schedule"] == "4" and epoch > 60)


def test_schedules_that_meet_are_found_to_meet(simulated: Callable) -> None:
    found = verdicts(simulated(POINTS))
    assert {claim: verdict.verdict for claim, verdict in found.items()} == dict.fromkeys(
        ["P4-09", "P4-09b", "P4-09c", "P4-01"], "holds"
    )
    assert found["P4-09"].n == dict.fromkeys("12345", 3)
    assert found["P4-09"].statistics["spread before"] > 10 * found["P4-09"].statistics["spread after"]
    assert found["P4-09"].statistics["common steps x intrinsic lr"] == pytest.approx(30 * 25 * 5e-3)


def test_the_meeting_is_the_last_stretch_with_equal_settings_and_weight_decay(simulated: Callable) -> None:
    assert meeting(courses(*simulated(POINTS))) == (31, 60)


@pytest.mark.parametrize(
    ("effect", "refuted"),
    [({"norm": late}, {"P4-09"}), ({"accuracy": late}, {"P4-09b", "P4-09c"}), ({"accuracy": tuned}, {"P4-09c"})],
)
def test_a_schedule_that_stays_apart_refutes_its_part_and_the_whole(
    simulated: Callable, effect: Mapping[str, Any], refuted: set[str]
) -> None:
    found = verdicts(simulated(POINTS, **effect))
    assert {claim for claim, verdict in found.items() if verdict.verdict == "does not hold"} == refuted | {"P4-01"}


def test_too_much_noise_is_undecided(simulated: Callable) -> None:
    found = verdicts(simulated(POINTS, noise=0.3))
    assert {verdict.verdict for verdict in found.values()} == {"undecided"}


def test_schedules_that_never_differed_have_nothing_to_meet(simulated: Callable) -> None:
    def corrected(config: Mapping[str, Any], epoch: int) -> float:
        return 0.0

    tables = simulated(POINTS, norm=corrected, speed=1e6)
    tables[1]["weight_norm"] = tables[1]["lr"] ** 0.5
    verdict = verdicts(tables)["P4-09"]
    assert verdict.verdict == "undecided"
    assert "nothing to meet" in verdict.note


def test_runs_that_had_no_time_to_meet_refute_nothing(simulated: Callable) -> None:
    epochs = 11
    points = [({"schedule": n}, equilibrium_schedule({"schedule": n}, rates=SMOKE, epochs=epochs)) for n in "12345"]
    found = verdicts(simulated(points))
    assert {verdict.verdict for verdict in found.values()} <= {"undecided", "holds"}
    assert found["P4-09"].verdict == "undecided"
    assert "lasts only 0.63 times" in found["P4-09"].note


def test_one_schedule_alone_is_undecided(simulated: Callable) -> None:
    assert {verdict.verdict for verdict in verdicts(simulated(POINTS[:1])).values()} == {"undecided"}


def test_tables_without_norms_leave_the_norm_undecided_and_judge_accuracy(simulated: Callable) -> None:
    trials, epochs = simulated(POINTS)
    found = verdicts((trials, epochs.drop(columns="weight_norm")))
    assert (found["P4-09"].verdict, found["P4-09b"].verdict) == ("undecided", "holds")


def test_no_completed_run_is_undecided(simulated: Callable) -> None:
    trials, epochs = simulated(POINTS)
    found = verdicts((trials.assign(status="diverged"), epochs))
    assert {verdict.verdict for verdict in found.values()} == {"undecided"}


def test_other_networks_and_data_sets_are_told_apart() -> None:
    own, other = (Verdict("P4-01", "", verdict, "") for verdict in ("holds", "does not hold"))
    network, data = on_other_tasks({"cifar10/a": own, "cifar10/b": own, "cifar100/a": other})
    assert (network.claim, network.verdict) == ("P4-34", "holds")
    assert (data.claim, data.verdict) == ("P4-35", "does not hold")
    assert {each.verdict for each in on_other_tasks({"cifar10/a": own})} == {"undecided"}
