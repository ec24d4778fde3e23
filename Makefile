# Commands of the platform. `make` alone lists them; CI calls the same ones.
PYTHON ?= python3
COMPOSE := $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
SETUP := $(PYTHON) scripts/setup.py
FILE ?= backup.tar
TOOLS := tests/.venv/bin
THOROUGH := tests backend $(wildcard services/*)
TYPED := $(wildcard shared/*) backend $(wildcard services/*)

.DEFAULT_GOAL := help
.PHONY: help setup run env up down logs backup restore usage test test-thorough test-kills test-compose test-fuzz chaos check imports
.PHONY: format lock catalog catalog-check catalog-page bench docs clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: ## set up every environment, with what the tests need
	@$(SETUP) --dev

run: ## serve the platform at http://localhost:8000 (PORT, DATA_DIR …: see docs/configuration.md)
	@$(SETUP)
	@exec backend/.venv/bin/python -m vision_api

env: ## write .env with strong secrets for docker-compose
	@$(PYTHON) scripts/make_env.py

up: env ## build and start the deployed form: five containers behind one port
	@mkdir -p datasets && $(COMPOSE) up --build --detach

down: ## stop the containers; volumes stay
	@$(COMPOSE) down

logs: ## follow the containers' logs
	@$(COMPOSE) logs --follow --tail 100

backup: ## write database and storage of `make run` into one file (FILE=backup.tar)
	@backend/.venv/bin/python -m vision_api.backup create $(FILE)

restore: ## restore a backup (FILE=backup.tar, ARGS=--replace over existing accounts)
	@backend/.venv/bin/python -m vision_api.backup restore $(FILE) $(ARGS)

usage: ## show the use of storage by project (ARGS=--json, ARGS=--repair)
	@backend/.venv/bin/python -m vision_api.usage $(ARGS)

test: setup ## run every suite of every project
	@$(PYTHON) scripts/test.py

test-thorough: setup ## run tests that take too long for `make test`: other variants, hostile archives, every export
	@$(PYTHON) scripts/test.py --only thorough $(THOROUGH)

test-kills: setup ## run lifecycles of jobs, a lost disk and a short `make chaos` (needs an otherwise idle machine)
	@$(PYTHON) scripts/test.py --only idle tests

test-compose: setup ## run the scenarios on real containers, and kills, an upgrade and a backup (needs a Docker engine)
	@cd tests && IN_CONTAINERS=1 .venv/bin/python -m pytest -q scenarios/test_0* compose -m "compose or not thorough"
	@cd shared/trainer_kit && .venv/bin/python -m pytest -q tests/supervisor/test_container_launcher.py -m compose

test-fuzz: setup ## make up requests from the OpenAPI document, as each role and on both databases (ARGS="--seconds 600 --seed N")
	@cd tests && .venv/bin/python -m fuzz $(ARGS)

chaos: setup ## kill every part of the platform while jobs train, and check that nothing is lost (SEED=… repeats a run)
	@cd tests && .venv/bin/python -m faults $(SEED)

check: setup ## check lint, format, types and import rules
	@$(TOOLS)/ruff check .
	@$(TOOLS)/ruff format --check .
	@$(MAKE) --no-print-directory imports
	@for project in $(TYPED); do echo "types: $$project"; $(TOOLS)/basedpyright --project $$project || exit 1; done

imports: ## check the import rules
	@$(TOOLS)/python tests/architecture/import_contracts.py

format: setup ## format every file
	@$(TOOLS)/ruff check --fix .
	@$(TOOLS)/ruff format .

lock: ## resolve every lock again from the pyproject.toml files
	@$(PYTHON) scripts/lock.py --upgrade

catalog: setup ## rebuild the catalogues whose library has another version
	@for service in services/*/; do name=$$(basename $$service); \
	  $$service/.venv/bin/python -m $${name}_service.catalog || exit 1; done

catalog-check: setup ## take a training step with every card; writes docs/catalog.md (continues after an interruption)
	@for service in services/*/; do name=$$(basename $$service); mkdir -p build/catalog-check; \
	  $$service/.venv/bin/python -m $${name}_service.catalog_check --output build/catalog-check $(ARGS) || failed=1; done; \
	  $(MAKE) --no-print-directory catalog-page; exit $${failed:-0}

catalog-page:
	@shared/trainer_kit/.venv/bin/python -m trainer_kit.catalog_check build/catalog-check services/*/src/*/catalog.json > docs/catalog.md

bench: setup ## measure against named peers; writes build/bench.json
	@cd tests && .venv/bin/python -m bench

docs: setup ## regenerate openapi.json, DATABASE_SCHEMA.md and the table of words from the code
	@backend/.venv/bin/python -m vision_api.openapi > docs/openapi.json
	@backend/.venv/bin/python -m vision_api.schema_page > docs/architecture/DATABASE_SCHEMA.md
	@$(PYTHON) scripts/words_table.py --write

clean: ## remove every environment and build output (never DATA_DIR)
	@rm -rf .tools build */.venv */*/.venv
