# `make` lists what there is; the text after ## is the manual.
.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-fast test-provider axe lint types fmt up down status bench soak contract aws-check lock dist bootstrap
PYTHON := .venv/bin/python
export PYTHONUNBUFFERED := 1
# `make up PROVIDER=real`, or `PROVIDER=real make demo`: the real AWS provider in place of its stand-in.
ifdef PROVIDER
export LOCAL_AWS_PROVIDER := $(PROVIDER)
endif
# Byte code is kept (.gitignore knows it), wherever it is switched off: every process here starts quicker with it.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: bootstrap ## watch a release go to staging and production on this machine, fail, and be undone
	@$(PYTHON) -m tools.demo

test: bootstrap ## what the lane guarantees: lint, types, all rings, command and stories (needs Docker; says what it left out)
	@$(PYTHON) -m tools.checks

test-all: test ## `make test`, then the long stories, and the local cloud's own suite
	@$(PYTHON) -m tools.checks --rest

test-fast: bootstrap ## lint, types and the pure tests: under a minute on two cores
	@$(PYTHON) -m tools.checks --fast

test-provider: bootstrap ## the stories with the real AWS provider in place of its stand-in; builds it if it cannot be found
	@$(PYTHON) -m tools.provider $(OPTIONS)

AXE := axe-core-4.14.1
axe: ## fetch axe from npm: with it the tests of pages look for what hinders people (they are skipped without)
	@mkdir -p .local/axe && cd .local/axe && npm pack --silent $(subst core-,core@,$(AXE)) >/dev/null \
	&& echo "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745  $(AXE).tgz" | sha256sum --check --quiet && tar -xzOf $(AXE).tgz package/axe.min.js >axe.min.js.new \
	&& mv axe.min.js.new axe.min.js

lint: bootstrap ## style and format, changing nothing
	@$(PYTHON) -m tools.checks lint format

types: bootstrap ## mypy --strict
	@$(PYTHON) -m tools.checks types

fmt: bootstrap ## put the code into the house format
	@.venv/bin/ruff format --quiet . && .venv/bin/ruff check --fix --quiet .

up: bootstrap ## start the local cloud; then `. .local/env` in a shell
	@.venv/bin/local-aws up

down: bootstrap ## remove the local cloud and all that ran in it
	@.venv/bin/local-aws down

status: bootstrap ## what runs in the local cloud, since when, at which addresses
	@.venv/bin/local-aws status || true

bench: bootstrap ## measure promote and rollback on the local cloud
	@$(PYTHON) -m tools.bench

soak: bootstrap ## long runs: a million requests through a day of updates; random sequences; every fault and every crash
	@$(PYTHON) -m tools.soak

contract: bootstrap ## renew docs/contract.md: what is relied on of AWS
	@PYTHONPATH=.:packages/local-aws:packages/release-lane $(PYTHON) -m tests.contract.page

aws-check: bootstrap ## try all of docs/contract.md in a real account; tells its cost and asks: make aws-check ACCOUNT=…
	@PYTHONPATH=.:packages/local-aws:packages/release-lane $(PYTHON) -m tests.contract.account --account "$(ACCOUNT)" --region "$(REGION)" $(OPTIONS)

lock: bootstrap ## renew requirements.lock and the other locks from what pyproject.toml asks for
	@$(PYTHON) -m tools.lock

dist: bootstrap ## wheels of all packages, in dist/
	@$(PYTHON) -m tools.dist

bootstrap:
	@./bootstrap
