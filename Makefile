# SPDX-License-Identifier: Apache-2.0
# Every target makes what it needs: `make demo` and `make test` work in a fresh clone, as root or as an ordinary user.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV   := .venv
BIN    := $(VENV)/bin
ASSETS := src/crossdock/console/assets
STATIC := src/crossdock/console/static
PAGES  := $(shell find $(ASSETS) -path '*/node_modules' -prune -o -type f -print 2>/dev/null)

HEADLESS ?=
ORDERS   ?=
SEED     ?=
FAULTS   ?=
# Extra words for pytest: make test T="tests/runtime -k embedded"
T        ?=
JOBS     ?= 2

.PHONY: help demo test crash lint format bench docs lock assets chromium changelog clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(VENV)/.installed assets ## a peak-season morning at a simulated distributor (HEADLESS=1, ORDERS=n, SEED=n, FAULTS=profile)
	$(BIN)/crossdock demo $(if $(filter-out 0,$(HEADLESS)),--headless) $(if $(ORDERS),--orders $(ORDERS)) \
	  $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS))

test: $(VENV)/.installed assets chromium ## every test, on two workers (T="words for pytest", JOBS=n)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(T)

crash: $(VENV)/.installed assets ## kill -9 under load with many seeds (SEEDS=n, 50 by default; T="words for pytest")
	CROSSDOCK_CRASH_SEEDS=$(or $(SEEDS),50) $(BIN)/python -m pytest -n $(JOBS) --dist load \
	  $(or $(T),tests/crash/test_kill.py tests/crash/test_reservations.py)

lint: $(VENV)/.installed ## style, types, import direction, shape, claims
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.lint_shape src tools tests bench
	$(BIN)/python -m tools.lint_claims

format: $(VENV)/.installed ## let ruff write the layout and the simple fixes
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/.installed assets ## throughput, latency, CPU and memory, as ratios to limits measured in the same run
	$(BIN)/python -m bench

docs: $(VENV)/.installed ## the documentation as a site in site/, reference pages written from the code first
	$(BIN)/python -m tools.write_reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "docs: site/index.html"

lock: ## resolve the dependencies again for every supported Python (UPGRADE=1 for the newest)
	PYTHON="$$(tools/find_python.sh)" tools/lock.sh $(if $(UPGRADE),--upgrade)

changelog: $(VENV)/.installed ## what the next release will say
	$(BIN)/towncrier build --draft

assets: $(STATIC)/.built

chromium:
	@tools/ensure_chromium.sh

clean: ## everything that was made here; data folders of running estates are elsewhere and stay
	rm -rf $(VENV) .venv-lock site $(STATIC) $(ASSETS)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache build dist

$(VENV)/.installed: requirements/lock.txt pyproject.toml
	[ -x $(BIN)/python ] || "$$(tools/find_python.sh)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STATIC)/.built: $(PAGES) | $(VENV)/.installed
	tools/build_console.sh $(ASSETS) $(STATIC) $(BIN)/python
