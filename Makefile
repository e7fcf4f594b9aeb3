# `make` alone lists what there is. Everything kept on disk lies under var/ (PORTAL_VAR moves it).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORTAL_VAR ?= var
ARGS ?=
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
# Read by commands that look at the code alone: no database is asked, nothing is written to var/.
JUST_LOOKING := SECRET_KEY=0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ \
	DATABASE_URL=postgresql://nobody@localhost/nothing

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run demo test lint format bench bench-large proof lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: ## Make .venv, install hash-checked dependencies and Debian packages
	@$(PYTHON) deploy/setup.py

setup-test: ## As setup, and what the tests need besides
	@$(PYTHON) deploy/setup.py --test

run: setup ## Run everything; ARGS="--port 8080" passes options on
	@exec $(MANAGE) start $(ARGS)

demo: setup ## Run everything with a simulated world playing into it
	@exec $(BIN)/python -m tests.world.demo $(ARGS)

test: setup-test ## Run every test; ARGS="tests/inbox -k quarantine" chooses
	@$(BIN)/python -m pytest -n 2 -m "not proof" $(ARGS)

lint: setup ## Check style, types, layers, migrations and settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(JUST_LOOKING) $(BIN)/mypy .
	$(BIN)/lint-imports
	$(JUST_LOOKING) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(JUST_LOOKING) PORTAL_HTTPS=True $(MANAGE) check --deploy --fail-level WARNING

format: setup ## Format the code, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-test ## Run the benchmarks (12 minutes); the figures go to var/bench.json
	@$(BIN)/python -m benchmarks $(ARGS)

bench-large: setup-test ## Run those over 10 million events (25 GB free); to var/bench-large.json
	@$(BIN)/python -m benchmarks.large $(ARGS)

proof: setup-test ## Run the long fault-injection tests
	@$(BIN)/python -m pytest -m proof $(ARGS)

lock: setup ## Resolve the dependencies of pyproject.toml anew
	@$(BIN)/python deploy/lock.py

clean: ## Remove caches and .venv; var/ with its data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
