"""``python -m tune_regimes`` is ``tune-regimes``, where the command is not on the path."""

import sys

from tune_regimes.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
