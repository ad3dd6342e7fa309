"""Reference of the probes, made of their docstrings: ``python -m tune_regimes.probes.reference > docs/probes.md``."""

from dataclasses import fields
from inspect import cleandoc

from tune_regimes.probes.probe import Probe
from tune_regimes.probes.registry import PROBES, probe_class

_TEXT = """\
# Probes: what is measured along the way

<!-- Made by `python -m tune_regimes.probes.reference > docs/probes.md`; a test holds the two in step. -->

A probe looks at a training between two steps and changes nothing in it: with any set of probes, on or off, the records
are the same bit for bit. What it sees lands in the tables of the study.

```python
import tune_regimes as tr
from tune_regimes.probes import When
from tune_regimes.probes.curvature import Curvature

study = tr.Study(..., probes=["norms", Curvature(When(every=5), batches=25)])
results = study.run("studies")
results.epochs[["trial_id", "epoch", "hessian_largest", "covariance_largest"]]
results.measurements                      # every look, within an epoch too
results.spectra                           # eigenvalues and other lists
```

On the command line, for any study:

```
tune-regimes run two_regimes.lr_momentum --probe norms --probe curvature:every=5,batches=25
```

A probe is written `name:option=value,option=value`. When it looks is told by three options of every probe:

| option | meaning |
|---|---|
| `every=5` | after the first epoch and every fifth from there: 1, 6, 11, ... (default: 1, every epoch) |
| `at=1+10+50` | after these epochs instead |
| `steps=20` | in the epochs in which it looks, also after every 20th step |

- **Columns** of an epoch hold the last look in it, null where there was none or no number was found; `measurements` has
  every look, `spectra` every list. `probe_seconds` is the time that the probes took, which is no part of `seconds`.
- **Sharing**: what a probe saw is stored with the state of the training, and inherited with it. So studies share states
  where they have the same probes. A probe that looks ahead (`momentum`, to the end of the schedule, and `weights`,
  to its later looks) makes each training twice, first unwatched, and shares its watched states with no other schedule;
  what is ahead is found by training, which is exact, and no trajectory is kept.
- **Randomness**: what a probe draws comes from the seed, the epoch, the step and its name alone.
- **Memory**: while a probe looks, one copy of weights and buffers is held, to put the model back; what a probe takes
  besides is said below.
- **Where the weights are not finite**, nothing is measured: its columns are null.
- **Cost**: `benchmarks/probes.py`, and its results in `benchmarks/results/probes.md`.

Every training observes `weight_norm` and `angular_velocity` without a probe ([results](results.md)).

{probes}
## A probe of your own

```python
from dataclasses import dataclass
from typing import ClassVar

from tune_regimes.probes import Measured, Probe, ProbeColumn


@dataclass(frozen=True)
class LargestWeight(Probe):
    name: ClassVar[str] = "largest_weight"

    def columns(self):
        return (ProbeColumn("largest_weight", "", "Largest absolute value of all trained parameters"),)

    def measure(self, moment):
        weights = [p.detach().abs().max().item() for p in moment.model.parameters() if p.requires_grad]
        return Measured({{"largest_weight": max(weights)}})


study = tr.Study(..., probes=[LargestWeight()])
```

It is handed a `Moment`: the model, the settings of the epoch, momentum buffers, training examples by number, the test
set. It may run the model, switch its mode or change its weights: all is put back.
"""


def reference() -> str:
    """The text of ``docs/probes.md``."""
    return _TEXT.format(probes="\n".join(_section(probe_class(name)) for name in PROBES))


def cell(text: str) -> str:
    """Text as a cell of a Markdown table."""
    return text.replace("|", "\\|")


def _section(kind: type[Probe]) -> str:
    probe = kind()
    about = cleandoc(kind.__doc__ or "").partition("\n\nArgs:")[0].partition("\n\nRaises:")[0]
    options = [f"`{each.name}={getattr(probe, each.name)}`" for each in fields(probe) if each.name != "when"]
    columns = [f"| `{column.name}` | {column.unit} | {cell(column.meaning)} |" for column in probe.columns()]
    table = ["| column | unit | meaning |", "|---|---|---|", *columns] if columns else []
    listed = f"Options and their defaults: {', '.join(options)}; see `{kind.__module__}`." if options else ""
    parts = [f"## {kind.name}", about, listed, "\n".join(table).replace("|  |", "| |")]
    return "\n\n".join(filter(None, parts)) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
