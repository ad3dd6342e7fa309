"""docs/locate.md tells what the code does."""

import re
from inspect import signature
from pathlib import Path

import tune_regimes as tr
from tune_regimes.results.regimes import FALLING, LEARNED
from tune_regimes.search.two_phase_study import EPOCHS, FILE

DOCS = (Path(__file__).parents[2] / "docs" / "locate.md").read_text()
COMMANDS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def test_the_criteria_are_those_of_the_code():
    assert f"not below {LEARNED:.0%}".replace("%", " %") in DOCS
    assert f"at least {FALLING:.0%}".replace("%", " %") in DOCS


def test_the_file_and_its_function_are_named_as_they_are():
    assert f"| `{FILE}` | the search space: `study(epochs={EPOCHS})`" in DOCS


def test_the_defaults_on_the_command_line_are_those_of_the_function():
    section = COMMANDS.partition("## locate")[2].partition("\n## ")[0]
    defaults = {name: parameter.default for name, parameter in signature(tr.locate).parameters.items()}
    assert float(re.search(r"factor of (\d\.\d)", DOCS)[1]) == defaults["resolution"]
    for option, name in {"--epochs N": "epochs", "--seeds N": "seeds", "--warm-up N": "warm_up"}.items():
        assert re.search(rf"`{option}` \|.*; {defaults[name]} \|", section), option
    assert float(re.search(r"weight decay throughout; ([\de.-]+) ", section)[1]) == defaults["weight_decay"]
    found = re.search(r"if nothing diverges; ([\d.]+) and ([\d.]+) ", section)
    assert (float(found[1]), float(found[2])) == (defaults["lowest"], defaults["highest"])
