import pytest

from analysis.verdicts import Verdict, verdict_table


def test_a_verdict_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="holds, does not hold, undecided; got 'true'"):
        Verdict("P0-18", "", "true", "")


def test_the_table_has_one_row_per_verdict() -> None:
    verdicts = [Verdict("P0-18", "same", "holds", "TOST", {"difference": 0.1}, {"TOST": 0.01}, {"points": 4}, "a note")]
    expected = ["P0-18", "same", "holds", "TOST", "difference 0.1; p(TOST) 0.01", "points 4", "a note"]
    assert verdict_table(verdicts).iloc[0].tolist() == expected
