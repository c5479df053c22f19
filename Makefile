# Everything that is done with this repository, by name.
# Needs the Rust toolchain and Python 3 with its venv module; the other tools are installed below target/.

SHELL := bash
.DEFAULT_GOAL := help

BIN := $(CURDIR)/target/venv/bin
TOOLS := target/venv/.tools
CARGO_LAMBDA := target/venv/.cargo-lambda

export SAM_CLI_TELEMETRY := 0
export PYTHONPYCACHEPREFIX := $(CURDIR)/target/pycache

.PHONY: help test test-rust simulate bench-sweep check-template run demo build deploy

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

test: test-rust check-template ## Check everything: format, lints, tests, template, API description

# A run that finds no test at all fails: it would otherwise look like success.
test-rust: ## Check the Rust alone
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@echo cargo test --workspace
	@set -o pipefail; cargo test --workspace | awk '{ print } \
		/^test result:/ { passed += $$4; failed += $$6; ignored += $$8 } \
		END { printf "%d tests passed, %d failed, %d ignored\n", passed, failed, ignored; exit passed == 0 }'

simulate: ## Play many more schedules of faults than the tests do; SEED=n plays and tells that one
	cargo run -q -p simulation --bin simulate -- $(if $(SEED),--seed $(SEED) --story,--from $${FROM:-10000} --count $${COUNT:-100000})

bench-sweep: ## Sweep a million accounts in real time, DUE of them due (1000), at RATE attempts a second, and measure it
	cargo build -q --release -p top-up-sweep
	cargo run -q --release -p sweep-bench -- --functions target/release --due $${DUE:-1000} $(if $(RATE),--rate $(RATE))

# Nothing is asked of AWS: SAM wants to know a region, any will do, and no credentials are needed.
check-template: $(TOOLS) ## Check the template and the API description
	AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint
	$(BIN)/cfn-lint template.yaml
	$(BIN)/openapi-spec-validator infra/openapi.yaml
	$(BIN)/pytest -q -p no:cacheprovider infra/checks

run: ## Start the whole system on this machine
	cargo run

demo: ## Walk through the product on this machine
	cargo run -- demo

build: $(TOOLS) $(CARGO_LAMBDA) ## Build the functions for Lambda
	PATH="$(BIN):$$PATH" sam build

deploy: build ## Deploy into your AWS account; asks, or takes PARAMETERS="JwtIssuer=… JwtAudience=… …"
	$(BIN)/sam deploy $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS),--guided)

$(TOOLS): infra/checks/requirements.txt
	@infra/checks/install-tools $<
	@touch $@

$(CARGO_LAMBDA): infra/checks/requirements-build.txt $(TOOLS)
	@infra/checks/install-tools $<
	@touch $@
