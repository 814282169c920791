# The one door. `make` alone lists what it can do.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install up down status logs doctor test check docs bench faults drill availability contract reference vendors monitor tools deployment audit sbom

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## make .venv with the locked dependencies (up does it)
	@$(PYTHON) infra/bootstrap/install.py runtime

up: install ## start everything: servers, data, models, API, Dagster, replay
	@$(BIN)/riskee up $(ARGS)

down: ## stop everything; the data stays
	@test ! -x $(BIN)/riskee || $(BIN)/riskee down $(ARGS)

status: install ## show every process
	@$(BIN)/riskee status $(ARGS)

logs: install ## show the logs; ARGS=predict for one process
	@$(BIN)/riskee logs $(ARGS)

doctor: install ## check every dependency, disk and ports
	@$(BIN)/riskee doctor $(ARGS)

test: ## run the tests; ARGS=tests/unit for a part
	@$(PYTHON) infra/bootstrap/install.py dev
	@$(BIN)/python -m pytest $(ARGS)

check: ## lint, types, layers
	@$(PYTHON) infra/bootstrap/install.py dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: install ## write the pages of docs/ that are made from the code
	@$(BIN)/python -m riskee.reference > docs/reference.md
	@$(BIN)/python -m riskee.metrics_page > docs/metrics.md
	@$(BIN)/python -m infra.grafana
	@$(BIN)/python -m infra.sizing > docs/sizing.md
	@$(BIN)/python -m serving.api.streaming.description
	@$(BIN)/python -m serving.api.reference
	@$(BIN)/python -m riskee_dagster.reference
	@$(BIN)/riskee sql docs > docs/models.md

bench: install ## measure the live path; ARGS="live --quick" or ARGS="documents --count 100000"
	@$(BIN)/riskee bench $(or $(ARGS),live)

faults: ## kill, stop, cut, fill and spoil while quotes flow; ARGS="-k kill" for a part
	@$(PYTHON) infra/bootstrap/install.py dev
	@RISKEE_TEST_FAULTS=full $(BIN)/python -m pytest tests/faults -q -s $(ARGS)

drill: ## the restore drill with three million rows: load, back up, lose everything, restore to a moment; some minutes
	@$(PYTHON) infra/bootstrap/install.py dev
	@RISKEE_TEST_DRILL=full $(BIN)/python -m pytest tests/integration/backup/test_drill.py -q -s $(ARGS)

availability: ## kill one of several servers of each kind while work goes on
	@$(PYTHON) infra/bootstrap/install.py dev
	@RISKEE_TEST_AVAILABILITY=full $(BIN)/python -m pytest tests/availability -q -s $(ARGS)

contract: ## ask the API for all that its OpenAPI document allows, and for what it does not: 2,000 cases
	@$(PYTHON) infra/bootstrap/install.py dev
	@RISKEE_TEST_CONTRACT=full $(BIN)/python -m pytest tests/integration/test_api_document.py -q -s $(ARGS)

reference: ## add sentence-transformers and torch, so that `make test` compares the embeddings
	@$(PYTHON) infra/bootstrap/install.py dev
	@$(BIN)/python -m pip install --quiet --no-deps --only-binary=:all: --require-hashes -r requirements/reference.txt
	@$(BIN)/python -m pip install --quiet --only-binary=:all: torch==2.13.0

vendors: install ## add Yahoo and Alpaca, for `riskee data fetch`
	@$(BIN)/python -m pip install --quiet --no-deps --only-binary=:all: --require-hashes -r requirements/vendors.txt

monitor: install ## watch the running stack: Prometheus, Alertmanager, exporters, until interrupted
	@$(BIN)/python -m infra.prometheus

tools: install ## fetch Prometheus and its companions from Debian's packages, without root
	@$(BIN)/python -m infra.prometheus.tools

deployment: ## add what checks the files of deployments, packages, backups in S3: hadolint, pip-audit, moto …
	@$(PYTHON) infra/bootstrap/install.py dev
	@$(BIN)/python -m pip install --quiet --no-deps --only-binary=:all: --require-hashes -r requirements/extras.txt
	@$(BIN)/python -m pip install --quiet --no-deps --only-binary=:all: --require-hashes -r requirements/deployment.txt

audit: deployment ## ask for known vulnerabilities of all locked packages; needs the network
	@$(BIN)/python -m infra.deployment.audit

sbom: deployment ## write an SBOM (CycloneDX) of each image to build/
	@$(BIN)/python -m infra.deployment.sbom
