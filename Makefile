# Every target installs what it needs. `make` alone prints what there is.

GO      ?= go
PYTHON  ?= python3
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
BIN     := bin/sparkwright
# Tests share one runtime, so that pyspark is installed once.
# One compiled set for every checkout and for build and test alike.
export GOFLAGS += -trimpath
# Spark's Java compiles once, quickly: in a test it is over before more pays.
TEST_JAVA := -XX:TieredStopAtLevel=1
export SPARKWRIGHT_TEST_HOME ?= $(HOME)/.cache/sparkwright-test
TOOLS   := $(CURDIR)/bin/tools
VENV    := $(CURDIR)/bin/venv
# The page: built only when its sources have changed, packages installed only when the lock file has.
WEB_DIST := internal/server/web/dist/index.html
WEB_NODE := web/node_modules/.done
WEB_SOURCES := $(shell find web/src web/public web/scripts -type f) $(wildcard web/*.*) docs/openapi.json
# Python that is not of the client; ruff.toml has its rules.
PYTHON_BESIDE := deploy internal scripts

.DEFAULT_GOAL := help
.PHONY: help fuzz mutants sbom audit build demo demo-aws serve soak test check lint lint-web test-go test-python test-web chromium screenshots bench eval cross fmt clean FORCE

help: ## print this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

build: $(BIN) ## build bin/sparkwright with the page in it

$(BIN): FORCE $(WEB_DIST)
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/sparkwright

FORCE:

$(WEB_DIST): $(WEB_SOURCES) $(WEB_NODE)
	cd web && npm run --silent build

$(WEB_NODE): web/package.json web/package-lock.json
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null || \
		{ echo "the page needs Node 20.19 or newer with npm" >&2; exit 1; }
	cd web && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

demo: build ## answer a few questions about the built-in shop data
	$(BIN) demo

demo-aws: build ## ask a PostgreSQL question on an emulated EMR Serverless; KEEP=1 keeps it, BREAK=name breaks something
	$(BIN) emulate emr-serverless $(if $(KEEP),--keep) $(addprefix --break ,$(BREAK)) -- \
		$(CURDIR)/$(BIN) verify postgres --table sales.orders --question "How many orders are there?"

serve: build ## serve the HTTP API with the demo data on 127.0.0.1:8000
	$(BIN) serve --demo

test: lint test-python test-web test-go ## run every test: lint, Python, the page, Go with the race detector

check: lint ## lint Go and Python, and prove that other systems build
	$(MAKE) cross

lint: lint-web $(TOOLS)/golangci-lint $(VENV)/.done
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(TOOLS)/golangci-lint run ./...
	cd python && $(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy --strict sparkwright_client
	$(VENV)/bin/ruff check $(PYTHON_BESIDE) && $(VENV)/bin/ruff format --check $(PYTHON_BESIDE)

test-go: build chromium
	SPARKWRIGHT_HOME=$(SPARKWRIGHT_TEST_HOME) $(BIN) runtime install
	SPARKWRIGHT_HOME=$(SPARKWRIGHT_TEST_HOME) $(BIN) runtime install --spark 3.5
	SPARK_SUBMIT_OPTS="$(TEST_JAVA)" $(GO) test -race -p 3 -timeout 50m ./...

lint-web: $(WEB_NODE)
	cd web && npm run --silent check && npm run --silent lint

test-web: $(WEB_NODE)
	cd web && npm run --silent test

# The page is tested in a real browser: a missing one is installed where that is allowed.
chromium: ## install Chromium for the end-to-end script of the page, when it is missing
	@test -x "$${CHROMIUM:-/usr/bin/chromium}" || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -y --no-install-recommends chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; }; }; } || \
		{ echo "the end-to-end script of the page needs Chromium: install it, or name it in CHROMIUM" >&2; exit 1; }

screenshots: build chromium ## make the pictures of docs/screenshots anew, by the test of the page
	@mkdir -p docs/screenshots
	SPARKWRIGHT_HOME=$(SPARKWRIGHT_TEST_HOME) $(BIN) runtime install
	SPARKWRIGHT_SCREENSHOTS_DIR=$(CURDIR)/docs/screenshots $(GO) test -count=1 -run '^TestPage$$' ./cmd/sparkwright

test-python: $(VENV)/.done
	cd python && $(VENV)/bin/python -m pytest -q

fuzz: ## fuzz what reads text of others, FUZZ=1m each
	for t in FuzzManifest:./internal/artifact FuzzReply:./internal/codegen FuzzSettings:./internal/settings; do \
		$(GO) test -run none -fuzz "^$${t%%:*}$$" -fuzztime $(or $(FUZZ),1m) $${t#*:} || exit 1; done

mutants: ## leave each wall out, alone: its own test must fail
	SPARKWRIGHT_MUTANTS=1 $(GO) test -count=1 -timeout 60m -run 'TestMutants|TestWalls' ./internal/redteam

soak: KILLS ?= 200
soak: build ## the long tests: hundreds of killed processes, with Spark, KILLS=200 of each kind; 1,000 runs under concurrent writers; pushdown against whole reads
	SPARKWRIGHT_SOAK_ROUNDS=1000 $(GO) test -count=1 -timeout 60m -run TestConsistentUnderWriters ./internal/broker
	$(GO) test -tags soak -count=1 -timeout 1h -v -run 'TestConformance' ./internal/executor/emrserverless
	SPARKWRIGHT_SOAK_KILLS=$(KILLS) $(GO) test -tags soak -count=1 -timeout 4h -v -run 'Soak' ./internal/fake/lab
	SPARKWRIGHT_LONG=1 $(GO) test -count=1 -timeout 1h -run 'TestMoveFromLambda' ./cmd/sparkwright
	SPARKWRIGHT_LONG=1 $(GO) test -count=1 -timeout 1h -run 'TestJobLogsInByIAM|TestLambdaRunsTheScript' ./internal/fake/lab
	$(GO) test -tags soak -count=1 -timeout 4h -v -run 'TestSoakParity' ./internal/readplan
	$(GO) test -run none -fuzz FuzzCheck -fuzztime 10m ./internal/sqlguard
	for f in FuzzClient FuzzFrames FuzzScan; do $(GO) test -run none -fuzz $$f\$$ -fuzztime 5m ./internal/broker || exit 1; done
	$(MAKE) fuzz FUZZ=10m
	$(MAKE) mutants
	SPARKWRIGHT_SOAK_KILLS=$(KILLS) $(GO) test -count=1 -v -timeout 90m ./internal/crashtest

bench: build chromium ## measure: both arms in one run, median of several
	SPARKWRIGHT_HOME=$(SPARKWRIGHT_TEST_HOME) $(BIN) runtime install
	$(GO) run ./bench/readers
	SPARKWRIGHT_TEST_HOME=$(SPARKWRIGHT_TEST_HOME) $(GO) run ./bench/sandbox
	SPARKWRIGHT_TEST_HOME=$(SPARKWRIGHT_TEST_HOME) $(GO) run ./bench/reads
	SPARKWRIGHT_TEST_HOME=$(SPARKWRIGHT_TEST_HOME) $(GO) run ./bench/reads -memory
	SPARKWRIGHT_HOME=$(SPARKWRIGHT_TEST_HOME) $(GO) run ./bench/queue
	SPARKWRIGHT_HOME=$(SPARKWRIGHT_TEST_HOME) $(GO) run ./bench/page
	SPARKWRIGHT_HOME=$(SPARKWRIGHT_TEST_HOME) $(GO) run ./bench

eval: build ## score the generator; SUITE=DIR for another suite, ANSWERS=FILE to go on where it broke off, EVAL=FLAGS
	SPARKWRIGHT_HOME=$(SPARKWRIGHT_TEST_HOME) $(BIN) runtime install
	SPARKWRIGHT_HOME=$(SPARKWRIGHT_TEST_HOME) $(BIN) eval $(or $(SUITE),eval/natural-spark) --rules internal/planner $(if $(ANSWERS),--resume --answers $(ANSWERS)) $(EVAL)

cross: ## build for every supported system
	for p in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do \
		echo $$p; CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -o /dev/null ./cmd/sparkwright || exit 1; done

fmt: $(TOOLS)/golangci-lint $(VENV)/.done ## format Go and Python
	$(TOOLS)/golangci-lint fmt ./...
	cd python && $(VENV)/bin/ruff format .
	$(VENV)/bin/ruff format $(PYTHON_BESIDE)

sbom: $(TOOLS)/cyclonedx-gomod $(WEB_NODE) ## write the bill of materials (CycloneDX) of Go and of the page to bin/sbom; Python's is in the requirements files
	@mkdir -p bin/sbom
	$(TOOLS)/cyclonedx-gomod mod -json -licenses -type application -output bin/sbom/go.cdx.json .
	cd web && npm sbom --sbom-format cyclonedx --omit dev > ../bin/sbom/page.cdx.json

audit: $(TOOLS)/govulncheck $(VENV)/.audit ## ask the public databases about vulnerabilities of every dependency; what cannot be asked fails
	scripts/audit.sh $(TOOLS)/govulncheck $(VENV)/bin/pip-audit

clean: ## remove what make has built here
	rm -rf bin web/node_modules $(WEB_DIST) $(dir $(WEB_DIST))assets

$(TOOLS)/golangci-lint: tools/go.mod
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(TOOLS)/cyclonedx-gomod: tools/audit/go.mod
	@mkdir -p $(TOOLS)
	cd tools/audit && $(GO) build -o $@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

$(TOOLS)/govulncheck: tools/audit/go.mod
	@mkdir -p $(TOOLS)
	cd tools/audit && $(GO) build -o $@ golang.org/x/vuln/cmd/govulncheck

# Not among the pinned packages of the tests: it only looks at files.
$(VENV)/.audit: $(VENV)/.done
	$(VENV)/bin/pip install --quiet --disable-pip-version-check pip-audit==2.9.0
	touch $@

$(VENV)/.done: python/requirements.txt python/requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r python/requirements.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r python/requirements-dev.txt
	touch $@
