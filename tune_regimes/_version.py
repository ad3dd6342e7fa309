"""The package's version, alone in a module so that a build can read it without importing anything else."""

VERSION = "0.1.0"
