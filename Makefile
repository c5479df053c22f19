# Everything that is done with this repository, by name.
# Needs the Rust toolchain and Python 3 with its venv module; the other tools are installed below target/.

SHELL := bash
.DEFAULT_GOAL := help

BIN := $(CURDIR)/target/venv/bin
TOOLS := target/venv/.tools
CARGO_LAMBDA := target/venv/.cargo-lambda
MINISTACK := target/ministack/.installed
# Where cargo puts what it builds for this machine, and that machine as AWS calls it.
BUILT := $(or $(CARGO_TARGET_DIR),target)/debug
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
ARCHITECTURE := $(subst aarch64,arm64,$(shell uname -m))
# Naming an example makes Cargo build with the features that the tests ask for, too. So the programs and the tests stand
# on one set of dependencies; otherwise nearly all of them would be compiled a second time.
AS_TESTS := --example bootstrap
# What `.ci/run` does, in this order. Whoever adds to it sees what it costs in the table that `.ci/run` ends with.
TEST := lint test-rust check-template
CI := $(TEST) test-audio simulate mutants contract triggers deploy-local invoke-local
STRIPE_CLI_VERSION := 1.52.0
STRIPE_CLI := target/stripe-cli/.installed-$(STRIPE_CLI_VERSION)
BENCH := target/bench/.installed
CONTRACT_TOOLS := target/venv/.contract-tools
CARGO_TOOLS := target/cargo-tools/bin
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2

export SAM_CLI_TELEMETRY := 0
export PYTHONPYCACHEPREFIX := $(CURDIR)/target/pycache

.PHONY: help test lint test-rust programs test-audio ci-parts simulate mutants kill bench bench-sweep contract triggers fuzz check-template audit run demo build deploy deploy-local invoke-local

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

test: $(TEST) ## Check everything: format, lints, tests, template, API description

lint: ## Check the format and the lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

# A run that finds no test at all fails: it would otherwise look like success.
# The functions are built first because tests run and kill their programs, which `cargo test` does not build.
test-rust: programs ## Run the tests in Rust
	@echo cargo test --workspace --tests
	@set -o pipefail; cargo test --workspace --tests | awk '{ print } \
		/^test result:/ { passed += $$4; failed += $$6; ignored += $$8 } \
		END { printf "%d tests passed, %d failed, %d ignored\n", passed, failed, ignored; exit passed == 0 }'

programs: ## Build every program as the tests run it
	cargo build --workspace --bins $(AS_TESTS)

test-audio: ## Hold the lengths of two hundred audio files against what ffmpeg decodes of them
	@infra/audio/install-encoders
	cargo build -q -p audio-length --example measure
	python3 infra/audio/against_ffmpeg.py $(BUILT)/examples/measure

ci-parts: # For .ci/run
	@echo $(CI)

simulate: ## Play every set of two faults in each workflow, then a million schedules of faults; SEED=n tells that one, DIGEST=1 sums up what they do
	cargo run -q --profile simulation -p simulation --bin simulate -- \
		$(if $(SEED),--seed $(SEED) --story,--from $${FROM:-0} --count $${COUNT:-1000000}) $(if $(DIGEST),--digest)

mutants: ## Switch deliberate bugs on, one after the other, and have the simulation find each
	cargo test --profile simulation -p simulation --features mutants --test mutants -- --nocapture

bench-sweep: ## Sweep a million accounts in real time, DUE of them due (1000), at RATE attempts a second, and measure it
	cargo build -q --release -p top-up-sweep
	cargo run -q --profile simulation -p sweep-bench -- --functions $${CARGO_TARGET_DIR:-target}/release --due $${DUE:-1000} $(if $(RATE),--rate $(RATE))

# The two functions are built one after the other: built together, each would get the other's features.
bench: $(BENCH) ## Measure a charge beside Python and Node.js, and fail where a promise of docs/performance.md is broken
	cargo build --release -p charging
	cargo build --release -p bench-hello
	cargo run -q --profile simulation -p bench-charge -- --release $${CARGO_TARGET_DIR:-target}/release $(ARGUMENTS)

kill: programs ## Kill the compiled functions in the middle of their work, KILLS=500 times per workflow
	KILLS=$${KILLS:-500} cargo test -q -p tests --test integration kills:: -- --nocapture --test-threads=3

contract: $(CONTRACT_TOOLS) ## Hold the running API to its description with ten thousand generated requests
	cargo build -q --bin prepaid $(AS_TESTS)
	$(BIN)/python infra/checks/contract/contract.py $(BUILT)/prepaid $(if $(SEED),--seed $(SEED))

triggers: $(STRIPE_CLI) ## Play Stripe's own scenarios, by its own command line, against the stand-in for Stripe
	STRIPE_CLI=$(CURDIR)/target/stripe-cli/node_modules/.bin/stripe \
		cargo test -q -p local-stripe --test triggers -- --ignored --nocapture

