"""docs/cli.md and the parser tell the same."""

import argparse
import re
from pathlib import Path

from tune_regimes.cli.parser import make_parser

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def commands():
    (found,) = (action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return found.choices


def options():
    """Every long option of every command."""
    actions = (action for parser in commands().values() for action in parser._actions)
    return {option for action in actions for option in action.option_strings if option.startswith("--")} - {"--help"}


def test_every_command_and_option_is_documented():
    assert [name for name in commands() if name not in DOCS] == []
    assert [option for option in options() if f"`{option}" not in DOCS and f"[{option}" not in DOCS] == []


def test_no_option_is_documented_that_there_is_not():
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", DOCS)) <= options()
