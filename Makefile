# The commands of this repository.
# They need the Rust toolchain and Python 3 with its venv module, and install all other tools below target/.

SHELL := bash
.DEFAULT_GOAL := help

BIN := $(CURDIR)/target/venv/bin
TOOLS := target/venv/.tools
CARGO_LAMBDA := target/venv/.cargo-lambda
MINISTACK := target/ministack/.installed
# The directory of cargo's builds for this machine, and AWS's name for the machine's architecture.
BUILT := $(or $(CARGO_TARGET_DIR),target)/debug
ARCHITECTURE := $(subst aarch64,arm64,$(shell uname -m))
# With the features that the tests need, the programs and the tests share one set of libraries; otherwise nearly all of them
# would be compiled twice. For the same reason the commands below select no package: then Cargo takes the features of all.
AS_TESTS := --features tests/libraries
# These commands compile this workspace with Clippy in place of the compiler, which it contains: one compilation lints and
# builds, and a warning is an error. What Clippy builds is less optimized, so whatever is deployed, measured or simulated a
# million times takes the compiler itself.
LINTED := lint test-rust mails programs test-pages test-audio hot-accounts kill contract triggers test-peers ledgers deploy-local invoke-local
$(LINTED): export RUSTC_WORKSPACE_WRAPPER := clippy-driver
$(LINTED): export CLIPPY_ARGS := -Dwarnings
# The parts of `.ci/run`, in this order. The table at the end of `.ci/run` shows what each part costs.
TEST := lint test-rust check-template
CI := $(TEST) test-pages test-audio simulate mutants contract triggers test-peers ledgers deploy-local invoke-local
DYNAMODB_LOCAL_VERSION := 2.9.30
DYNAMODB_LOCAL := target/dynamodb-local/.installed-$(DYNAMODB_LOCAL_VERSION)
STRIPE_CLI_VERSION := 1.52.0
STRIPE_CLI := target/stripe-cli/.installed-$(STRIPE_CLI_VERSION)
BENCH := target/bench/.installed
CONTRACT_TOOLS := target/venv/.contract-tools
CLIENTS := infra/checks/contract/clients/typescript
CLIENT_TOOLS := target/contract/clients/typescript/node_modules/.installed
MAIL_TOOLS := target/mail-tools/.installed
PAGE_TOOLS := target/page-tools/.installed
AXE_VERSION := 4.14.1
AXE := target/axe/.installed-$(AXE_VERSION)
PEERS := infra/checks/peers
PEER_TOOLS := target/venv/.peer-tools
PEER_MODULES := target/peers/node_modules
CARGO_TOOLS := target/cargo-tools/bin
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2

export SAM_CLI_TELEMETRY := 0
export PYTHONPYCACHEPREFIX := $(CURDIR)/target/pycache

.PHONY: help test lint test-rust programs test-audio ci-parts simulate mutants hot-accounts kill bench bench-sweep instructions contract triggers test-peers ledgers fuzz check-template test-pages mails audit run demo check-price-book build deploy deploy-local invoke-local

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

test: $(TEST) ## Check everything: format, lints, tests, template, API description, documents
	@echo "The pages of the Billing Dashboard were tested without a browser; make test-pages walks through them in Chromium."

# This also builds all programs and tests, as the targets below need them. The last line fails if Clippy stops taking the
# arguments that make a warning an error, which are cargo-clippy's own.
lint: ## Check the format and the lints
	cargo fmt --all --check
	cargo build --workspace --lib --bins --examples --tests
	@! echo 'fn unused() {}' | clippy-driver rustc --crate-type=lib --crate-name guard --emit=metadata --out-dir target/guard - \
		2>/dev/null || { echo "Clippy does not refuse a warning any more: see CLIPPY_ARGS"; exit 1; }

# A run without any test fails, because it would otherwise look like a success.
# The functions are built first, because tests run and kill their programs, which `cargo test` does not build.
test-rust: programs ## Run the Rust tests
	@echo cargo test --workspace --tests
	@set -o pipefail; cargo test --workspace --tests | awk '{ print } \
		/^test result:/ { passed += $$4; failed += $$6; ignored += $$8 } \
		END { printf "%d tests passed, %d failed, %d ignored\n", passed, failed, ignored; exit passed == 0 }'

programs: ## Build every program with the features of the tests
	cargo build --workspace --bins --example bootstrap $(AS_TESTS)

test-audio: ## Compare the lengths of two hundred audio files with what ffmpeg decodes
	@infra/audio/install-encoders
	cargo build -q --example measure
	python3 infra/audio/against_ffmpeg.py $(BUILT)/examples/measure

ci-parts: # For .ci/run
	@echo $(CI)

simulate: ## Run each workflow with every pair of faults, then 800,000 schedules of faults; SEED=n tells the story of one, DIGEST=1 prints a digest
	cargo run -q --profile simulation -p simulation --bin simulate -- \
		$(if $(SEED),--seed $(SEED) --story,--from $${FROM:-0} --count $${COUNT:-800000}) $(if $(DIGEST),--digest)

