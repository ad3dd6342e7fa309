"""The reference of the tables, made from the schema: ``python -m tune_regimes.results.reference > docs/results.md``."""

from collections.abc import Iterable, Sequence

from tune_regimes.results.schema import EPOCHS, MEASUREMENTS, POINTS, SCHEMA_VERSION, SPECTRA, STATUSES, TRIALS, Column

_TEXT = """\
# Results: files, tables and columns

<!-- Made by `python -m tune_regimes.results.reference > docs/results.md`; a test holds the two in step. -->

A study lives in one folder, `<storage>/<study>/`, on a local disk or at any address that pyarrow can open (`s3://`,
`gs://`, `abfs://`, `hdfs://`):

| path | content |
|---|---|
| `study.json` | what the study is: its name, task, space, seeds, metric, scheduler, searcher, versions, host |
| `trials/<trial_id>.parquet` | one row: the trial, its configuration and schedule, how it ended, its final metrics |
| `epochs/<trial_id>.parquet` | the complete history of the trial, one row per epoch |
| `measurements/<trial_id>.parquet` | where probes look: one row per look, within an epoch too (`docs/probes.md`) |
| `spectra/<trial_id>.parquet` | where probes give lists, such as eigenvalues: one row per number |
| `optuna.journal` | of a TPE search: Optuna's own study, for its dashboard and its plots (see below) |
| `states/` | what trials inherit and resumed ones start from; not for reading (`docs/sharing.md`) |

- There is exactly one row per (`trial_id`, `epoch`), always. A trial owns its files and rewrites them whole; a file
  appears complete or not at all. A study may be read while it runs, and no row is lost or doubled by a kill, a retry
  or a resume.
- Files whose names begin with a dot are writes in progress, or what is left of one that was killed. Readers of
  Parquet folders skip them.
- Schema version: {version}. It stands in `study.json`, in the column `schema_version` of `trials`, and in the
  metadata of every Parquet file. It rises when a column changes its name, type, unit or meaning; a new column alone
  does not raise it. Unit and meaning of a column are in the metadata of its Arrow field too.

## Reading

With this package, lazily:

```python
from tune_regimes import Results

results = Results.load("~/studies/vgg-transition")     # or an address, as in s3://bucket/studies/vgg-transition
results.trials, results.epochs, results.points         # pandas DataFrames
results.measurements, results.spectra                  # what probes saw
results.best().schedule                                # the winning schedule
results.export("tables", format="csv")                 # trials.csv, epochs.csv, points.csv
```

With no code of ours:

```python
import pandas as pd
import polars
import pyarrow.dataset as ds

epochs = pd.read_parquet("studies/vgg-transition/epochs")
epochs = ds.dataset("studies/vgg-transition/epochs").to_table(filter=ds.field("epoch") == 60)
epochs = polars.read_parquet("studies/vgg-transition/epochs/*.parquet")
```

```sql
-- DuckDB
SELECT * FROM read_parquet('studies/vgg-transition/trials/*.parquet', union_by_name = true);
```

pandas, pyarrow and Polars take the columns of a folder from its first file. Where trials differ in their columns
(a space with conditions, a metric that some lack), use `Results` or DuckDB's `union_by_name`: a column that a trial
lacks is null in its rows.

## trials: one row per trial

{trials}

`status` is one of:

{statuses}

## epochs: one row per trial and epoch

{epochs}

An epoch whose loss is not finite ends its trial as `diverged` and keeps its row: `train_loss` as it was measured (inf
or nan), the test metrics null.

`steps`, `weight_norm` and `angular_velocity` are observed in every epoch, whatever its schedule: adaptive schedules
react to them, and figures can be drawn from them. They are no metrics and have no `final_` and `best_` columns. The
displacement of an epoch goes from the weights before its first step (those of the average, where one is adopted) to
those after its last; an angle to or from a displacement of zero is 90 degrees.

## measurements and spectra: what probes saw

Only where a study has probes. A column of a probe in `epochs` is that of the last look in the epoch, null where it did
not look or found no number; `measurements` holds every look, `spectra` every list.

{measurements}

and the columns of the probes, as in `epochs`.

{spectra}

## points: one row per configuration

`Results.points`, and `points.parquet` or `points.csv` of an export. Trials that share a configuration and differ in
their seed are one point.

{points}

- `mean`, `low` and `high` are of the final value of the study's metric. Only completed and pruned trials with a
  finite value count; diverged, failed and running ones are counted in columns of their own and do not enter the mean.
  A pruned trial's final value is that of the epoch at which it was stopped.
- The interval is Student's t, mean +- t(n - 1) s / sqrt(n) at 95 %. It needs two seeds that count.
- `Results.ranking()` lists the points with a value, best first, and `Results.best()` is its first: points whose seeds
  all completed come before those whose seeds all ended without diverging or failing (some were pruned), and these
  before the rest. Among points that ended alike the mean decides; of equal means, the lower point number.
- A forked trial is a point of its own, of the one seed of its trial: in a study of several seeds it is not whole.
  `Results.forks` are the rows of forked trials, `Results.without_forks()` is the study without them.
- `Results.pareto()` lists the points that no other beats in both the metric and the epochs that it cost, fewest epochs
  first, with the further column `epochs`. Only points all of whose seeds completed are compared.

## optuna.journal: a TPE search as Optuna sees it

```python
import optuna
from optuna.storages.journal import JournalFileBackend

storage = optuna.storages.JournalStorage(JournalFileBackend("studies/vgg-transition/optuna.journal"))
study = optuna.load_study(study_name="vgg-transition", storage=storage)        # also while the search runs
optuna.visualization.plot_optimization_history(study)
```

and `optuna-dashboard studies/vgg-transition/optuna.journal`. A study at an address has a copy that is renewed twice a
minute and at the end; download it first.

One trial of Optuna's is one point, whatever its number of seeds, and ends as its worst seed does:

| seeds | Optuna's trial | value |
|---|---|---|
| all completed | COMPLETE | mean of the metric over the seeds |
| one was pruned | PRUNED | the last intermediate value |
| one diverged | FAIL | none; COMPLETE with the value of `Study(diverged=...)` where that is a number |
| one failed | FAIL | none; a resumed study tries again, as another trial of the same point |

- Intermediate values are means of the metric over the seeds that have been through an epoch; the step is the epoch,
  from 1. An epoch that one of them passed without a report has none: where nothing is pruned, reports are gathered.
- User attributes: `point`, `trials` (their ids), `schedule` (in words), and at the end `outcome` (completed, pruned,
  diverged, failed, interrupted) and `epochs` (mean over the seeds).
- No trial stays RUNNING. When a run ends, the trials of unfinished points are told FAIL with the outcome
  `interrupted`; those that a killed run left are told FAIL by the next one. Their points keep number and configuration
  and are entered again, as new trials.
- Explicit points are trials too. One outside the space has no parameters, and its configuration as the attribute
  `config`.
- With `Study(cost="epochs")` there are two objectives: the metric, and the mean number of epochs of the schedule that
  the seeds went through. Epochs that a trial inherited count like those that it trained. Optuna knows no intermediate
  values there: the curve is the attribute `curve`, and a pruned trial has no value. `study.best_trials` are the points
  of `Results.pareto()`.
- The tables are what counts: a journal that is deleted is rebuilt from them by the next run.

## Further columns

| table | columns | meaning |
|---|---|---|
| trials, points | `config.<setting>` | one per setting of the configuration; nested ones joined with dots |
| trials, points | `config.fork.trial` | of a forked trial, the one that it goes on from; null for all others |
| trials, points | `config.fork.epoch` | how many epochs it has in common with it |
| trials, points | `config.fork.tail` | the phases that follow, as `tune-regimes fork --tail` takes them |
| trials | `final_<name>`, `best_<name>` | one pair for every further column of epochs that measures a metric |
| epochs | `train_<metric>`, `test_<metric>` | every other metric of the task |
| epochs, measurements | columns of probes | what was measured along the way (`docs/probes.md`) |
| epochs | `probe_seconds` | time that the probes took in the epoch; it is not part of `seconds` |

Their types follow from the values, by one rule for all files, so that the files of a study read as one table:

| values | type |
|---|---|
| numbers, whole or not | double (exact for whole numbers up to 2^53) |
| truth values | bool |
| text | string |
| lists and anything else | string, as JSON |
| null throughout | double |

A setting that is a number in some trials and text in others is a number in some files and text in others: `Results`
reads it as text, other readers may refuse it. The column `config` always holds the whole configuration with its exact
types.

## Exports

`Results.export(directory, format)` writes `trials`, `epochs` and `points` as one file each, and `measurements` and
`spectra` where there are any; every file whole or not at all. It refuses to replace files unless `overwrite=True`. In
CSV, null is an empty field and a value that is not a number is `nan` or `inf`.
"""


def reference() -> str:
    """The text of ``docs/results.md``."""
    return _TEXT.format(
        version=SCHEMA_VERSION,
        trials=_columns(TRIALS),
        epochs=_columns(EPOCHS),
        points=_columns(POINTS),
        measurements=_columns(MEASUREMENTS),
        spectra=_columns(SPECTRA),
        statuses=_table(("status", "meaning"), ((f"`{name}`", meaning) for name, meaning in STATUSES.items())),
    )


def _columns(columns: Sequence[Column]) -> str:
    rows = ((f"`{c.name}`", c.type, c.unit, "no" if c.required else "yes", c.meaning) for c in columns)
    return _table(("column", "type", "unit", "null", "meaning"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines).replace("|  |", "| |")


if __name__ == "__main__":
    print(reference(), end="")
