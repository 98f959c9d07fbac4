# Everything a developer runs, from nothing but python >= 3.11, pip and make. `make help` lists it.

# The python that .venv is made from
PYTHON ?= python3
# make test, make bench: more arguments, e.g. ARGS="tests/store -k claim"
ARGS ?=
# make demo: sqlite, postgresql or mariadb; child, thread or separate; CHECK=1 clicks through it and ends
ENGINE ?= sqlite
PLACEMENT ?= child
CHECK ?=
# make bench: LARGE=1 also beside 10,000,000 finished rows; PEERS=1 beside other systems instead
LARGE ?=
PEERS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
MAX_LINES := 500

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

# ---- Set up

.PHONY: setup
setup: $(VENV)/.installed ## make .venv with the locked dependencies and Lodger in it

# Two stamps, so that an edit of pyproject.toml does not make pip walk through the whole lock.
$(VENV)/.locked: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lodger needs Python 3.11 or newer; say which with: make setup PYTHON=python3.x")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "installing requirements/dev.txt into $(VENV), about a minute"
	@$(PIP) --requirement requirements/dev.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: lock
lock: ## remake requirements/dev.txt from pyproject.toml, with the newest versions
	@test -x build/uv/bin/uv || { $(PYTHON) -m venv build/uv && build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv; }
	build/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-emit-index-url \
	    --annotation-style line pyproject.toml --group dev --output-file requirements/dev.txt

# ---- Check

.PHONY: test
test: setup ## run all tests on SQLite, PostgreSQL and MariaDB
	@$(BIN)/python -m tools.testrun $(ARGS)

.PHONY: check
check: setup ## format, lint, layers, types, golden SQL, docs/settings.md, file lengths
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python -m tools.golden --check
	$(BIN)/python -m tools.settings_doc --check
	@find src -name '*.py' -exec wc -l {} + | awk '$$2 != "total" && $$1 > $(MAX_LINES) {print $$2 ": " $$1 " lines, $(MAX_LINES) at most"; bad = 1} END {exit bad}'

.PHONY: format
format: setup ## format, and fix what can be fixed by machine
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: golden
golden: setup ## write the SQL that Lodger sends into tests/golden_sql
	@$(BIN)/python -m tools.golden

.PHONY: docs
docs: setup ## write docs/settings.md from the code
	@$(BIN)/python -m tools.settings_doc

# ---- Run

.PHONY: demo
demo: setup ## run the example: ENGINE=sqlite|postgresql|mariadb PLACEMENT=child|thread|separate CHECK=1
	@$(BIN)/python -m examples.dating --engine $(ENGINE) --placement $(PLACEMENT) $(if $(filter-out 0,$(CHECK)),--check)

.PHONY: bench
bench: setup ## measure Lodger beside the raw drivers on all engines; LARGE=1, PEERS=1, ARGS="--engine sqlite --rounds 3"
ifeq ($(filter-out 0,$(PEERS)),)
	@$(BIN)/python -m benchmarks $(if $(filter-out 0,$(LARGE)),--large) $(ARGS)
else
	@$(BIN)/python -m benchmarks.peers $(ARGS)
endif

.PHONY: bench-layout
bench-layout: setup ## measure layouts of the tables (docs/decisions/0001): ENGINE=..., ARGS="--speed 0.1"
	@$(BIN)/python -m tools.servers exec $(ENGINE) -- $(BIN)/python -m benchmarks.layout --engine $(ENGINE) $(ARGS)

.PHONY: bench-memory
bench-memory: setup ## measure the memory of each placement of the worker
	@$(BIN)/python -m benchmarks.memory

.PHONY: clean
clean: ## remove everything that was made here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
