# Parley needs Node 20.19 or newer, npm and make; everything else comes from the npm registry, pinned in package-lock.json.
SHELL := /bin/bash
BIN := node_modules/.bin
BUN := $(BIN)/bun
INSTALLED := node_modules/.installed
WEB := web/dist/index.html
WEB_SOURCES := $(shell find web/src web/public web/index.html web/vite.config.ts sdk protocol -type f \
	-not -path '*/dist/*' -not -name '*.test.ts' 2> /dev/null)

.DEFAULT_GOAL := help
.PHONY: all run dev setup web sdk build test test-quick test-unit test-e2e test-cluster chaos bench lint lint-fix fmt types hooks release release-files audit sbom \
        api chat cluster migrate-up migrate-down migrate-status docker-build docker-up docker-down docker-logs help

all: lint test-unit test-e2e build ## lint, test and build

run: setup web ## install, build the web client, migrate and serve on SERVER_PORT (8080), with data in DATA_DIR (./data)
	@exec $(BUN) server/main.ts serve

dev: setup web ## server and web client with hot reload; the client is on http://localhost:5173
	@trap 'kill 0' EXIT; $(BUN) --bun $(BIN)/vite --config web/vite.config.ts & $(BUN) --watch server/main.ts serve

setup: $(INSTALLED) ## install what is pinned

$(INSTALLED): package.json package-lock.json
	@command -v node > /dev/null || { echo "Parley needs Node 20.19 or newer, with npm: https://nodejs.org"; exit 1; }
	@node scripts/require-node.cjs
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web: $(WEB) ## build the web client, where it changed

$(WEB): $(INSTALLED) $(WEB_SOURCES)
	$(BUN) --bun $(BIN)/vite build --config web/vite.config.ts --logLevel warn

sdk: setup ## build the SDK's package: sdk/dist
	$(BUN) sdk/build.ts

build: setup web ## one executable file with everything in it: dist/parley
	$(BUN) scripts/build.ts

test: setup lint web ## install, lint, check types and run every test
	@scripts/test.sh

test-quick: setup types ## types, style, and the tests that need nothing but Node: in a minute
	$(BIN)/biome check --error-on-warnings .
	@scripts/test.sh quick

test-unit: setup ## the tests that stand beside their code
	@scripts/test.sh unit

test-e2e: setup web ## the tests through the front door
	@scripts/test.sh e2e

test-cluster: setup web ## the tests through the front door, and the model (SEEDS=…), on three nodes with PostgreSQL and Redis
	@scripts/test.sh e2e-nodes model-nodes

chaos: setup ## the long rounds: crashes under load, of one machine and of nodes; the model with 3,000 seeds (SEEDS=…); about two hours
	CRASHES=100 NODE_KILLS=20 POSTGRES_KILLS=10 REDIS_RESTARTS=10 REDIS_DOWN_S=60 SILENCES=20 SKEWED_S=90 \
	SEEDS=$(or $(SEEDS),3000) $(BUN) test --timeout 1800000 ./tests/chaos

bench: setup ## measure Parley beside its peers; writes docs/benchmarks/
	$(BUN) bench/main.ts $(ARGS)

lint: setup types ## check style, types, which way dependencies point, and their licences
	$(BIN)/biome check --error-on-warnings .
	$(BIN)/svelte-check --tsconfig web/tsconfig.json --fail-on-warnings
	$(BUN) scripts/api.ts --check
	$(BIN)/depcruise --config .dependency-cruiser.cjs server protocol sdk terminal bench tests web/src
	$(BIN)/depcruise --config .dependency-cruiser-folders.cjs server protocol sdk terminal web/src
	$(BUN) scripts/licences.ts
	$(BUN) scripts/workflows.ts

hooks: setup ## check style and types before each commit (git config core.hooksPath undoes it)
	$(BIN)/simple-git-hooks

release: setup ## make release VERSION=1.2.3: the changelog, the version, a commit and its tag
	$(BUN) scripts/release.ts version "$(VERSION)"

release-files: setup web ## what users download: executables, the SDK, what is in them, checksums: dist/release
	$(BUN) scripts/release.ts files $(SYSTEMS)

audit: ## ask the registry what holes are known in the packages; SECURITY.md says how soon they are mended
	npm audit --audit-level=moderate

sbom: | dist ## list every package with its version, licence and checksum, in CycloneDX: dist/parley.cdx.json
	npm sbom --sbom-format=cyclonedx --package-lock-only > dist/parley.cdx.json

dist:
	@mkdir -p dist

types: setup
	$(BIN)/tsc --noEmit

lint-fix: setup ## mend what can be mended by itself
	$(BIN)/biome check --write .

fmt: setup ## format
	$(BIN)/biome format --write .

api: setup ## make the documents of the API and its types anew: api/
	$(BUN) scripts/api.ts

chat: setup ## talk from the terminal: make chat ARGS="--url http://localhost:8080"
	@exec $(BUN) terminal/main.ts $(ARGS)

migrate-up: setup ## bring the schema up to date
	@$(BUN) server/main.ts migrate up

migrate-down: setup ## take the last step of the schema back, with the data that it holds
	@$(BUN) server/main.ts migrate down

migrate-status: setup ## say which steps of the schema are applied
	@$(BUN) server/main.ts migrate status

cluster: setup web ## PostgreSQL, Redis, three nodes and a proxy on free ports, from this machine's packages
	@exec $(BUN) scripts/cluster.ts

docker-build: .env ## build the image of compose.yaml: parley:local
	docker compose build

docker-up: .env ## start PostgreSQL, Redis, two nodes and a proxy in containers: http://localhost:8080
	docker compose up --build --detach --wait

docker-down: .env ## stop them; their data stays in its volumes
	docker compose down

docker-logs: .env ## follow what they write
	docker compose logs --follow --tail=100

# Secrets of one's own, for nobody else's eyes.
.env: | .env.example
	@umask 077 && sed \
	  -e "s/^COMPOSE_POSTGRES_PASSWORD=$$/&$$(openssl rand -hex 24)/" \
	  -e "s/^COMPOSE_REDIS_PASSWORD=$$/&$$(openssl rand -hex 24)/" \
	  -e "s/^COMPOSE_JWT_SECRET=$$/&$$(openssl rand -hex 48)/" .env.example > .env
	@echo "Made .env, with secrets of its own"

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
