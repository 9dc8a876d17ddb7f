# The one place that knows how things are built, tested and shown. Needs Go and a C compiler;
# what else a target can use (npm, chromium, prosody, postgresql) it uses when it is there.

SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c

TAGS    := goolm
CACHE   := $(CURDIR)/.cache
TOOLS   := $(CACHE)/tools
BIN     := bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -X main.Tag=$(VERSION) -X main.Commit=$(COMMIT) -X 'main.BuildTime=$(shell date -u +%Y-%m-%dT%H:%M:%SZ)'
# Modules of the tree, each tidy and vetted by itself; the two tools modules hold no code.
MODULES := . e2e
ALL_MODULES := . tools e2e e2e/tools
# How long one package's tests may take: the first run of e2e also compiles a homeserver.
TEST_TIMEOUT ?= 25m
FUZZ_TIME ?= 20s
# Go files that are ours, new ones included, deleted ones not.
GO_FILES := git ls-files --cached --others --exclude-standard '*.go' | while read -r f; do [ ! -e "$$f" ] || echo "$$f"; done

export CGO_ENABLED := 1
# The version is given by -ldflags; a checkout that belongs to somebody else must build, too.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: ## the programs, in bin/
	@mkdir -p $(BIN)
	go build -tags $(TAGS) -ldflags "$(LDFLAGS)" -o $(BIN)/ ./cmd/...

.PHONY: demo
demo: ## a homeserver, the service, the bridge and a conversation between them; Ctrl-C ends it
	@echo "Building the demo (the first time takes some minutes: a homeserver is compiled too)"
	@go build -C e2e -tags $(TAGS) -o $(CACHE)/demo ./cmd/demo
	@$(CACHE)/demo $(DEMO_FLAGS)

.PHONY: test
test: lint unit e2e ## everything: format, linters, tidy, all tests of both modules with -race

.PHONY: unit
unit: $(TOOLS)/testreport ## the root module's tests
	@echo "== tests: matrix-messenger"
	@go test -json -race -tags $(TAGS) -timeout $(TEST_TIMEOUT) ./... | $(TOOLS)/testreport

.PHONY: e2e
e2e: $(TOOLS)/testreport ## tests against real peers
	@echo "== tests: matrix-messenger/e2e"
	@go test -C e2e -json -race -tags $(TAGS) -timeout $(TEST_TIMEOUT) ./... | $(TOOLS)/testreport

.PHONY: lint
lint: format vet staticcheck deadcode tidy ## format, go vet, staticcheck, dead code, tidy go.mod files

.PHONY: format
format: $(TOOLS)/gofumpt
	@echo "== gofumpt"
	@out=$$($(GO_FILES) | xargs $(TOOLS)/gofumpt -l) || exit 1; \
	if [ -n "$$out" ]; then echo "not formatted (run 'make fix'):"; echo "$$out"; exit 1; fi

.PHONY: fix
fix: $(TOOLS)/gofumpt ## format all Go files
	$(GO_FILES) | xargs $(TOOLS)/gofumpt -w

.PHONY: vet
vet:
	@for module in $(MODULES); do echo "== go vet $$module"; (cd $$module && go vet -tags $(TAGS) ./...) || exit 1; done

.PHONY: staticcheck
staticcheck: $(TOOLS)/staticcheck
	@for module in $(MODULES); do echo "== staticcheck $$module"; (cd $$module && $(TOOLS)/staticcheck -tags $(TAGS) ./...) || exit 1; done

# What the programs reach is asked of the product alone: the rest of the tree is for tests, and what not even a test
# reaches is dead there, too.
PRODUCT := (bridge|cmd|database|matrixside|messengerd|oauth|xmppside)

