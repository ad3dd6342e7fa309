"""The parser of ``tune-regimes``: every command, its arguments and its help. Nothing heavy is imported here."""

from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, RawDescriptionHelpFormatter, _ArgumentGroup
from collections.abc import Callable
from typing import NoReturn

from tune_regimes import __version__
from tune_regimes.cli import arguments
from tune_regimes.cli.locate_arguments import add_locate
from tune_regimes.errors import UsageError

_EPILOG = """
A study's folder (PATH) is <storage>/<study>, a local path or an address such as s3://bucket/studies/name.

  tune-regimes studies                                   what can be run
  tune-regimes run two_regimes.transition_epoch          the smallest scale, on embedded data, in under a minute
  tune-regimes report studies/two_regimes.transition_epoch-smoke
  tune-regimes run my_module:my_study                    a Study of your own, or a function that returns one

Exit status: 0 done, 1 a trial or a check failed, 2 a mistake in what was asked, 130 interrupted (and resumable).
"""


class Parser(ArgumentParser):
    """A parser whose errors are mistakes of the user like all others: one message, no usage text."""

    def error(self, message: str) -> NoReturn:
        """Raise the mistake; `main` prints it."""
        raise UsageError(f"{message}; see '{self.prog} --help'")


def make_parser() -> Parser:
    """The parser of the whole command line.

    Each command leaves ``command``, ``"module:function"`` below this package, in the namespace.

    Examples:
        >>> make_parser().parse_args(["best", "studies/a", "-n", "3"]).command
        'reading:best'
    """
    parser = Parser(
        prog="tune-regimes",
        description="Search the training schedules of neural networks on Ray Tune.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tune-regimes {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)

    def command(name: str, address: str, summary: str, *, json: bool = True) -> ArgumentParser:
        made = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        made.set_defaults(command=address)
        if json:
            made.add_argument("--json", action="store_true", help="print one JSON document on standard output")
        return made

    command("studies", "catalogue:studies", "list the studies that can be run by name")
    for add in (_add_run, _add_plan, _add_status, _add_resume, _add_show, _add_best, _add_diff, _add_fork):
        add(command)
    for add in (_add_report, _add_theory, add_locate, _add_export, _add_doctor):
        add(command)
    return parser


_Command = Callable[..., ArgumentParser]


def _add_run(command: _Command) -> None:
    parser = command("run", "running:run", "run a study, or go on where it was left")
    _add_study(parser)
    group = _add_how(parser)
    _add_max_concurrent(group, "all fit")
    _add_storage(group)


def _add_plan(command: _Command) -> None:
    parser = command("plan", "planning:plan", "say what a study will train and store, before anything runs")
    _add_study(parser)
    group = parser.add_argument_group("where and how hard it would run")
    _add_max_concurrent(group, "as many as this machine holds")
    group.add_argument("--cpus-per-trial", type=arguments.amount(), metavar="N", help="CPUs and threads of a trial (1)")
    _add_states(group)
    _add_storage(group)
    group = parser.add_argument_group("what to say")
    group.add_argument("--no-build", dest="build", action="store_false", help="leave out how large a state is")
    group.add_argument("--all", action="store_true", help="every trial in the list of who trains what")


def _add_study(parser: ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY", help="a name that 'studies' lists, or module:attribute of your own")
    group = parser.add_argument_group("the study (its own defaults hold for what is left out)")
    group.add_argument("--scale", help="smoke (seconds), replica (minutes to an hour on a CPU) or paper (as printed)")
    group.add_argument("--data", metavar="FOLDER", help="where the data set lies")
    group.add_argument("--model", help="another model on the same data, as in resnet18, or a task, as in mnist/mlp")
    group.add_argument("--augment", action=BooleanOptionalAction, default=None, help="random crops and flips")
    group.add_argument("--epochs", type=arguments.count, help="epochs of every schedule")
    group.add_argument("--samples", type=arguments.count, help="points drawn in each cell of the space's grid")
    group.add_argument("--seeds", type=arguments.seeds, help="seeds of each point: how many (3), or which (0,4,7)")
    group.add_argument("--scheduler", help="what stops trials early: fifo (nothing), asha, regime_asha or hyperband")
    group.add_argument("--searcher", help="where points come from: random, grid or optuna")
    group.add_argument("--cost", choices=("epochs",), help="what optuna keeps small beside the metric")
    group.add_argument("--name", help="name of the study's folder")
    probe = "what looks at each training, as in curvature:every=5,batches=25; again for a further one"
    group.add_argument("--probe", dest="probes", action="append", metavar="PROBE", help=probe)


def _add_resume(command: _Command) -> None:
    parser = command("resume", "running:resume", "go on with a study that was interrupted")
    _add_path(parser)
    _add_moved_data(parser)
    _add_max_concurrent(_add_how(parser), "all fit")


def _add_how(parser: ArgumentParser) -> _ArgumentGroup:
    time = arguments.duration
    group = parser.add_argument_group("where and how hard to run")
    group.add_argument("--cpus-per-trial", type=arguments.amount(), metavar="N", help="CPUs and threads of a trial (1)")
    group.add_argument("--gpus-per-trial", type=arguments.amount(), metavar="N", help="GPUs of a trial, or a share (0)")
    group.add_argument("--address", help="address of a running Ray cluster, or auto (default: start one here)")
    group.add_argument("--time-budget", type=time, metavar="TIME", help="stop resumably after 90, 30m or 2h")
    group.add_argument("--save-every", type=time, metavar="TIME", help="time between stored states (30)")
    group.add_argument("--quiet", action="store_true", help="show no progress")
    alone = "train every trial on its own"
    group.add_argument("--no-share", dest="share", action="store_false", default=None, help=alone)
    group.add_argument("--store", metavar="PLACE", help="folder or address of states that studies share")
    _add_states(group)
    return group


def _add_states(group: _ArgumentGroup) -> None:
    """Options that bound what is stored; ``none`` is a quota, so one that is not given leaves no trace."""
    group.add_argument("--quota", type=arguments.size, metavar="SIZE", default=SUPPRESS, help="room for states: 20GB")
    group.add_argument("--keep-every", type=arguments.count, metavar="N", help="epochs between states kept for later")


def _add_max_concurrent(group: _ArgumentGroup, default: str) -> None:
    what = f"trials at once (default: {default})"
    group.add_argument("--max-concurrent", type=arguments.count, metavar="N", help=what)


def _add_storage(group: _ArgumentGroup) -> None:
    group.add_argument("--storage", default="studies", help="folder or address that holds studies (default: ./studies)")


def _add_status(command: _Command) -> None:
    _add_path(command("status", "reading:status", "count a study's trials by state, also while it runs"))


def _add_show(command: _Command) -> None:
    parser = command("show", "reading:show", "show one trial: its config, schedule and history")
    _add_path(parser)
    parser.add_argument("trial", metavar="TRIAL", help="its id, as in 00007-s2")
    parser.add_argument("--all", action="store_true", help="every epoch of a long history")


def _add_best(command: _Command) -> None:
    parser = command("best", "reading:best", "list the best points with mean, interval and n")
    _add_path(parser)
    parser.add_argument("-n", type=arguments.count, default=5, metavar="N", help="how many (default: 5)")


def _add_diff(command: _Command) -> None:
    parser = command("diff", "comparing:diff", "say where two trials part, what they share and how they ended")
    _add_path(parser)
    parser.add_argument("first", metavar="A", help="id of a trial, as in 00007-s2")
    parser.add_argument("second", metavar="B", help="id of another one")


def _add_fork(command: _Command) -> None:
    parser = command("fork", "forking:fork", "continue a trial that has ended from any of its epochs with another tail")
    _add_path(parser)
    parser.add_argument("trial", metavar="TRIAL", help="its id, as in 00007-s2")
    parser.add_argument("--at", type=int, required=True, metavar="EPOCH", help="how many epochs stay as they are")
    tail = "a phase that follows, as in lr=1e-3,momentum=0.99,epochs=20; again for a further one"
    parser.add_argument("--tail", type=arguments.phase, action="append", required=True, metavar="PHASE", help=tail)
    _add_moved_data(parser)
    _add_how(parser)


def _add_report(command: _Command) -> None:
    parser = command("report", "reporting:report", "draw the figures of a study and judge its claims")
    _add_path(parser)
    parser.add_argument("--output", metavar="DIR", help="folder of the report (default: PATH/report)")
    others = "a study on another task or of its family, for claims about several; again for a further one"
    parser.add_argument("--with", dest="others", action="append", default=[], metavar="PATH", help=others)


def _add_theory(command: _Command) -> None:
    parser = command(
        "theory", "theory:theory", "list the toy experiments of the papers, or run one and judge its claims"
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="the experiment; all are listed without")
    parser.add_argument("--output", metavar="DIR", help="folder of the report (default: theory/NAME)")


def _add_export(command: _Command) -> None:
    parser = command("export", "reporting:export", "write trials, epochs and points as one file each")
    _add_path(parser)
    parser.add_argument("directory", metavar="DIR", help="folder or address to write to")
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet", help="default: parquet")
    parser.add_argument("--overwrite", action="store_true", help="replace the files of an earlier export")


def _add_doctor(command: _Command) -> None:
    parser = command("doctor", "doctor:doctor", "check the installation, the devices, the storage and the data")
    parser.add_argument("--storage", default="studies", help="folder or address to check (default: ./studies)")
    parser.add_argument("--task", help="task whose data to check, as in cifar10/simple_cnn")
    parser.add_argument("--data", metavar="FOLDER", help="where its data lie")


def _add_moved_data(parser: ArgumentParser) -> None:
    parser.add_argument("--data", metavar="FOLDER", help="where the data set lies now, if it has moved")


def _add_path(parser: ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="the study's folder: <storage>/<study>")
