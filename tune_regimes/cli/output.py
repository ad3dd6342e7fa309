"""What goes to standard output: lines, tables and JSON documents, readable in a terminal and in a file."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_UNBROKEN = 2000
"""Columns of output that is no terminal: nothing is wrapped there."""

Row = Sequence[str]


def line(text: str = "", style: str = "", *, stream: TextIO | None = None) -> None:
    """Print one line, in colour where the output is a terminal.

    Args:
        text: The line, taken literally.
        style: Style of rich, such as "bold" or "red".
        stream: Where to; standard output unless given.
    """
    if not style:
        print(text, file=stream or sys.stdout)
        return
    from rich.text import Text

    _show(Text(text, style=style), stream or sys.stdout, soft_wrap=True)


def table(columns: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Print rows under their headings.

    Args:
        columns: Justification of each column, "left" or "right", by its heading.
        rows: The cells.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for heading, justify in columns.items():
        made.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold")
    for row in rows:
        made.add_row(*map(Text, row))
    _show(made, sys.stdout)


def pairs(rows: Sequence[tuple[str, str]], style: str = "dim", width: int = 0) -> None:
    """Print names and values in two columns, indented; a long value is wrapped under itself in a terminal.

    Args:
        rows: Names and values.
        style: Style of the names.
        width: Least width of the names, so that calls one after the other line up.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style=style, no_wrap=True, min_width=width)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(f"  {name}", Text(value))
    _show(made, sys.stdout)


def document(content: Any) -> None:
    """Print one JSON document; what JSON cannot hold (nan, inf) is null."""
    print(json.dumps(plain(content), indent=2))


def plain(value: Any) -> Any:
    """A value as JSON holds it: scalars of numpy as numbers, no number that is not finite.

    Examples:
        >>> plain({"best": float("nan"), "n": (1, 2)})
        {'best': None, 'n': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if hasattr(value, "item"):
        return plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def console(stream: TextIO) -> "Console":
    """A console of rich that prints text literally and breaks no line unless the stream is a terminal."""
    from rich.console import Console

    width = None if stream.isatty() else _UNBROKEN
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def _show(renderable: "RenderableType", stream: TextIO, *, soft_wrap: bool = False) -> None:
    printer = console(stream)
    with printer.capture() as captured:
        printer.print(renderable, soft_wrap=soft_wrap)
    stream.writelines(f"{text.rstrip()}\n" for text in captured.get().splitlines())