.PHONY: deadcode
deadcode: $(TOOLS)/deadcode
	@echo "== deadcode"
	@list='{{range .Funcs}}{{printf "%s.%s %s:%d\n" $$.Path .Name .Position.File .Position.Line}}{{end}}'; \
	{ $(TOOLS)/deadcode -tags $(TAGS) -f "$$list" -filter '^matrix-messenger/$(PRODUCT)' ./cmd/... \
	&& $(TOOLS)/deadcode -test -tags $(TAGS) -f "$$list" -filter '^matrix-messenger/' ./... \
	&& cd e2e && $(TOOLS)/deadcode -test -tags $(TAGS) -f "$$list" -filter '^matrix-messenger/e2e' ./...; } \
	| awk -f tools/deadcode.awk tools/deadcode.allow - >&2

.PHONY: tidy
tidy:
	@for module in $(ALL_MODULES); do echo "== go mod tidy -diff $$module"; (cd $$module && go mod tidy -diff) || exit 1; done

.PHONY: image
image: ## the container image, with version and commit inside (docker)
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t matrix-messenger .

.PHONY: image-test
image-test: ## build the container image without a registry and run it (Debian, root, buildah, debootstrap)
	@deploy/image-test

.PHONY: systemd-test
systemd-test: ## boot a systemd and run the unit in it (root, systemd-container)
	@SYSTEMD_BOOT=1 go test -C e2e -v -tags $(TAGS) -count 1 -timeout $(TEST_TIMEOUT) -run 'Systemd|Unit' ./deploy

.PHONY: synapse-test
synapse-test: ## the tests of e2e against Synapse instead of Dendrite (root, debootstrap: installs Debian unstable's below .cache/)
	@E2E_HOMESERVER=synapse go test -C e2e -v -race -tags $(TAGS) -count 1 -timeout $(TEST_TIMEOUT) . ./deploy

.PHONY: bench
bench: build ## the budgets of the design, measured in one table; BENCH_FLAGS (-h tells) for less than the twenty minutes of it all
	@go build -tags $(TAGS) -o $(CACHE)/bench ./bench
	@$(CACHE)/bench -bridge $(BIN)/matrix-messenger $(BENCH_FLAGS)

.PHONY: bench-parts
bench-parts: ## benchmarks of single parts, beside the code
	go test -tags $(TAGS) -run '^$$' -bench . -benchmem -timeout $(TEST_TIMEOUT) ./...
	go test -C e2e -tags $(TAGS) -run '^$$' -bench . -benchmem -timeout $(TEST_TIMEOUT) ./...

.PHONY: chaos
chaos: $(TOOLS)/testreport ## kill -9 and other trouble, many rounds: CHAOS_ROUNDS (100) from CHAOS_SEED on, as root with a full disk too
	@CHAOS=1 go test -v -tags $(TAGS) -count 1 -run Chaos -timeout 90m ./internal/chaos
	@CHAOS=1 go test -json -race -tags $(TAGS) -count 1 -run 'Kill|Crash' -timeout 60m ./... | $(TOOLS)/testreport
	@CHAOS=1 go test -C e2e -json -race -tags $(TAGS) -count 1 -run 'Kill|Chaos|Crash' -timeout 60m ./... | $(TOOLS)/testreport

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_TIME
	@grep -rnoE --include='*_test.go' --exclude-dir=e2e --exclude-dir=.cache '^func Fuzz[A-Za-z0-9_]*' . \
	| sed -E 's#^\./(.*)/[^/]+:[0-9]+:func (Fuzz.*)#\1 \2#' | sort -u | while read -r dir target; do \
		echo "== $$target in $$dir"; \
		go test -tags $(TAGS) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) ./$$dir < /dev/null || exit 1; \
	done

.PHONY: clean
clean: ## what the targets above made, the caches too
	rm -rf $(BIN) $(CACHE) e2e/web/node_modules e2e/web/dist

$(TOOLS)/deadcode $(TOOLS)/gofumpt $(TOOLS)/staticcheck: tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS)
	@echo "== building the linters"
	@go build -C tools -o $(TOOLS)/ tool
	@touch $(TOOLS)/deadcode $(TOOLS)/gofumpt $(TOOLS)/staticcheck

$(TOOLS)/testreport: internal/lint/testreport/main.go internal/lint/testreport/report.go
	@mkdir -p $(TOOLS)
	@go build -o $@ ./internal/lint/testreport