mutants: ## Turn on one deliberate bug after the other, and require the simulation to find each
	cargo test --profile simulation -p simulation --no-default-features --features mutants --test mutants -- --nocapture

hot-accounts: ## Simulate many writers on one account in virtual time, and print the tables of docs/performance.md
	cargo run -q --bin hot-accounts $(AS_TESTS)

bench-sweep: ## Measure a sweep of a million accounts in real time: DUE (1000) of them are due, RATE attempts per second
	cargo build -q --release -p top-up-sweep -p stripe-webhooks
	cargo run -q --profile simulation -p sweep-bench -- --functions $${CARGO_TARGET_DIR:-target}/release --due $${DUE:-1000} $(if $(RATE),--rate $(RATE))

# As they are deployed: cargo-lambda links fewer libraries than the compiler does by itself. The two functions are built
# separately; built together, each would get the other's features.
bench: $(BENCH) $(CARGO_LAMBDA) ## Compare a charge with Python and Node.js, and fail if it breaks a promise of docs/performance.md
	PATH="$(BIN):$$PATH" cargo lambda build --release -p charging --lambda-dir target/bench/lambda
	PATH="$(BIN):$$PATH" cargo lambda build --release -p bench-hello --lambda-dir target/bench/lambda
	cargo run -q --profile simulation -p bench-charge -- $(ARGUMENTS)

# The release build with its symbols, by which SHA-256 is recognized. callgrind counts only the function, so the benchmark
# around it does not have to be fast.
instructions: export CARGO_PROFILE_RELEASE_STRIP := none
instructions: ## Count the instructions of a warm charge, and fail above what is promised; needs valgrind
	@command -v valgrind >/dev/null || { echo "make instructions needs valgrind; on Debian and Ubuntu: apt-get install valgrind"; exit 1; }
	cargo build --release -p charging
	cargo build -q --bin bench-charge $(AS_TESTS)
	$(BUILT)/bench-charge --instructions $${CARGO_TARGET_DIR:-target}/release/charging

kill: programs ## Kill the compiled functions while they work, KILLS=500 times per workflow
	KILLS=$${KILLS:-500} cargo test -q --test integration kills:: -- --nocapture --test-threads=3

# Always the same requests, so that a change is judged and not its luck; each week, CI takes others.
contract: $(CONTRACT_TOOLS) $(CLIENT_TOOLS) ## Check the running API against its description with ten thousand generated requests and two generated clients; SEED=n generates others
	cargo build -q --bin prepaid $(AS_TESTS)
	$(BIN)/python infra/checks/contract/clients.py $(BUILT)/prepaid
	$(BIN)/python infra/checks/contract/contract.py $(BUILT)/prepaid --seed $(or $(SEED),1)

triggers: $(STRIPE_CLI) ## Play Stripe's own scenarios, by its own command line, against the stand-in for Stripe
	STRIPE_CLI=$(CURDIR)/target/stripe-cli/node_modules/.bin/stripe \
		cargo test -q --test triggers -- --ignored --nocapture

test-peers: $(PEER_TOOLS) $(PEER_MODULES)/.installed ## Let Stripe's own libraries for Python and Node work against the stand-in for Stripe
	cargo build -q --bin prepaid $(AS_TESTS)
	PYTHONPATH=infra/checks/contract $(BIN)/python $(PEERS)/peers.py $(BUILT)/prepaid $(PEER_MODULES)

ledgers: $(DYNAMODB_LOCAL) $(MINISTACK) ## Hold the ledger's contract against Amazon's DynamoDB Local and against MiniStack
	cargo test --test integration --no-run
	target/ministack/bin/python infra/rehearsals/ledgers.py --dynamodb-local target/dynamodb-local

# libFuzzer needs two compiler flags that are not stable yet. Sanitizers would need another compiler, and we have no unsafe
# code for them to check.
fuzz: $(CARGO_TOOLS)/.cargo-fuzz-$(CARGO_FUZZ_VERSION) ## Search for inputs that break a rule, SECONDS=n per target; TARGET=name runs only one
	@tests/fuzz/run $(CARGO_TOOLS)/cargo-fuzz $(or $(SECONDS),60) $(TARGET)

# This does not contact AWS: SAM needs a region, but any region works, and no credentials are needed.
check-template: $(TOOLS) ## Check the template, the API description and the documents
	AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint
	$(BIN)/cfn-lint template.yaml
	$(BIN)/openapi-spec-validator infra/openapi.yaml
	$(BIN)/pytest -q -p no:cacheprovider infra/checks

test-pages: programs $(PAGE_TOOLS) $(AXE) ## Walk through the Billing Dashboard in Chromium, with and without scripts; pictures in target/pages
	@infra/pages/install-browser
	target/page-tools/bin/python infra/pages/walk.py $(BUILT)/prepaid target/axe/node_modules/axe-core/axe.min.js target/pages

mails: $(MAIL_TOOLS) ## Photograph every kind of e-mail in Chromium into docs/mails: narrow and wide, light and dark
	@command -v chromium >/dev/null || { echo "make mails needs Chromium; on Debian and Ubuntu: apt-get install chromium"; exit 1; }
	rm -rf target/mails
	cargo test -q --lib -- --ignored --exact rendering::forms::write_every_mail
	target/mail-tools/bin/python infra/mails/photograph.py target/mails docs/mails

