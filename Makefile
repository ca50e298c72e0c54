# Everything that a contributor runs. `make` alone lists it.
#
#   PYTHON=python3.12 make venv      choose the interpreter
#   make pytest AIRFLOW=2.11         test against another line of Airflow: one of constraints/airflow-*.txt

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

# uv trusts the certificates that pip trusts: behind a company's proxy its own list is not enough.
export UV_SYSTEM_CERTS := true

AIRFLOW ?= 3.3
CONSTRAINTS := constraints/airflow-$(AIRFLOW).txt
VENV := .venv$(if $(filter 3.3,$(AIRFLOW)),,-airflow-$(AIRFLOW))
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One more than there are processors, as some tests wait for Airflow; a file goes to one of them, as a whole Airflow may
# serve all of it; tests/conftest.py has the slow ones begin.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST_ARGS ?= -n $(WORKERS) --dist loadfile --no-loadscope-reorder
DOCS_VENV := .venv-docs
DOCS_READY := $(DOCS_VENV)/.ready
BENCH_VENV := .venv-bench
BENCH_READY := $(BENCH_VENV)/.ready
# Microsoft's own Azure Blob server. npm installs it below the checkout.
AZURITE_VERSION := 3.37.0
AZURITE := .azurite/.ready-$(AZURITE_VERSION)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: venv
venv: $(READY) ## make .venv with Airflow, this package and the development tools

# The first interpreter that is new enough and can make a virtual environment. Airflow 2.11 ends at Python 3.12.
# Compiled like what pip installs: with PYTHONDONTWRITEBYTECODE, as in many containers, each process that the tests start
# would else spend half of its time on compiling Airflow.
$(READY): pyproject.toml $(CONSTRAINTS)
	@set -eu; \
	if [ "$(AIRFLOW)" = "2.11" ]; then below=13; else below=99; fi; \
	check="import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, $$below))"; \
	python=; \
	for candidate in "$${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do \
		[ -n "$$candidate" ] || continue; \
		if "$$candidate" -c "$$check" >/dev/null 2>&1; then python=$$candidate; break; fi; \
		if [ "$$candidate" = "$${PYTHON:-}" ]; then \
			echo "PYTHON=$$candidate is not a Python that Airflow $(AIRFLOW) can use (3.11 or newer, with venv and ensurepip)." >&2; \
			exit 1; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "No Python was found that Airflow $(AIRFLOW) can use: 3.11 or newer, with venv and ensurepip" >&2; \
		echo "(on Debian and Ubuntu the package python3-venv). Install one, or run: PYTHON=/path/to/python3 make venv" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version) and Airflow $(AIRFLOW); this takes a minute or two."; \
	rm -rf "$(VENV)"; \
	"$$python" -m venv "$(VENV)"; \
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --constraint "$(CONSTRAINTS)" uv \
		|| echo "uv cannot be installed here."; \
	if [ ! -x "$(BIN)/uv" ] || ! "$(BIN)/uv" pip install --quiet --compile-bytecode --python "$(BIN)/python" \
		--constraint "$(CONSTRAINTS)" --editable '.[dev]'; then \
		echo "Installing with pip, which takes longer."; \
		"$(BIN)/python" -m pip install --quiet --disable-pip-version-check \
			--constraint "$(CONSTRAINTS)" --editable '.[dev]'; \
	fi; \
	touch "$(READY)"

.PHONY: test
test: lint pytest ## run every check: ruff, mypy, the import contracts, the tests

.PHONY: lint
lint: $(READY) ## run the checks that do not run the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: pytest
pytest: $(READY) ## run the tests only (PYTEST_ARGS="-k pages" chooses)
	$(BIN)/pytest $(PYTEST_ARGS)

.PHONY: test-docs
test-docs: $(READY) ## run every code block of the README and the documentation
	$(BIN)/pytest tests/docs $(PYTEST_ARGS)

.PHONY: test-browser
test-browser: $(READY) ## test the web interface of Airflow in Chromium (PICTURES=docs/images keeps what it sees)
	sh scripts/install-test-servers.sh chromium
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint "$(CONSTRAINTS)" --editable '.[browser]'
	PICTURES="$(PICTURES)" $(BIN)/pytest tests/browser

.PHONY: test-stores
test-stores: .venv-stores/.ready azurite ## test on local files, S3 (moto's server) and Azure Blob (Azurite)
	HOTMART_TEST_STORES=local,s3,azure .venv-stores/bin/pytest tests/stores

