# Everything that a developer types. A fresh clone needs Python 3.11+ with venv, and make.

PYTHON ?= python3
JOBS ?= 2
# Given to pytest: make test ARGS="tests/oauth -k refresh" (then coverage is not measured)
ARGS ?=

# What `make test` leaves to `make test-all`.
SLOW := tests/hostile tests/faults tests/canary tests/packaged tests/contract \
	tests/mutation/test_counts.py

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
PIP := $(RUN) pip install --quiet --disable-pip-version-check --no-input \
	--require-hashes --no-deps --only-binary=:all:

# A stamp says: the libraries of this lock file are in the venv.
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
LOCK := $(VENV)/.lock-installed
NODE_CLIENTS := tests/node/node_modules/.package-lock.json
BENCH_PEER := bench/peer/node_modules/.package-lock.json

COMPILE := $(BIN)/uv pip compile --quiet --no-config --no-header --generate-hashes \
	--universal --python-version 3.11 --fork-strategy fewest $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help demo test coverage test-all mutation bench lint format requirements lock clean

help: ## Show this list
	@echo "make <target>, with PYTHON=python3.12 for another Python:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Set up the two root accounts of the guide and serve them on ports 8000 and 8001
	@exec $(BIN)/crossroot demo

test: $(DEV) ## Run the tests (ARGS="tests/oauth -k refresh" for a part of them)
	@echo "==> Tests"
	@$(RUN) pytest --no-header -n $(JOBS) --dist loadfile $(or $(ARGS),$(addprefix --ignore=,$(SLOW)))

coverage: $(DEV) ## The same, and what of the code they run
	@echo "==> Tests, with coverage"
	@$(RUN) coverage erase
	@$(RUN) pytest --no-header -n $(JOBS) --dist loadfile --cov --cov-report= $(addprefix --ignore=,$(SLOW))
	@echo "==> Coverage of app/domain: every branch"
	@$(RUN) coverage report --include='app/domain/*' --fail-under=100
	@echo "==> Coverage of app: 95 % of lines and branches"
	@$(RUN) coverage report --fail-under=95

test-all: coverage $(NODE_CLIENTS) ## Run every test that there is, with coverage; needs Node.js
	@echo "==> Hostile tokens, faults, secrets that must not be seen, and the package"
	@$(RUN) pytest --no-header -n $(JOBS) --dist loadfile $(wildcard $(SLOW))
	@echo "==> Libraries of the Node world against a served Crossroot"
	@$(RUN) tests.node

# Some 1,800 times the tests of the domain, each until the first failure: half an hour on one core.
mutation: $(DEV) ## Slip into every rule in turn; a test must notice (MODULES="names policy" for some)
	@echo "==> Mutants of app/domain"
	@PYTHONHASHSEED=0 $(RUN) tests.mutation --jobs $(JOBS) $(MODULES)

bench: $(DEV) $(BENCH_PEER) ## Measure against floors and a peer (needs wrk and Node.js); ARGS=--record writes it down
	@$(RUN) bench $(ARGS)
	@$(RUN) bench.profile_request $(filter --record,$(ARGS))
	@$(RUN) bench.evaluation

lint: $(DEV) ## Check style, types and the floors of the house
	@echo "==> Ruff: style and likely bugs"
	@$(RUN) ruff check .
	@echo "==> Ruff: format"
	@$(RUN) ruff format --check .
	@echo "==> mypy: types"
	@$(RUN) mypy app $(if $(wildcard examples/*/*.py),examples)
	@echo "==> import-linter: the floors"
	@$(BIN)/python $(BIN)/lint-imports --no-logo

format: $(DEV) ## Format the code, and mend what can be mended
	@$(RUN) ruff check --fix-only --quiet .
	@$(RUN) ruff format .

requirements: $(DEV) ## Write docs/security/requirements.md from the RFCs' rows and the tests' marks
	@$(RUN) tests.rfc.generate

lock: $(LOCK) ## Write the lock files anew; UPGRADE=1 takes the newest versions
	@for name in runtime build dev lock; do \
		echo "==> requirements/$$name.txt"; \
		$(COMPILE) requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done
	@echo "==> requirements/sdk.txt"
	@$(COMPILE) --no-deps requirements/sdk.in --output-file requirements/sdk.txt

clean: ## Remove the virtual environment, caches and reports; keys/ and var/ stay
	@rm -rf $(VENV) tests/node/node_modules bench/peer/node_modules .coverage .coverage.* htmlcov dist .hypothesis \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The project itself needs no build: a .pth file shows Python the way to this folder, and a small
# program stands in for the console script of pyproject.toml. Both find their folder by their own
# place, so that the clone can be moved.
define LINK_PROJECT
import os, pathlib, sysconfig
site, scripts = (pathlib.Path(sysconfig.get_path(name)) for name in ("purelib", "scripts"))
(site / "crossroot.pth").write_text(os.path.relpath(pathlib.Path.cwd(), site) + "\n")
program = scripts / "crossroot"
program.write_text("""#!/bin/sh
'''exec' "$$(dirname -- "$$(realpath -- "$$0")")/python" "$$0" "$$@"
' '''
import sys
from app.cli import main
sys.exit(main())
""")
program.chmod(0o755)
endef
export LINK_PROJECT

# A virtual environment that cannot run pip (half made, or its Python is gone) is made anew.
$(RUNTIME): requirements/runtime.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Crossroot needs Python 3.11 or newer. Name one: make PYTHON=python3.12 ..."; \
		exit 1; }
	@$(RUN) pip --version >/dev/null 2>&1 || { \
		echo "==> Making $(VENV) with $$($(PYTHON) --version)"; \
		$(PYTHON) -m venv --clear $(VENV) || { \
			echo "Python's venv module is missing or broken (on Debian: apt install python3-venv)."; \
			exit 1; }; }
	@echo "==> Installing the $$(grep -c == $<) libraries that Crossroot runs on"
	@$(PIP) -r $<
	@$(BIN)/python -c "$$LINK_PROJECT"
	@touch $@

$(DEV): requirements/dev.txt requirements/sdk.txt $(RUNTIME)
	@echo "==> Installing the tools and libraries for tests"
	@$(PIP) -r requirements/dev.txt -r requirements/sdk.txt
	@touch $@

$(LOCK): requirements/lock.txt $(RUNTIME)
	@echo "==> Installing the tool that writes lock files"
	@$(PIP) -r $<
	@touch $@

# What npm writes at the end of an installation is a stamp.
%/node_modules/.package-lock.json: %/package.json %/package-lock.json %/.npmrc
	@command -v npm >/dev/null || { \
		echo "This needs Node.js 20 or newer with npm (on Debian: apt install nodejs npm)."; \
		exit 1; }
	@echo "==> Installing what $*/package-lock.json names"
	@cd $* && npm ci --loglevel=error
	@touch $@
