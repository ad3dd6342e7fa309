"""What goes to standard output reads well in a terminal and in a file."""

import json
import math

import numpy as np

from tune_regimes.cli import output


def test_a_table_lines_up_and_has_no_trailing_blanks(capsys):
    output.table({"point": "right", "name": "left"}, [["1", "a"], ["10", "b [bold]"]])
    assert capsys.readouterr().out.splitlines() == ["point  name", "    1  a", "   10  b [bold]"]


def test_a_long_line_is_not_broken_where_the_output_is_no_terminal(capsys):
    output.pairs([("path", "/very/long" * 30)])
    output.line("x" * 500, "bold")
    assert [len(line) for line in capsys.readouterr().out.splitlines()] == [8 + 300, 500]


def test_pairs_line_up_under_each_other(capsys):
    output.pairs([("a", "1"), ("long name", "2")])
    assert capsys.readouterr().out.splitlines() == ["  a          1", "  long name  2"]


def test_a_document_is_json_whatever_it_is_made_of(capsys):
    output.document({"n": np.int64(3), "nan": math.nan, "inf": np.float64("inf"), "list": (True, None, "a")})
    assert json.loads(capsys.readouterr().out) == {"n": 3, "nan": None, "inf": None, "list": [True, None, "a"]}
