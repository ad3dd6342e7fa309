# One virtual environment holds everything; VENV and PYTHON may be set from outside (VENV=~/envs/tune make test).
PYTHON ?= python3
VENV ?= .venv
STORAGE ?= studies
# Test processes at once; those on Ray share two of them, which wait more than they work.
JOBS ?= 3
BIN := $(VENV)/bin
# The environment is made once for each content of these two files; the project itself is linked into it, so that a clone sees its own code.
INSTALLED := $(VENV)/.dependencies
LINKED := .make/linked

.PHONY: help install search test lint types unit docs notebook clean

help:
	@echo 'make search   run the main job on the embedded data set: a search over transition epochs'
	@echo 'make test     lint, types, tests and doctests'
	@echo 'make install  the environment alone, in $(VENV)'

install: $(LINKED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Python 3.11 to 3.13 is needed; got " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	$(BIN)/python .ci/dependencies.py > $(VENV)/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r $(VENV)/requirements.txt
	touch $@

$(LINKED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@mkdir -p $(@D) && touch $@

search: $(LINKED)
	$(BIN)/tune-regimes run two_regimes.transition_epoch --scale smoke --storage $(STORAGE)
	$(BIN)/tune-regimes report $(STORAGE)/two_regimes.transition_epoch-smoke

test: lint types unit

lint: $(LINKED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(LINKED)
	$(BIN)/mypy

# The tests start dozens of processes: they read what the first has compiled, whatever the environment says of bytecode.
# What they write may lie in memory (tests/conftest.py): of tests that pass nothing stays there.
unit: export PYTHONDONTWRITEBYTECODE :=
unit: $(LINKED)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --no-loadscope-reorder --override-ini tmp_path_retention_policy=failed

clean:
	rm -rf .make .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
