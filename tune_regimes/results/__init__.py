"""What a study leaves behind: its storage, the versioned Parquet tables, and reading them back.

Needs pyarrow, and pandas once a table is read as a DataFrame; neither torch nor ray.
"""

from tune_regimes.results.difference import Difference, Parting, difference
from tune_regimes.results.forks import fork_config, is_fork
from tune_regimes.results.results import Best, Results
from tune_regimes.results.schema import (
    ENDED,
    EPOCHS,
    SCHEMA_VERSION,
    STATUSES,
    TRIALS,
    Column,
    arrow_schema,
    config_columns,
)
from tune_regimes.results.spec import read_spec, write_spec
from tune_regimes.results.summary import Interval, student_interval
from tune_regimes.results.tables import (
    observations,
    read_epoch_rows,
    read_epochs,
    read_table,
    read_trial,
    read_trials,
    write_epochs,
    write_readings,
    write_trial,
)
from tune_regimes.storage import Storage

__all__ = [
    "ENDED",
    "EPOCHS",
    "SCHEMA_VERSION",
    "STATUSES",
    "TRIALS",
    "Best",
    "Column",
    "Difference",
    "Interval",
    "Parting",
    "Results",
    "Storage",
    "arrow_schema",
    "config_columns",
    "difference",
    "fork_config",
    "is_fork",
    "observations",
    "read_epoch_rows",
    "read_epochs",
    "read_spec",
    "read_table",
    "read_trial",
    "read_trials",
    "student_interval",
    "write_epochs",
    "write_readings",
    "write_spec",
    "write_trial",
]
