"""Print the requirements that the tests need, one a line: the project's own and those of its extra ``dev``.

Where ``dev`` names other extras of the project, theirs too; an extra that it does not name is left out, and the tests
that need it are skipped.
"""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
extras, own = project["optional-dependencies"], f"{project['name']}["
named = [
    name for line in extras["dev"] if line.startswith(own) for name in line.removeprefix(own).rstrip("]").split(",")
]
lists = [project["dependencies"], extras["dev"], *(extras[name] for name in named)]
print("\n".join(line for part in lists for line in part if not line.startswith(own)))
