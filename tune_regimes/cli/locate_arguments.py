"""The arguments of ``locate``."""

from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Callable

from tune_regimes.cli import arguments


def add_locate(command: Callable[..., ArgumentParser]) -> None:
    """Add the command to a parser's commands."""
    parser = command(
        "locate", "locating:locate", "find the two regimes of a task, and write the search space around them"
    )
    named = "as in cifar10/resnet20, or module:name of one that a module of your own registers"
    parser.add_argument("task", metavar="TASK", help=named)
    group = parser.add_argument_group("the task")
    group.add_argument("--data", metavar="FOLDER", help="where the data set lies")
    group.add_argument("--augment", action=BooleanOptionalAction, default=None, help="random crops and flips")
    other = "any other option of the task, as in train_size=2000 or width=0.25; again for a further one"
    group.add_argument("--option", type=arguments.assignment, action="append", metavar="NAME=VALUE", help=other)
    _add_search(parser)
    _add_where(parser)


def _add_search(parser: ArgumentParser) -> None:
    number = arguments.amount()
    group = parser.add_argument_group("the search")
    group.add_argument("--momentum", type=number, nargs="+", metavar="MU", help="momenta, each by itself (0 0.9)")
    group.add_argument("--epochs", type=arguments.count, metavar="N", help="epochs of a run after its warm-up (8)")
    group.add_argument("--seeds", type=arguments.seeds, help="seeds of each step size: how many (2), or which (0,4,7)")
    group.add_argument("--warm-up", type=arguments.whole, metavar="N", help="epochs of the common warm-up (1)")
    group.add_argument("--weight-decay", type=number, metavar="X", help="weight decay throughout (1e-4)")
    group.add_argument("--lowest", type=number, metavar="STEP", help="step size lr / (1 - MU) to begin at (0.001)")
    group.add_argument("--highest", type=number, metavar="STEP", help="step size to end at if nothing diverges (100)")


def _add_where(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("where and how hard to run")
    group.add_argument("--output", metavar="DIR", help="folder of runs, report and search space (default: locate/TASK)")
    group.add_argument("--store", metavar="PLACE", help="folder or address of states that studies share")
    group.add_argument("--device", choices=("cpu", "cuda"), help="where to train (cpu)")
    group.add_argument("--threads", type=arguments.count, metavar="N", help="CPU threads (1)")
    group.add_argument("--quiet", action="store_true", help="show no progress")
