"""The floors: who may import whom, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tune_regimes"
FLOORS = ["schedule", "theory", "tasks", "training", "probes", "sharing", "results", "search", "cli"]
# Beside the floors stand the modules that every floor may use.
COMMON = {"tune_regimes", "tune_regimes._version", "tune_regimes.errors", "tune_regimes.storage"}
FORBIDDEN = {
    "schedule": {"torch", "ray", "numpy", "pandas", "pyarrow", "optuna"},
    "sharing": {"torch", "ray"},
    "results": {"torch", "ray"},
    "tasks": {"ray"},
    "training": {"ray"},
}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def floor_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def imported(path):
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module


@pytest.mark.parametrize("path", [p for p in modules() if floor_of(p)], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_own_floor_and_those_below(path):
    floor = floor_of(path)
    assert floor in FLOORS
    below = FLOORS[: FLOORS.index(floor) + 1]
    for name in imported(path):
        if name.startswith("tune_regimes") and name not in COMMON:
            assert name.split(".")[1] in below, f"{path.name} on floor {floor} imports {name}"
        assert name.split(".")[0] not in FORBIDDEN.get(floor, set()), f"{path.name} on floor {floor} imports {name}"


def test_only_search_and_the_command_line_import_ray():
    users = {floor_of(path) for path in modules() if any(name.split(".")[0] == "ray" for name in imported(path))}
    assert users <= {"search", "cli"}


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


HEAVY = (
    "('torch', 'ray', 'pandas', 'pyarrow', 'optuna', 'matplotlib', 'rich', 'torchvision', 'sklearn', 'scipy', 'numpy')"
)


def test_importing_the_package_and_building_a_schedule_loads_nothing_heavy():
    loaded = run_python(
        "import sys, tune_regimes as tr\n"
        "tr.two_phase(epochs=3, transition_epoch=1, large=tr.Phase(lr=0.1), small=tr.Phase(lr=0.01))\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_naming_a_task_loads_neither_torch_nor_ray():
    code = "import sys, tune_regimes as tr; tr.task('digits/mlp'); print('torch' in sys.modules, 'ray' in sys.modules)"
    assert run_python(code).strip() == "False False"


def test_the_help_of_the_command_line_loads_nothing_heavy():
    code = (
        "import sys\nfrom tune_regimes.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr.strip() == "[]"


def test_the_floors_below_search_work_where_ray_is_not_installed():
    code = """
import sys
class NoRay:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ray", "optuna"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoRay())
import pkgutil, importlib, tune_regimes
for floor in ("schedule", "theory", "tasks", "training", "probes", "sharing", "results"):
    try:
        package = importlib.import_module(f"tune_regimes.{floor}")
    except ModuleNotFoundError as error:
        assert error.name == f"tune_regimes.{floor}", error
        continue
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
import analysis, analysis.two_regimes.reports
task = tune_regimes.task("digits/mlp", train_size=100, test_size=50, batch_size=25).build()
trajectory = tune_regimes.Trajectory(task, seed=0)
plan = tune_regimes.cosine(epochs=2, lr=0.1)
print([sorted(trajectory.advance(plan.settings(e, trajectory.steps_per_epoch))) for e in range(2)][0])
print("compiler loaded:", "torch._dynamo" in sys.modules)
"""
    printed = run_python(code)
    assert "'test_accuracy'" in printed
    assert printed.endswith("compiler loaded: False\n"), "training with SGD imports torch's compiler: two seconds"


def test_the_front_door_offers_what_it_lists():
    import tune_regimes

    for name in tune_regimes.__all__:
        assert getattr(tune_regimes, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tune_regimes.nothing