.PHONY: test-warehouses
test-warehouses: .venv-warehouses/.ready ## test what other providers' operators are given for BigQuery, Redshift, Snowflake, Athena
	.venv-warehouses/bin/pytest tests/warehouses

.PHONY: test-databases
test-databases: .venv-databases/.ready ## test loading into PostgreSQL, MariaDB and SQLite (PICTURES=docs/images keeps the report's picture)
	sh scripts/install-test-servers.sh postgresql mariadb
	PICTURES="$(PICTURES)" .venv-databases/bin/pytest tests/databases

.venv-databases/.ready: pyproject.toml constraints/airflow-3.3.txt constraints/databases.txt | $(READY)
	sh scripts/install-test-servers.sh mariadb
	rm -rf .venv-databases
	$(BIN)/python -m venv .venv-databases
	@set -eu; \
	what="--constraint constraints/airflow-3.3.txt --requirement constraints/databases.txt --editable .[dev]"; \
	if [ ! -x "$(BIN)/uv" ] || ! "$(BIN)/uv" pip install --quiet --python .venv-databases/bin/python $$what; then \
		echo "Installing with pip, which takes longer."; \
		.venv-databases/bin/python -m pip install --quiet --disable-pip-version-check $$what; \
	fi; \
	touch "$@"

.PHONY: test-load
test-load: $(READY) ## test webhooks under load in a whole Airflow; takes some minutes
	$(BIN)/pytest tests/load

.PHONY: test-distributed
test-distributed: .venv-distributed/.ready ## test on two Celery workers with Redis and PostgreSQL, killing one
	sh scripts/install-test-servers.sh redis postgresql
	.venv-distributed/bin/pytest tests/distributed --log-cli-level=INFO

# Environments with what the stores and the executor need. What they are asked for, when the pins are to be renewed:
#   stores       apache-airflow==3.3.2 apache-airflow-providers-amazon[s3fs] apache-airflow-providers-microsoft-azure
#                moto[server,s3] pytest pytest-timeout pytest-xdist
#   distributed  apache-airflow[celery,postgres]==3.3.2 psycopg2-binary pytest pytest-timeout pytest-xdist
#   warehouses   apache-airflow==3.3.2 apache-airflow-providers-amazon[s3fs] apache-airflow-providers-google
#                apache-airflow-providers-snowflake moto[server,s3] "numpy>=2" pytest pytest-timeout
.venv-stores/.ready .venv-distributed/.ready .venv-warehouses/.ready: .venv-%/.ready: constraints/%.txt | $(READY)
	rm -rf .venv-$*
	$(BIN)/python -m venv .venv-$*
	@set -eu; \
	echo "Making .venv-$*; this takes a minute or two."; \
	if [ ! -x "$(BIN)/uv" ] || ! "$(BIN)/uv" pip install --quiet --python ".venv-$*/bin/python" --requirement "$<"; then \
		echo "Installing with pip, which takes longer."; \
		".venv-$*/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$<"; \
	fi; \
	".venv-$*/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	touch "$@"

.PHONY: azurite
azurite:
	@if [ -e "$(AZURITE)" ]; then :; elif command -v npm >/dev/null 2>&1; then \
		echo "Installing Azurite $(AZURITE_VERSION) into .azurite/."; \
		rm -rf .azurite && mkdir .azurite && \
		npm install --silent --no-audit --no-fund --ignore-scripts --prefix .azurite "azurite@$(AZURITE_VERSION)" && \
		touch "$(AZURITE)"; \
	else \
		echo "There is no npm here, so Azurite cannot be installed: the tests on Azure Blob are skipped." >&2; \
		echo "Install Node.js with npm (on Debian and Ubuntu the package npm) to run them." >&2; \
	fi

# It finds uv beside itself, and all interpreters that pyenv has, if there is one.
NOX = PATH="$(CURDIR)/$(BIN):$$PATH" PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | grep '^3[.0-9]*$$' | paste -sd: -)" \
	$(BIN)/nox

.PHONY: matrix
matrix: $(READY) ## test the built wheel on every Airflow and Python that is supported (MATRIX_ARGS="-k 2.11" chooses)
	$(NOX) --session wheel
	$(NOX) --session cell $(MATRIX_ARGS)

