# Every command a person or CI types. `make help` lists them.
STACK ?= local
PY    := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help up dev tools status preview drift render policy secrets-check smoke sweep backup backups restore down
.PHONY: test test-fast lint format client docs snapshots bench bench-preview bench-backtest bench-orders bench-restart

help: ## list the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: pyproject.toml app/pyproject.toml uv.lock toolchain/bootstrap.sh
	@toolchain/bootstrap.sh
	@touch $@

up: .venv/.ready ## bring up the cluster (unless KUBECONFIG names one) and the platform; safe to repeat
	@$(PY) -m toolchain.platform up --stack $(STACK)

dev: .venv/.ready ## the engine's roles as processes on a throw-away PostgreSQL and Redis; ctrl-C ends all (ARGS=--help)
	@$(PY) -m toolchain.dev $(ARGS)

tools: .venv/.ready ## pulumi, its plugins and kubectl, without a cluster; then `. .local/env`
	@$(PY) -m toolchain.platform tools --stack $(STACK)

status: .venv/.ready ## what runs, where it is reached, what it costs
	@$(PY) -m toolchain.platform status --stack $(STACK)

preview: .venv/.ready ## what `make up` would change, its risks and policies (STACK=local|staging|prod, ARGS=--help)
	@$(PY) -m toolchain.report preview --stack $(STACK) $(ARGS)

drift: .venv/.ready ## what the cluster has against what was declared, by object and field
	@$(PY) -m toolchain.report drift --stack $(STACK) $(ARGS)

render: .venv/.ready ## write the manifests of STACK under .local/render/, without a cluster
	@$(PY) -m toolchain.render $(STACK)

policy: render ## hold the manifests of STACK to the policies, without a cluster
	@$(PY) -m policies check .local/render/$(STACK) --environment $(STACK)

secrets-check: .venv/.ready ## every secret that STACK needs, whether it is set, and how to set it
	@$(PY) -m toolchain.platform secrets-check --stack $(STACK)

smoke: .venv/.ready ## ask the running platform of STACK whether it works (API=URL instead of a port-forward)
	@$(PY) -m toolchain.platform smoke --stack $(STACK) $(if $(API),--api $(API))

sweep: .venv/.ready ## a backtest's sweep shared among pods of STACK (ARGS="--strategy ema --vary fast=5,10", PARALLEL=2, CLAIM=, OUT=)
	@$(PY) -m toolchain.sweep --stack $(STACK) --parallel $(or $(PARALLEL),2) --claim "$(CLAIM)" --out "$(OUT)" -- $(ARGS)

backup: .venv/.ready ## take a backup of STACK now (KIND=full|diff)
	@$(PY) -m toolchain.platform backup --stack $(STACK) --kind $(or $(KIND),full)

backups: .venv/.ready ## backups of STACK with age and size, last archived log, check and rehearsal
	@$(PY) -m toolchain.platform backups --stack $(STACK)

restore: .venv/.ready ## the whole PostgreSQL of STACK from its backups (TO=moment, CONFIRM=stack)
	@$(PY) -m toolchain.platform restore --stack $(STACK) --to "$(TO)" --confirm "$(CONFIRM)"

drill-restore: .venv/.ready ## lose a table, then the whole cluster of STACK, and bring both back (GIB=1, CONFIRM=stack)
	@$(PY) -m drills.restore --stack $(STACK) --gib $(or $(GIB),1) --confirm "$(CONFIRM)"

down: .venv/.ready ## remove the platform and the local cluster; nothing stays behind
	@$(PY) -m toolchain.platform down --stack $(STACK)

test: .venv/.ready lint ## everything: lint, types, unit, plugins, cluster end to end
	@$(PY) -m pytest

test-fast: .venv/.ready ## what needs no cluster, under a minute
	@$(PY) -m pytest -n 2 -q -m "not cluster and not server and not scanner"

lint: .venv/.ready ## ruff, mypy strict, import rules, workflows and scripts
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy .
	@.venv/bin/lint-imports
	@$(PY) -m toolchain.checks workflows

format: .venv/.ready ## rewrite the code in the house format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

snapshots: .venv/.ready ## accept the present manifests as the expected ones
	@$(PY) -m toolchain.render --update-snapshots

client: .venv/.ready ## generate a Python client of the API into .local/client/
	@$(PY) -m toolchain.client

docs: .venv/.ready ## build the documentation site into .local/site/
	@.venv/bin/zensical build --strict
	@echo ".local/site/index.html"

bench-preview: .venv/.ready ## measure what policies and report add to the preview of prod's shape
	@$(PY) -m bench.preview

bench-backtest: .venv/.ready ## bars a second of a backtest, beside backtesting, backtrader and nautilus_trader (ARGS=--help)
	@$(PY) -m bench.backtest $(ARGS)

bench: .venv/.ready ## measure preview, up and idle cost of the running platform
	@$(PY) -m bench.platform

.PHONY: bench-orders bench-restart bench-signing