# libFuzzer needs two flags of the compiler that are not stable yet; the sanitizers would need a compiler of their own,
# and there is no unsafe code of ours for them to watch.
fuzz: $(CARGO_TOOLS)/.cargo-fuzz-$(CARGO_FUZZ_VERSION) ## Look for inputs that break a rule; SECONDS=n for each, TARGET=name for one
	@tests/fuzz/run $(CARGO_TOOLS)/cargo-fuzz $(or $(SECONDS),60) $(TARGET)

# Nothing is asked of AWS: SAM wants to know a region, any will do, and no credentials are needed.
check-template: $(TOOLS) ## Check the template and the API description
	AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint
	$(BIN)/cfn-lint template.yaml
	$(BIN)/openapi-spec-validator infra/openapi.yaml
	$(BIN)/pytest -q -p no:cacheprovider infra/checks

audit: $(CARGO_TOOLS)/.cargo-deny-$(CARGO_DENY_VERSION) ## Check licences, unwanted crates and known vulnerabilities
	infra/checks/audit $(CARGO_TOOLS)/cargo-deny

run: ## Start the whole system on this machine
	cargo run

demo: ## Walk through the product on this machine
	cargo run -- demo

build: $(TOOLS) $(CARGO_LAMBDA) ## Build the functions for Lambda; takes PARAMETERS as deploy does
	PATH="$(BIN):$$PATH" sam build $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS))

deploy: build ## Deploy into your AWS account; asks, or takes PARAMETERS="JwtIssuer=… JwtAudience=… …"
	$(BIN)/sam deploy $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS),--guided)

# The template, its build instructions and the code are those of `make deploy`. What differs is that SAM asks for a debug
# build, and cargo-lambda compiles for this machine alone: the optimizer and the linking for Amazon Linux take most of the
# minutes and change no behavior.
deploy-local: export SAM_BUILD_MODE := debug
deploy-local: export CARGO_LAMBDA_COMPILER := cargo
deploy-local: $(TOOLS) $(CARGO_LAMBDA) $(MINISTACK) ## Deploy into a stand-in for AWS and play the main job there
	cargo build --bin prepaid $(AS_TESTS)
	PATH="$(BIN):$$PATH" AWS_DEFAULT_REGION=us-east-1 sam build \
		--parameter-overrides Architecture=$(ARCHITECTURE) --build-dir target/deploy-local/build
	target/ministack/bin/python infra/rehearsals/deploy.py --prepaid $(BUILT)/prepaid \
		--build target/deploy-local/build --architecture $(ARCHITECTURE) --sam $(BIN)/sam

# The functions are built as `cargo lambda watch` builds them, which then finds them built. Named as a target, this machine
# has the libraries that `make deploy-local` has compiled.
invoke-local: $(CARGO_LAMBDA) $(MINISTACK) ## Invoke functions through cargo-lambda with the services' own events
	cargo build --bin prepaid $(AS_TESTS)
	CARGO_BUILD_TARGET=$(HOST) cargo build --bin charging --bin notifications --bin top-up-sweep
	CARGO_BUILD_TARGET=$(HOST) PATH="$(BIN):$$PATH" target/ministack/bin/python infra/rehearsals/invoke.py --prepaid $(BUILT)/prepaid

$(CARGO_TOOLS)/.cargo-deny-$(CARGO_DENY_VERSION):
	cargo install --locked --root target/cargo-tools cargo-deny@$(CARGO_DENY_VERSION)
	@touch $@

$(CARGO_TOOLS)/.cargo-fuzz-$(CARGO_FUZZ_VERSION):
	cargo install --locked --root target/cargo-tools cargo-fuzz@$(CARGO_FUZZ_VERSION)
	@touch $@

$(TOOLS): infra/checks/requirements.txt
	@infra/checks/install-tools $<
	@touch $@

$(CONTRACT_TOOLS): infra/checks/requirements-contract.txt $(TOOLS)
	@infra/checks/install-tools $<
	@touch $@

$(CARGO_LAMBDA): infra/checks/requirements-build.txt $(TOOLS)
	@infra/checks/install-tools $<
	@touch $@

$(MINISTACK): infra/rehearsals/requirements.txt infra/checks/install-tools
	@infra/checks/install-tools $< target/ministack
	@touch $@

$(STRIPE_CLI):
	@mkdir -p $(@D)
	npm install --silent --no-audit --no-fund --no-package-lock --prefix $(@D) @stripe/cli@$(STRIPE_CLI_VERSION)
	@touch $@

$(BENCH): infra/bench/install $(wildcard infra/bench/python/*.* infra/bench/node/*.*)
	@infra/bench/install
	@touch $@
