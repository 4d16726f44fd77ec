# Every command a person or CI types. `make help` lists them.
STACK ?= local
PY    := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help up status preview render policy down test test-fast lint format docs bench snapshots

help: ## list the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: pyproject.toml app/pyproject.toml uv.lock toolchain/bootstrap.sh
	@toolchain/bootstrap.sh
	@touch $@

up: .venv/.ready ## bring up the cluster (unless KUBECONFIG names one) and the platform; safe to repeat
	@$(PY) -m toolchain.platform up --stack $(STACK)

status: .venv/.ready ## what runs, where it is reached, what it costs
	@$(PY) -m toolchain.platform status --stack $(STACK)

preview: .venv/.ready ## what `make up` would change (STACK=local|staging|prod)
	@$(PY) -m toolchain.platform preview --stack $(STACK)

render: .venv/.ready ## write the manifests of STACK under .local/render/, without a cluster
	@$(PY) -m toolchain.render $(STACK)

policy: render ## hold the manifests of STACK to the policies, without a cluster
	@$(PY) -m policies check .local/render/$(STACK) --environment $(STACK)

down: .venv/.ready ## remove the platform and the local cluster; nothing stays behind
	@$(PY) -m toolchain.platform down --stack $(STACK)

test: .venv/.ready lint ## everything: lint, types, unit, plugins, cluster end to end
	@$(PY) -m pytest

test-fast: .venv/.ready ## what needs no cluster, under a minute
	@$(PY) -m pytest -m "not cluster"

lint: .venv/.ready ## ruff, mypy strict, import rules
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy .
	@.venv/bin/lint-imports

format: .venv/.ready ## rewrite the code in the house format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

snapshots: .venv/.ready ## accept the present manifests as the expected ones
	@$(PY) -m toolchain.render --update-snapshots

docs: .venv/.ready ## build the documentation site into .local/site/
	@.venv/bin/zensical build --strict
	@echo ".local/site/index.html"

bench: .venv/.ready ## measure preview, up and idle cost of the running platform
	@$(PY) -m bench.platform