bench-orders: .venv/.ready ## measure the way of an order from the API to two disks, at 50 and 200 a second
	@$(PY) -m bench.orders $(ARGS)

bench-signing: .venv/.ready ## measure the processor time of the check of a signed request, by kind of key
	@$(PY) -m bench.signing $(ARGS)

bench-restart: .venv/.ready ## measure how soon the engine trades again with ORDERS=100000 in its history
	@$(PY) -m bench.restart --orders $(or $(ORDERS),100000)

# Checks by other people's tools, each pinned (docs/security-scanning.md)
.PHONY: lint-workflows security scan-secrets audit checkov kube-score sbom scan-images

lint-workflows: .venv/.ready ## actionlint, zizmor and shellcheck
	@$(PY) -m toolchain.checks workflows

security: .venv/.ready ## secrets, packages and the manifests of prod, all of them; exit 3 when a service was not reached
	@$(PY) -m toolchain.checks security

scan-secrets: .venv/.ready ## gitleaks over the tree and its history
	@$(PY) -m toolchain.checks secrets

audit: .venv/.ready ## pip-audit over every lock
	@$(PY) -m toolchain.checks packages

checkov: .venv/.ready ## checkov over the manifests of STACK
	@$(PY) -m toolchain.checks manifests --tool checkov --stack $(STACK)

kube-score: .venv/.ready ## kube-score over the manifests of STACK
	@$(PY) -m toolchain.checks manifests --tool kube-score --stack $(STACK)

sbom: .venv/.ready ## bills of materials of packages and images in .local/sbom/ (CycloneDX)
	@$(PY) -m toolchain.checks sbom

scan-images: .venv/.ready ## grype over the images' bills; needs its database from the internet
	@$(PY) -m toolchain.checks images

# The way of a change to an environment (docs/delivery.md)
.PHONY: release pin running plan deploy canary rotate rotate-epoch

release: .venv/.ready ## push this commit's images to REGISTRY, write their digests to .local/release.json
	@$(PY) -m toolchain.delivery release --registry "$(REGISTRY)"

pin: .venv/.ready ## write the digests of RELEASE into the file of STACK, in this checkout
	@$(PY) -m toolchain.delivery pin --stack $(STACK) --release "$(RELEASE)"

running: .venv/.ready ## commit and images that STACK runs, as a release
	@$(PY) -m toolchain.delivery running --stack $(STACK)

plan: .venv/.ready ## preview STACK and keep the plan in .local/plans/
	@$(PY) -m toolchain.delivery plan --stack $(STACK)

deploy: .venv/.ready ## update STACK without questions (PART=canary, then PART=rest, as planned)
	@$(PY) -m toolchain.delivery deploy --stack $(STACK) --part $(or $(PART),whole)

canary: .venv/.ready ## watch errors and latency of the API of STACK (ARGS=--help)
	@$(PY) -m toolchain.delivery canary --stack $(STACK) $(ARGS)

rotate: .venv/.ready ## rotate KIND of STACK: database|redis|api-keys|kubernetes|all, or status (ARGS=--dry-run; docs/rotation.md)
	@$(PY) -m toolchain.delivery rotate --stack $(STACK) --kind "$(KIND)" -- $(ARGS)

rotate-epoch: .venv/.ready ## only the next epoch of KIND in the file of STACK, to be reviewed (KIND=due: all past their interval)
	@$(PY) -m toolchain.delivery propose --stack $(STACK) --kind "$(KIND)"

# Faults under load, with numbers (docs/drills.md)
.PHONY: drill drill-postgres drill-redis drill-engine drill-soak drill-restore drill-rotation drill-peers
FAULTS ?= 1

drill: .venv/.ready ## break what runs in STACK under load, every class FAULTS times, and say what its clients saw
	@$(PY) -m drills all --stack $(STACK) --faults $(FAULTS) --confirm "$(CONFIRM)"

drill-postgres drill-redis drill-engine: drill-%: .venv/.ready ## the same for one of them (CLASS=name for one class of faults)
	@$(PY) -m drills $* --stack $(STACK) --faults $(FAULTS) --class "$(CLASS)" --confirm "$(CONFIRM)"

drill-soak: .venv/.ready ## random faults of all classes for MINUTES=60 under all clients; nothing lost, nothing left (SEED=n)
	@$(PY) -m drills.soak --stack $(STACK) --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED)) --confirm "$(CONFIRM)"

drill-rotation: .venv/.ready ## rotate every kind FAULTS times under load, the last with a failover (CLASS=name for one kind)
	@$(PY) -m drills.rotation --stack $(STACK) --faults $(FAULTS) --class "$(CLASS)" --confirm "$(CONFIRM)"

drill-peers: .venv/.ready ## the same faults against the platform and against plain Patroni and Sentinel, side by side
	@$(PY) -m drills.peers --stack $(STACK) --faults $(FAULTS) --class "$(CLASS)" --confirm "$(CONFIRM)"
