"""These tests have an environment and a target of their own: ``make test-distributed``."""

from __future__ import annotations

from importlib.util import find_spec

# `make test` runs where neither is installed.
collect_ignore_glob = [] if find_spec("celery") and find_spec("psycopg2") else ["*.py"]