audit: $(CARGO_TOOLS)/.cargo-deny-$(CARGO_DENY_VERSION) ## Check licenses, unwanted crates and known vulnerabilities
	infra/checks/audit $(CARGO_TOOLS)/cargo-deny

run: ## Run the whole product on this machine
	cargo run

check-price-book: ## Check the price book in FILE, and print it as the parameter PriceBook takes it
	@cargo run -q -- check-price-book $(FILE)

demo: ## Play the main story on this machine
	cargo run -- demo

build: $(TOOLS) $(CARGO_LAMBDA) ## Build the functions for Lambda; takes the same PARAMETERS as deploy
	PATH="$(BIN):$$PATH" sam build $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS))

deploy: build ## Deploy to your AWS account; asks for parameters, or takes PARAMETERS="JwtIssuer=… JwtAudience=… …"
	$(BIN)/sam deploy $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS),--guided)

# This uses the template, the build instructions and the code of `make deploy`. Only two things differ: SAM makes a debug
# build, and cargo-lambda compiles for this machine, with the libraries of the tests. Optimizing and linking for Amazon Linux
# would take most of the minutes and change no behavior.
deploy-local: export SAM_BUILD_MODE := debug
deploy-local: export CARGO_LAMBDA_COMPILER := cargo
deploy-local: export CARGO_LAMBDA_COMPILER_SUBCOMMAND := as-tests
deploy-local: $(TOOLS) $(CARGO_LAMBDA) $(MINISTACK) ## Deploy to a stand-in for AWS and play the main story there
	cargo build --bin prepaid $(AS_TESTS)
	PATH="$(BIN):$(CURDIR)/infra/rehearsals:$$PATH" AWS_DEFAULT_REGION=us-east-1 sam build \
		--parameter-overrides Architecture=$(ARCHITECTURE) --build-dir target/deploy-local/build
	target/ministack/bin/python infra/rehearsals/deploy.py --prepaid $(BUILT)/prepaid \
		--build target/deploy-local/build --architecture $(ARCHITECTURE) --sam $(BIN)/sam

# This builds the functions in advance, with the features that it tells `cargo lambda watch` to take.
invoke-local: $(CARGO_LAMBDA) $(MINISTACK) ## Invoke the functions through cargo-lambda with events of the real services
	cargo build --bin prepaid --bin charging --bin notifications --bin top-up-sweep $(AS_TESTS)
	PATH="$(BIN):$$PATH" target/ministack/bin/python infra/rehearsals/invoke.py --prepaid $(BUILT)/prepaid $(AS_TESTS)

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

$(CLIENT_TOOLS): $(CLIENTS)/package-lock.json
	@mkdir -p target/contract/clients/typescript
	cp $(CLIENTS)/package.json $(CLIENTS)/package-lock.json target/contract/clients/typescript
	npm ci --silent --no-audit --no-fund --prefix target/contract/clients/typescript
	@touch $@

$(PEER_TOOLS): infra/checks/requirements-peers.txt $(CONTRACT_TOOLS)
	@infra/checks/install-tools $<
	@touch $@

$(PEER_MODULES)/.installed: $(PEERS)/package-lock.json
	@mkdir -p target/peers
	cp $(PEERS)/package.json $(PEERS)/package-lock.json target/peers
	npm ci --silent --no-audit --no-fund --prefix target/peers
	@touch $@

$(CARGO_LAMBDA): infra/checks/requirements-build.txt $(TOOLS)
	@infra/checks/install-tools $<
	@touch $@

$(MINISTACK): infra/rehearsals/requirements.txt infra/checks/install-tools
	@infra/checks/install-tools $< target/ministack
	@touch $@

$(MAIL_TOOLS): infra/mails/requirements.txt infra/checks/install-tools
	@infra/checks/install-tools $< target/mail-tools
	@touch $@

$(PAGE_TOOLS): infra/pages/requirements.txt infra/checks/install-tools
	@infra/checks/install-tools $< target/page-tools
	@touch $@

$(AXE):
	@mkdir -p $(@D)
	npm install --silent --no-audit --no-fund --no-package-lock --prefix $(@D) axe-core@$(AXE_VERSION)
	@touch $@

$(STRIPE_CLI):
	@mkdir -p $(@D)
	npm install --silent --no-audit --no-fund --no-package-lock --prefix $(@D) @stripe/cli@$(STRIPE_CLI_VERSION)
	@touch $@

# The engine is part of a package for testing. Its license allows development and tests, and none of it is shipped.
$(DYNAMODB_LOCAL):
	@mkdir -p $(@D)
	npm install --silent --no-audit --no-fund --no-package-lock --prefix $(@D) amplify-dynamodb-simulator@$(DYNAMODB_LOCAL_VERSION)
	@touch $@

$(BENCH): infra/bench/install $(wildcard infra/bench/python/*.* infra/bench/node/*.*)
	@infra/bench/install
	@touch $@
