"""The entry point of ``tune-regimes``: parse, call the command, turn every way it can end into an exit status."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from tune_regimes.cli.parser import make_parser
from tune_regimes.errors import UsageError

DONE = 0
FAILED = 1
MISTAKE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments; those of the process unless given.

    Returns:
        The exit status: 0 done, 1 a trial or a check failed, 2 a mistake of the user (its message alone goes to
        standard error), 130 interrupted, 141 the reader of the output has gone.
    """
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(f"tune-regimes: error: {error}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("tune-regimes: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered would fail again when Python closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = make_parser().parse_args(argv)
    except SystemExit as asked:
        return int(asked.code or 0)
    module, _, function = args.command.partition(":")
    status: int = getattr(import_module(f"tune_regimes.cli.{module}"), function)(args)
    return status


if __name__ == "__main__":
    sys.exit(main())