# Left out on the oldest is most of tests/integration: api/ knows nothing of Airflow. On the newest, `make test` runs
# everything from the checkout.
OLDEST_TESTS := tests/unit tests/airflow tests/databases \
	$(addprefix tests/integration/test_,endpoints_operators.py formats.py stopping.py)
NEWEST_TESTS := $(addprefix tests/airflow/test_,provider_manager.py hook.py parsing.py operators.py)
.PHONY: matrix-ends
matrix-ends: $(READY) ## test the built wheel on the oldest Airflow, and that it is one on the newest
	$(NOX) --session wheel
	$(NOX) --error-on-missing-interpreters --tags oldest -- $(OLDEST_TESTS)
	$(NOX) --error-on-missing-interpreters --tags newest -- $(NEWEST_TESTS)

.PHONY: format
format: $(READY) ## let ruff fix and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: demo
demo: $(READY) ## run two example DAGs in Airflow against a local Hotmart, in under two minutes
	$(BIN)/python scripts/demo.py

.PHONY: bench
bench: $(BENCH_READY) ## measure this package beside the alternatives, into benchmarks/results.md; takes most of an hour
	$(BENCH_VENV)/bin/python -m benchmarks

.PHONY: bench-webhooks
bench-webhooks: $(READY) ## measure webhooks in a whole Airflow 3.0 to 3.3, into benchmarks/webhooks.md; takes half an hour
	@set -eu; for line in 3.0 3.1 3.2; do $(MAKE) --no-print-directory venv AIRFLOW=$$line; done
	$(BIN)/python -m benchmarks.webhooks --sales 300 --rate 5 --kills 0 --python .venv-airflow-3.0/bin/python \
		--python .venv-airflow-3.1/bin/python --python .venv-airflow-3.2/bin/python --python $(BIN)/python \
		> benchmarks/webhooks.md
	$(BIN)/python -m benchmarks.webhooks >> benchmarks/webhooks.md

# The alternatives that constraints/bench.txt names, and what they need, beside everything that Airflow installs anyway.
$(BENCH_READY): pyproject.toml constraints/airflow-3.3.txt constraints/bench.txt | $(READY)
	rm -rf $(BENCH_VENV)
	$(BIN)/python -m venv $(BENCH_VENV)
	@set -eu; \
	what="--constraint constraints/airflow-3.3.txt --requirement constraints/bench.txt --editable .[parquet]"; \
	if [ ! -x "$(BIN)/uv" ] || ! "$(BIN)/uv" pip install --quiet --compile-bytecode \
		--python "$(BENCH_VENV)/bin/python" $$what; then \
		echo "Installing with pip, which takes longer."; \
		"$(BENCH_VENV)/bin/python" -m pip install --quiet --disable-pip-version-check $$what; \
	fi; \
	touch "$(BENCH_READY)"

.PHONY: docs
docs: $(DOCS_READY) ## build the documentation site into site/; a warning or a link to no page fails it
	rm -rf site
	$(DOCS_VENV)/bin/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet \
		--doctree-dir $(DOCS_VENV)/doctrees docs site
	@echo "The site is in site/: open site/index.html, or run: make docs-serve"

.PHONY: docs-serve
docs-serve: docs ## build the site and show it at http://127.0.0.1:8000
	$(DOCS_VENV)/bin/python -m http.server --bind 127.0.0.1 --directory site 8000

$(DOCS_READY): pyproject.toml constraints/airflow-3.3.txt constraints/docs.txt | $(READY)
	rm -rf $(DOCS_VENV)
	$(BIN)/python -m venv $(DOCS_VENV)
	@set -eu; \
	pins="--constraint constraints/airflow-3.3.txt --constraint constraints/docs.txt"; \
	if [ ! -x "$(BIN)/uv" ] || ! "$(BIN)/uv" pip install --quiet --python "$(DOCS_VENV)/bin/python" \
		$$pins --editable '.[docs]'; then \
		echo "Installing with pip, which takes longer."; \
		"$(DOCS_VENV)/bin/python" -m pip install --quiet --disable-pip-version-check $$pins --editable '.[docs]'; \
	fi; \
	touch "$(DOCS_READY)"

.PHONY: build
build: $(READY) ## build the source archive and the wheel into dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

.PHONY: clean
clean: ## remove what these targets made
	rm -rf .venv .venv-airflow-* .venv-bench .venv-docs .venv-stores .venv-databases .venv-distributed .venv-warehouses .azurite .demo .nox dist site .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find airflow_provider_hotmart benchmarks dags_examples scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
