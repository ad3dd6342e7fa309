"""How probes are named and written down."""

import json

import pytest

from tune_regimes.errors import UsageError
from tune_regimes.probes import PROBES, When, as_probes, parse_probe, probe_class, probe_from_dict


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_comes_back_from_its_specification(name: str) -> None:
    probe = probe_class(name)(when=When(every=3, steps=7))
    assert probe_from_dict(json.loads(json.dumps(probe.to_dict()))) == probe


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_documents_columns_of_its_own(name: str) -> None:
    columns = probe_class(name)().columns()
    assert len({column.name for column in columns}) == len(columns)
    assert all(column.meaning for column in columns)


def test_the_notation_of_the_command_line_names_options() -> None:
    probe = parse_probe("curvature:every=2,steps=10,batches=30")
    assert probe.when == When(every=2, steps=10)
    assert probe.to_dict()["batches"] == 30
    assert parse_probe("norms:at=1+5").when == When(at=(1, 5))
    assert as_probes(["norms", probe]) == (probe_class("norms")(), probe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hessian", "a probe must be one of curvature, momentum, norms, predictions, weights; got 'hessian'"),
        ("norms:often=2", "options of probe norms are every, at, steps.*; got often"),
        ("norms:every", "must be written name:option=value"),
        ("norms:every=0", "must be whole numbers from 1"),
        ("norms:every=x", "must be whole numbers from 1"),
    ],
)
def test_a_probe_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_probe(text)
