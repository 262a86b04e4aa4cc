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
# Of each target, with new inputs; without a time it gets some thousand, always the same.
FUZZ_SECONDS ?=
FUZZ_TARGETS ?=
# What shows again what another test shows is left to `make test-all`.
SELECTED := and not exhaustive
PYTEST := pytest --durations=12 --durations-min=5
# The functions' runtime is python3.13: the local stack of the tests runs on it where the machine has one.
STACK_RUN = $(if $(shell $(UV) python find 3.13 2>/dev/null),env UV_PROJECT_ENVIRONMENT=.venv-3.13 $(UV) run --frozen --python 3.13,$(RUN))

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
test: setup ## all checks and all tests, but those that show again what others show
	@rm -f build/test-times
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target timed-types timed-lint timed-fuzz
	@$(MAKE) --no-print-directory timed-unit timed-infrastructure timed-coverage timed-integration
	@echo 'What took longest:' && sort -rn build/test-times

.PHONY: test-all
test-all: ## every test there is: each transport and adapter with every case, and the migration wing's
	@$(MAKE) --no-print-directory test SELECTED= SCHEMATHESIS_SECONDS=60
	@$(RUN) python -m tests.migration.fingerprint --write

timed-%:
	@.ci/stage $* $(MAKE) --no-print-directory $*

.PHONY: check
check: lint types ## format, lint, types, architecture, documents of the API, templates

.PHONY: lint
lint: setup
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) rumdl check --quiet .
	$(RUN) rumdl check --quiet --enable MD013 --config 'MD013.reflow-mode="default"' --config MD013.reflow=false .
	$(RUN) lint-imports
	$(RUN) python -m apidoc --check
	$(RUN) python -m infra.lint

.PHONY: types
types: setup
	$(RUN) mypy

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
	COVERAGE_FILE=.coverage.unit $(RUN) $(PYTEST) -n auto --cov --cov-report= tests/unit tests/contract tests/migration/unit tests/migration/contract -m 'not integration'

.PHONY: fuzz
fuzz: setup ## every decoder, guided by coverage: make fuzz FUZZ_SECONDS=600 FUZZ_TARGETS="csv_file state"
	PYTHONHASHSEED=0 PYTHONPATH=layers/core/python:functions:. FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_TARGETS="$(FUZZ_TARGETS)" $(RUN) python -m tests.fuzz.campaign

.PHONY: infrastructure
infrastructure: setup ## what the template promises
	COVERAGE_FILE=.coverage.infrastructure $(RUN) pytest -n 2 --dist loadgroup --no-loadscope-reorder --cov --cov-report= tests/infrastructure tests/migration/infrastructure

.PHONY: integration
integration: setup ## through the local stack: real queues, real functions, killed and throttled
	$(STACK_RUN) $(PYTEST) -n 2 --dist loadgroup -m 'integration $(SELECTED)' tests/contract tests/integration tests/faults tests/e2e tests/migration

.PHONY: coverage
coverage: setup ## branch coverage of the unit tests and those of the template
	$(RUN) coverage combine --keep --quiet
	$(RUN) coverage report --fail-under=90
	$(RUN) coverage report --fail-under=100 --include='layers/core/python/afluente/domain/*,layers/core/python/afluente/application/*,layers/core/python/afluente/migration/domain/*,layers/core/python/afluente/migration/application/*'

.PHONY: unit-on
unit-on: $(UV) ## the unit tests on another Python, with fewer examples: make unit-on PYTHON=3.13
	HYPOTHESIS_PROFILE=brief UV_PROJECT_ENVIRONMENT=.venv-$(PYTHON) $(UV) run --frozen --python $(PYTHON) $(PYTEST) -n auto tests/unit tests/migration/unit

.PHONY: bootstrap
bootstrap: setup ## prepare an AWS account, once a region: make bootstrap STAGE=dev
	$(CDK) bootstrap --context stage=$(STAGE)

.PHONY: diff
diff: setup ## what a deployment would change: make diff STAGE=dev
	$(CDK) diff --context stage=$(STAGE)
	$(RUN) python -m infra.quota $(STAGE)

.PHONY: deploy
deploy: setup sbom ## deploy to an AWS account: make deploy STAGE=dev
	$(RUN) python -m infra.quota $(STAGE)
	$(CDK) deploy --all --context stage=$(STAGE)

.PHONY: destroy
destroy: setup ## delete a deployment: make destroy STAGE=dev
	$(CDK) destroy --all --context stage=$(STAGE)

.PHONY: clean
clean: ## stop the local stack and remove what was built
	-@[ -x .venv/bin/afluente ] && .venv/bin/afluente down
	rm -rf .venv .venv-* .afluente build cdk.out .coverage*
