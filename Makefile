# Every target works on a machine that has only Python 3.11 (or newer) and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-full check bench docs clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# uv installs exactly what uv.lock holds, hashes checked; it is itself installed with pip, into the environment.
$(VENV)/.installed: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 … / Python 3.11 以上が必要です"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --all-extras --inexact --quiet --python $(BIN)/python
	@touch $@

demo: $(VENV)/.installed ## The whole road on real data, in ./demo
	$(BIN)/sekisho demo demo

test: $(VENV)/.installed ## The tests that every change must pass
	$(BIN)/python -m pytest -m "not slow"

test-full: $(VENV)/.installed ## All tests, with Docker, Prometheus and Chromium
	bash tests/install-test-tools.sh
	$(BIN)/python -m pytest

check: $(VENV)/.installed ## Lint, types, import order
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.installed ## Benchmarks, side by side with their floors and peers
	$(BIN)/python -m benchmarks

docs: $(VENV)/.installed ## Pages generated from the code
	$(BIN)/python -m sekisho.documents.pages docs

clean: ## Remove what the other targets made here
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
