# Everything here needs Go, and Node for the page that browsers show; `make test`
# also uses PostgreSQL, strace, tmux and Chromium where they can be had.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# A static binary: no C compiler to build it, no libc to run it.
export CGO_ENABLED ?= 0

GO   ?= go
DATA ?= ./data

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/sconced (server), bin/sconce (client) and bin/sconce-demo
	scripts/web.sh --if-able
	$(GO) build -trimpath -ldflags='-s -w' -o bin/ ./cmd/sconced ./cmd/sconce ./cmd/sconce-demo

.PHONY: web
web: ## Build the page for browsers, which the programs carry
	scripts/web.sh

.PHONY: run
run: build ## Build, then run a server that keeps its data in DATA (./data)
	bin/sconced run --data $(DATA)

.PHONY: demo
demo: build ## Build, then run a server with a few people in it to try things on
	bin/sconce-demo --data $(DATA)

.PHONY: test
test: ## Run every check and test; on Debian as root, install what they need
	scripts/test.sh

.PHONY: check
check: ## Before you send it: formatting, vet, generated code, arrows
	scripts/check.sh
	scripts/generate.sh --check
	$(GO) test -count=1 ./internal/arch/

.PHONY: generate
generate: ## Make the generated code again (sqlc, go generate)
	scripts/generate.sh

.PHONY: bench
bench: ## Measure what is promised into docs/performance.md; QUICK=1 for a short run, ONLY=pairs for one row
	$(GO) run ./internal/bench $(if $(QUICK),-quick) $(if $(ONLY),-only $(ONLY))

.PHONY: interop
interop: ## Be in the same groups as npm ts-mls, at full length; needs Node and npm
	SCONCE_INTEROP=full $(GO) test -count=1 -timeout 120m ./internal/interop/

.PHONY: variants
variants: ## Test mls with the FIPS 140-3 module, and with runtime/secret
	scripts/variants.sh

.PHONY: fips
fips: ## Test mls with the FIPS 140-3 module alone
	scripts/variants.sh fips

.PHONY: fuzz
fuzz: ## Fuzz every decoder for FUZZTIME (30s) each
	scripts/fuzz.sh

.PHONY: soak
soak: ## Repeat the property tests and 1,000 seeds of the simulation for SOAKTIME (600 seconds)
	scripts/soak.sh

.PHONY: cover
cover: ## Measure what the tests reach, into coverage.html
	$(GO) test -coverpkg=./... -coverprofile=coverage.out ./...
	$(GO) tool cover -html=coverage.out -o coverage.html
	$(GO) tool cover -func=coverage.out | tail -n 1

.PHONY: clean
clean: ## Remove what builds and measurements left; never DATA
	rm -rf bin coverage.out coverage.html
