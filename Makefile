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
PYTEST_ARGS ?= -n auto

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

.PHONY: venv
venv: $(READY) ## make .venv with Airflow, this package and the development tools

# The first interpreter that is new enough and can make a virtual environment. Airflow 2.11 ends at Python 3.12.
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
	if [ ! -x "$(BIN)/uv" ] || ! "$(BIN)/uv" pip install --quiet --python "$(BIN)/python" \
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

.PHONY: format
format: $(READY) ## let ruff fix and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: demo
demo: $(READY) ## run an example DAG in Airflow against a local Hotmart, in under two minutes
	$(BIN)/python scripts/demo.py

.PHONY: build
build: $(READY) ## build the source archive and the wheel into dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation

.PHONY: clean
clean: ## remove what these targets made
	rm -rf .venv .venv-airflow-* .demo dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find airflow_provider_hotmart dags_examples scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
