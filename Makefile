# Two commands set up everything: `make demo` runs a race end to end, `make test` runs the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCKS := requirements/build.lock requirements/all.lock

# npm's "latest" of the CDK's command line (3.0.0) is older than the assemblies of today.
CDK := 2.1148.1

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: demo
demo: setup ## Run a whole race on this machine and serve its page until Ctrl-C
	@exec $(BIN)/snaprace demo

.PHONY: setup
setup: $(STAMP) ## Install everything into .venv (both other commands do this first)
	@$(BIN)/python -m deploy.layers

$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "SnapRace needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 setup" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (a few minutes the first time)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation \
		-r requirements/all.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

.PHONY: test
test: setup check browser ## Run every check and every test (three at once on two cores: tests also wait)
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: soak
soak: setup ## Run the long tests: kills under load, strange pictures, a failure at every call, thousands of orders
	@$(BIN)/pytest -m soak

.PHONY: docs
docs: setup ## Print the documents that follow from contracts and cards anew
	@$(BIN)/python -m catalogue

.PHONY: check
check: setup ## Lint, types and import rules only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: browser
browser: setup # A real browser for the page tests: the system's Chromium, else Debian's, else Playwright's own
	@$(BIN)/python -m tests.kit.browser

.PHONY: cdk
cdk: setup ## Run the CDK's command line: make cdk ARGS="deploy snaprace-dev-ocr"
	@$(BIN)/python -m deploy.layers --for-aws
	@$(BIN)/python jsii_node.py aws-cdk@$(CDK) $(ARGS)

.PHONY: lock
lock: ## Make the lock files anew from pyproject.toml and requirements/*.in
	@$(PYTHON) -m venv build/lock-venv && build/lock-venv/bin/pip install --quiet uv==0.13.8
	@for name in build lambda-base lambda-pictures; do \
		build/lock-venv/bin/uv pip compile requirements/$$name.in --quiet --universal --python-version 3.11 \
			--generate-hashes --no-header --no-annotate -o requirements/$$name.lock; done
	@build/lock-venv/bin/uv pip compile pyproject.toml --extra dev --quiet --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -o requirements/all.lock
	@build/lock-venv/bin/uv pip compile requirements/vision.in --quiet --universal --python-version 3.11 \
		--constraint requirements/all.lock --generate-hashes --no-header --no-annotate -o requirements/vision.lock

.PHONY: clean
clean: ## Remove what was built and what the local runtime kept (not .venv)
	@rm -rf build cdk.out .snaprace
