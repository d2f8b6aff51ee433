# Two commands set up everything: `make demo` runs a race end to end, `make test` runs the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCKS := requirements/build.lock requirements/all.lock

# npm's "latest" of the CDK's command line (3.0.0) is older than the assemblies of today.
CDK := 2.1148.1
CDK_CLI := $(BIN)/python jsii_node.py aws-cdk@$(CDK)

# What is deployed, and where: make deploy SERVICE=ocr, make release ENVIRONMENT=prod.
ENVIRONMENT ?= dev
SERVICE ?=
# A deployment's alarms page nobody for so long, unless it is the deployment that they roll back.
MINUTES ?= 20

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
check: setup ## Lint, types, import rules and workflows only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/zizmor --offline --no-progress --quiet .github

.PHONY: audit
audit: setup ## Ask PyPI for known vulnerabilities of all that is locked
	@for lock in requirements/*.lock; do \
		$(BIN)/pip-audit --strict --progress-spinner off --disable-pip --require-hashes --requirement $$lock || exit 1; done

.PHONY: sbom
sbom: setup ## List what is shipped in build/sbom, as CycloneDX
	@mkdir -p build/sbom
	@for lock in requirements/*.lock; do \
		$(BIN)/cyclonedx-py requirements --output-reproducible --of JSON \
			-o build/sbom/$$(basename $$lock .lock).cdx.json $$lock || exit 1; done

.PHONY: browser
browser: setup # A real browser for the page tests: the system's Chromium, else Debian's, else Playwright's own
	@$(BIN)/python -m tests.kit.browser

# --- on AWS: docs/deployment.md -----------------------------------------------------------------------------------

.PHONY: cdk
cdk: layers ## Run the CDK's command line: make cdk ARGS="diff snaprace-dev-ocr"
	@$(BIN)/python -m deploy.permission $(ARGS)
	@$(CDK_CLI) $(ARGS)

.PHONY: layers
layers: setup ## Build the layers for Lambda, and pack them
	@$(BIN)/python -m deploy.layers --for-aws
	@tar -cf build/layers-aws.tar -C build layers-aws

.PHONY: deploy
deploy: layers ## Deploy one service to dev: make deploy SERVICE=ocr
	@test -n "$(SERVICE)" || { echo "Say which service: make deploy SERVICE=ocr" >&2; exit 1; }
	@$(BIN)/python -m deploy.permission deploy -c env=$(ENVIRONMENT)
	@$(BIN)/python -m deploy --announce $(ENVIRONMENT) --minutes $(MINUTES)
	@$(CDK_CLI) deploy --app "$(BIN)/python app.py --for-aws --service $(SERVICE)" -c env=$(ENVIRONMENT) \
		--exclusively snaprace-$(ENVIRONMENT)-$(SERVICE)

.PHONY: assembly
assembly: setup ## Synthesize all stacks of an environment, and pack them: make assembly ENVIRONMENT=prod
	@test -d build/layers-aws || $(MAKE) --no-print-directory layers
	@rm -rf build/assembly/$(ENVIRONMENT)
	@$(CDK_CLI) synth --quiet --output build/assembly/$(ENVIRONMENT) -c env=$(ENVIRONMENT)
	@tar -cf build/assembly-$(ENVIRONMENT).tar -C build/assembly $(ENVIRONMENT)

.PHONY: unpack
unpack: # What one job of the pipeline packed, in another one: artifacts lose what is executable
	@mkdir -p build/assembly
	@for packed in build/assembly-*.tar; do test ! -f $$packed || tar -xf $$packed -C build/assembly; done
	@test ! -f build/layers-aws.tar || tar -xf build/layers-aws.tar -C build

.PHONY: diff
diff: setup unpack ## Compare an assembly with what stands, in build/diff-dev.md: make diff ENVIRONMENT=dev
	@CI=true $(CDK_CLI) diff --app build/assembly/$(ENVIRONMENT) --method template > build/diff-$(ENVIRONMENT).txt
	@{ echo "### What it changes in $(ENVIRONMENT)"; echo '```diff'; head -c 28000 build/diff-$(ENVIRONMENT).txt; echo; echo '```'; } \
		> build/diff-$(ENVIRONMENT).md

.PHONY: release
release: setup unpack ## Deploy the stacks of an assembly that differ from what stands: make release ENVIRONMENT=dev
	@$(BIN)/python -m deploy.permission deploy --app build/assembly/$(ENVIRONMENT) -c env=$(ENVIRONMENT)
	@stacks="$$($(BIN)/python -m deploy --changed --assembly build/assembly/$(ENVIRONMENT))" || exit 1; \
		if test -z "$$stacks"; then echo "All stacks of $(ENVIRONMENT) stand as they are asked for."; else \
			$(BIN)/python -m deploy --announce $(ENVIRONMENT) --minutes $(MINUTES) && \
			$(CDK_CLI) deploy --app build/assembly/$(ENVIRONMENT) --exclusively --require-approval never \
				--progress events --concurrency 3 $$stacks; fi

.PHONY: verify
verify: setup ## Verify that an environment works: make verify ENVIRONMENT=dev
	@$(BIN)/snaprace --target aws --env $(ENVIRONMENT) verify

.PHONY: rollback
rollback: setup ## Deploy what the pipeline last deployed and verified: make rollback ENVIRONMENT=prod [RUN=its id]
	@run="$$RUN"; \
		test -n "$$run" || run="$$(gh run list --workflow deliver.yml --branch main --status success --limit 1 \
			--json databaseId --jq '.[].databaseId')"; \
		test -n "$$run" || { echo "No deployment has succeeded yet: there is nothing to go back to." >&2; exit 1; }; \
		echo "Going back to what run $$run deployed."; \
		rm -rf build/assembly-$(ENVIRONMENT).tar build/assembly/$(ENVIRONMENT); \
		gh run download "$$run" --name assembly-$(ENVIRONMENT) --dir build
	@$(MAKE) --no-print-directory release ENVIRONMENT=$(ENVIRONMENT)

.PHONY: delivery
delivery: setup ## Make who may deploy to an account, once, as its administrator: make delivery ENVIRONMENT=prod
	@$(CDK_CLI) deploy --app "$(BIN)/python app.py --delivery --for-aws" -c env=$(ENVIRONMENT) $(ARGS)

.PHONY: bootstrap
bootstrap: setup ## Prepare an account for deployments, once, as its administrator: make bootstrap ENVIRONMENT=prod
	@mkdir -p build
	@$(CDK_CLI) bootstrap --show-template --json > build/bootstrap.json
	@arguments="$$($(BIN)/python -m deploy.bootstrap $(ENVIRONMENT) --template build/bootstrap.json)" && \
		$(CDK_CLI) bootstrap $$arguments $(ARGS)

# ------------------------------------------------------------------------------------------------------------------

# OpenVINO works without the package that reports its use to its maker.
SILENT := --no-emit-package openvino-telemetry

.PHONY: lock
lock: ## Make the lock files anew from pyproject.toml and requirements/*.in
	@$(PYTHON) -m venv build/lock-venv && build/lock-venv/bin/pip install --quiet uv==0.13.8
	@for name in build lambda-base lambda-pictures; do \
		build/lock-venv/bin/uv pip compile requirements/$$name.in --quiet --universal --python-version 3.11 \
			--generate-hashes --no-header --no-annotate -o requirements/$$name.lock; done
	@build/lock-venv/bin/uv pip compile pyproject.toml --extra dev --quiet --universal --python-version 3.11 \
		$(SILENT) --generate-hashes --no-header --no-annotate -o requirements/all.lock
	@build/lock-venv/bin/uv pip compile requirements/vision.in --quiet --universal --python-version 3.11 \
		--constraint requirements/all.lock $(SILENT) --generate-hashes --no-header --no-annotate -o requirements/vision.lock

.PHONY: clean
clean: ## Remove what was built and what the local runtime kept (not .venv)
	@rm -rf build cdk.out .snaprace
