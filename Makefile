# Everything a developer runs, from nothing but python >= 3.11, pip and make. `make help` lists it.
# The python that .venv is made from:
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: $(VENV)/.installed ## make .venv with the locked dependencies and Lodger in it

# Two stamps, so that an edit of pyproject.toml does not make pip walk through the whole lock.
$(VENV)/.locked: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lodger needs Python 3.11 or newer; say which with: make setup PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: lock
lock: ## remake requirements/dev.txt from pyproject.toml
	@test -x build/uv/bin/uv || { $(PYTHON) -m venv build/uv && build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv; }
	build/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-emit-index-url \
	    --annotation-style line pyproject.toml --group dev --output-file requirements/dev.txt

.PHONY: clean
clean: ## remove everything that was made here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
