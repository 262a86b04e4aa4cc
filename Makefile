# Two commands are all a newcomer needs: `make demo` and `make test`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# uv comes from PyPI where the machine has none.
UV_TOOLS := $(CURDIR)/.venv-uv
export UV := $(or $(shell command -v uv 2>/dev/null),$(UV_TOOLS)/bin/uv)
RUN := $(UV) run --frozen
CDK := $(RUN) python -m infra.toolkit
STAGE ?= dev
# Of each target; `make test` runs all of them so long.
FUZZ_SECONDS ?= 1
FUZZ_TARGETS ?=

.PHONY: help
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(UV_TOOLS)/bin/uv:
	@python3 -m venv $(UV_TOOLS)
	@$(UV_TOOLS)/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'

.PHONY: setup
setup: $(UV) ## the virtual environment, as uv.lock has it
	@$(UV) sync --frozen --quiet

.PHONY: demo
demo: setup ## start the local stack, send real data, show what came out
	@$(RUN) afluente demo

.PHONY: test
test: check unit fuzz infrastructure integration coverage ## all checks and all tests

.PHONY: check
check: setup ## format, lint, types, architecture, documents of the API, templates
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) rumdl check --quiet .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) python -m apidoc --check
	$(RUN) python -m infra.lint

.PHONY: audit
audit: setup ## known vulnerabilities of the packages in uv.lock; audit.toml says which are accepted
	@$(RUN) python -m infra.audit $(AUDIT)

.PHONY: sbom
sbom: setup ## the bill of materials of what a stage deploys: make sbom STAGE=prod
	@$(RUN) python -m infra.sbom --stage $(STAGE)

.PHONY: format
format: setup ## put code and documents into form
	$(RUN) ruff format .
	$(RUN) ruff check --fix .
	$(RUN) rumdl fmt --quiet .

.PHONY: openapi
openapi: setup ## write the OpenAPI and the AsyncAPI document, after a change of a route or a message
	$(RUN) python -m apidoc

.PHONY: unit
unit: setup ## the tests that need nothing but Python
	COVERAGE_FILE=.coverage.unit $(RUN) pytest -n auto --cov --cov-report= tests/unit tests/contract tests/migration/unit tests/migration/contract -m 'not integration'

.PHONY: fuzz
fuzz: setup ## every decoder, guided by coverage: make fuzz FUZZ_SECONDS=600 FUZZ_TARGETS="csv_file state"
	PYTHONPATH=layers/core/python:functions:. FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_TARGETS="$(FUZZ_TARGETS)" $(RUN) python -m tests.fuzz.campaign

.PHONY: infrastructure
infrastructure: setup ## what the template promises
	$(RUN) coverage run --data-file=.coverage.infrastructure -m pytest tests/infrastructure tests/migration/infrastructure

.PHONY: integration
integration: setup ## through the local stack: real queues, real functions, killed and throttled
	COVERAGE_FILE=.coverage.integration $(RUN) pytest -n 2 --dist loadgroup --cov --cov-report= -m integration tests/contract tests/integration tests/faults tests/e2e tests/migration

.PHONY: coverage
coverage: setup ## branch coverage of what the tests above ran
	$(RUN) coverage combine --keep --quiet
	$(RUN) coverage report --fail-under=90
	$(RUN) coverage report --fail-under=100 --include='layers/core/python/afluente/domain/*,layers/core/python/afluente/application/*,layers/core/python/afluente/migration/domain/*,layers/core/python/afluente/migration/application/*'

.PHONY: unit-on
unit-on: $(UV) ## the unit tests on another Python: make unit-on PYTHON=3.13
	UV_PROJECT_ENVIRONMENT=.venv-$(PYTHON) $(UV) run --frozen --python $(PYTHON) pytest -n auto tests/unit tests/migration/unit

.PHONY: bootstrap
bootstrap: setup ## prepare an AWS account, once a region: make bootstrap STAGE=dev
	$(CDK) bootstrap --context stage=$(STAGE)

.PHONY: diff
diff: setup ## what a deployment would change: make diff STAGE=dev
	$(CDK) diff --context stage=$(STAGE)

.PHONY: deploy
deploy: setup sbom ## deploy to an AWS account: make deploy STAGE=dev
	$(CDK) deploy --all --context stage=$(STAGE)

.PHONY: destroy
destroy: setup ## delete a deployment: make destroy STAGE=dev
	$(CDK) destroy --all --context stage=$(STAGE)

.PHONY: clean
clean: ## stop the local stack and remove what was built
	-@[ -x .venv/bin/afluente ] && .venv/bin/afluente down
	rm -rf .venv .venv-* .afluente build cdk.out .coverage*
