"""These tests have an environment and a target of their own: ``make test-warehouses``."""

from __future__ import annotations

from importlib.util import find_spec

# `make test` runs where none of the providers is installed.
collect_ignore_glob = [] if find_spec("google") and find_spec("snowflake") and find_spec("moto") else ["*.py"]
