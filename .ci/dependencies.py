"""Print the requirements that pyproject.toml declares, the development ones included, one a line."""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
lists = [project["dependencies"], *extras.values()]
print("\n".join(line for part in lists for line in part if not line.startswith(project["name"])))
