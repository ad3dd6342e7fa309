"""A report: verdicts, figures and what a reader needs to place them, written as Markdown and PNG files."""

import abc
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from analysis.tables import status_counts
from analysis.verdicts import Verdict
from tune_regimes.errors import StudyError
from tune_regimes.storage import Storage

if TYPE_CHECKING:
    from tune_regimes.results import Results


@dataclass(frozen=True)
class Plate:
    """A figure with the name of its file (without ".png") and a caption in Markdown."""

    name: str
    figure: Figure
    caption: str


class Document(abc.ABC):
    """Verdicts and figures, with what a reader needs to place them.

    Attributes:
        verdicts: One per claim.
        plates: The figures, the most important first.
        sections: Further text by heading: lines of a list, or Markdown in one string.
    """

    verdicts: tuple[Verdict, ...]
    plates: tuple[Plate, ...]
    sections: Mapping[str, Sequence[str]]

    @abc.abstractmethod
    def head(self) -> list[str]:
        """What stands above the verdicts, paragraph by paragraph: the title first."""

    @property
    def figures(self) -> dict[str, Figure]:
        """The figures by name."""
        return {plate.name: plate.figure for plate in self.plates}

    def lines(self) -> list[str]:
        """The verdicts in plain text, one line each."""
        return [verdict.line() for verdict in self.verdicts]

    def markdown(self) -> str:
        """The whole report but for the pictures, to which it links by name."""
        parts = self.head()
        if self.verdicts:
            parts += ["## Verdicts", _verdicts(self.verdicts)]
        for heading, lines in self.sections.items():
            parts += [f"## {heading}", lines if isinstance(lines, str) else bullets(lines)]
        parts += ["## Figures"] if self.plates else []
        for plate in self.plates:
            parts += [f"![{plate.name}]({plate.name}.png)", plate.caption]
        return "\n\n".join(parts) + "\n"

    def write(self, directory: "str | os.PathLike[str] | Storage") -> list[str]:
        """Write ``report.md`` and a PNG per figure.

        Args:
            directory: Where to, a path or an address; what an earlier report wrote there is replaced.

        Returns:
            The paths of the files.

        Raises:
            StorageError: They cannot be written.
        """
        target = Storage(directory)
        contents = {"report.md": self.markdown().encode()}
        contents |= {f"{plate.name}.png": _png(plate.figure) for plate in self.plates}
        for name, data in contents.items():
            target.write(name, data)
        return [target.path(name) if target.is_local else str(target.child(name)) for name in contents]


@dataclass(frozen=True)
class Report(Document):
    """What an analysis says about a study.

    Args:
        results: The study.
        verdicts: One per claim; none for a study of the user's own.
        plates: The figures, the most important first.
        sections: Further text in Markdown by heading, such as where the regimes lie.
    """

    results: "Results"
    verdicts: tuple[Verdict, ...] = ()
    plates: tuple[Plate, ...] = ()
    sections: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def head(self) -> list[str]:
        """The study's name, where its results come from, and the best schedule."""
        return [f"# {self.results.spec['name']}", self.origin(), "## Best schedule", self.best()]

    def origin(self) -> str:
        """Where the results come from, as a list in Markdown."""
        return bullets([f"{name}: {text}" for name, text in provenance(self.results).items()])

    def best(self) -> str:
        """The best schedule, in Markdown."""
        return best_schedule(self.results)


def provenance(results: "Results") -> dict[str, str]:
    """Where results come from: command, task, counts, time, versions and host, each in words."""
    spec, trials = results.spec, results.trials
    counts = ", ".join(f"{count} {status}" for status, count in status_counts(trials).items()) or "none yet"
    seconds = float(trials["train_seconds"].sum()) if "train_seconds" in trials else 0.0
    words = {
        "Command": f"`{command(spec)}`" if spec.get("origin") else "",
        "Task": _task(spec.get("task") or {}),
        "Trials": f"{counts}; {trials['point'].nunique()} points with {results.seeds} seeds each",
        "Training time": f"{seconds / 60:.1f} minutes, summed over trials" if seconds else "",
        "Started": str(spec.get("created") or ""),
        "Host": inline(spec.get("host") or ""),
        "Versions": inline(spec.get("versions") or ""),
    }
    return {name: text for name, text in words.items() if text}


def command(spec: Mapping[str, Any]) -> str:
    """The command that runs a study again, from the origin in its ``study.json``.

    Of an absolute path it has the last part: where a file or data lie says nothing of the study.

    Examples:
        >>> command({"origin": {"study": "two_regimes.lr_momentum", "scale": "smoke", "options": {"seeds": [0, 4]}}})
        'tune-regimes run two_regimes.lr_momentum --scale smoke --seeds 0,4'
    """
    origin = spec["origin"]
    words = ["tune-regimes", "run", _unplaced(origin["study"])]
    words += ["--scale", origin["scale"]] if origin.get("scale") else []
    for name, value in {**origin.get("options", {}), **origin.get("changes", {})}.items():
        words += _flag(name.replace("_", "-"), value)
    return " ".join(words)


def best_schedule(results: "Results") -> str:
    """The best point with its interval and the phases of its schedule as a Markdown table, or why there is none."""
    try:
        best = results.best()
    except StudyError as error:
        return f"None: {error}."
    interval = f" (95 % interval {best.low:.4g} to {best.high:.4g})" if best.low == best.low else ""
    config = ", ".join(f"`{name}` = {_value(value)}" for name, value in best.config.items())
    metric = f"{results.metric.replace('_', ' ')} {best.mean:.4g}{interval}, n = {best.n} seeds"
    columns = ("name", "epochs", "optimizer", "lr", "momentum", "weight_decay", "momentum_rule")
    phases = enumerate(best.schedule.forecast().to_dict()["phases"], start=1)
    rows = [[str(number), *(_value(phase.get(column)) for column in columns)] for number, phase in phases]
    adapts = "\n\nAn adaptive policy: observations change these settings." if best.schedule.adaptive else ""
    return f"{metric}; point {best.point}: {config}\n\n" + markdown_table(["phase", *columns], rows) + adapts


def bullets(lines: Iterable[str]) -> str:
    """A list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    rows = [[v.claim, v.statement, f"**{v.verdict}**", v.measured, v.counted, v.note] for v in verdicts]
    table = markdown_table(["claim", "statement", "verdict", "measured", "n", "note"], rows)
    tests = bullets([f"{verdict.claim}: {verdict.test}" for verdict in verdicts])
    rule = "Brackets hold 90 % intervals. Undecided: the data show neither the claim nor its contrary. The tests:"
    return f"{table}\n\n{rule}\n\n{tests}"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def _task(task: Mapping[str, Any]) -> str:
    options = {name: value for name, value in task.get("options", {}).items() if value is not None and name != "data"}
    return f"{task.get('name', '')} ({inline(options)})" if task else ""


def inline(value: Any) -> str:
    """A text, or names and values in one line; of an absolute path its last part."""
    if isinstance(value, str):
        return value
    return ", ".join(f"{name} {_value(_unplaced(item))}" for name, item in value.items())


def _value(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", ",".join(map(str, value)) if isinstance(value, list | tuple) else str(_unplaced(value))]


def _unplaced(value: Any) -> Any:
    """An absolute path without the folders that it lies in; anything else as it is."""
    return os.path.basename(os.path.normpath(value)) if isinstance(value, str) and os.path.isabs(value) else value


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)
