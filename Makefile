# The doors of this repository. Every target sets up what it needs and does nothing for what is there.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
# The Python nodes of the demo and the tests use the repository's own packages, whatever venv is active outside.
export REMOTEMEDIA_VENV := $(CURDIR)/.venv
REMOTEMEDIA := $(TARGET_DIR)/release/remotemedia
DEMO := docs/examples/speech

.PHONY: help setup build demo test test-ml fuzz wheel lint bench endurance leaks clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Get ready: C linker, .venv with pinned packages, wasm tools of four languages, guest components
	@.ci/system-tools.sh cc
	@.ci/python-env.sh
	@guest-nodes/build.sh

build: setup ## Build the release binary and the guest components
	$(CARGO) build --release --locked -p remotemedia-host

demo: build ## Find the speech in a recording with native, wasm and Python nodes; writes report.html
	$(REMOTEMEDIA) run $(DEMO)/pipeline.json -i $(DEMO)/speech.wav \
	  --truth $(DEMO)/speech.truth.json --report report.html

# The integration tests call the binary of their own profile, so it is built first.
test: setup ## Run the whole test suite
	@.ci/system-tools.sh cc espeak-ng docker-registry prlimit unshare promtool
	$(CARGO) build --locked --workspace --lib --bins --tests
	cd guest-nodes/rust && $(CARGO) test --locked --quiet --target-dir target
	cd guest-nodes/python && PYTHONPATH=sdk .venv/bin/python -m unittest --quiet
	cd guest-nodes/python/gain && PYTHONPATH=../sdk ../.venv/bin/python -m unittest --quiet
	.ci/python-wheel.sh $(TARGET_DIR)/wheel
	.ci/types.sh $(TARGET_DIR)/wheel/site
	PYTHONPATH=$(abspath $(TARGET_DIR))/wheel/site .venv/bin/python -m pytest --quiet -c sdk-python/pyproject.toml sdk-python/tests
	cd guest-nodes/js && node --import ./sdk/testing.js --test sdk gain
	$(CARGO) test --locked --workspace --no-fail-fast

test-ml: setup ## Test the Python nodes that need torch and transformers (installs them: 5.6 GB)
	@.ci/ml-env.sh $(TARGET_DIR)/ml
	$(CARGO) build --locked --workspace --lib --bins --tests
	.ci/python-wheel.sh $(TARGET_DIR)/wheel
	PYTHONPATH=$(abspath $(TARGET_DIR))/wheel/site:$(abspath $(TARGET_DIR))/ml .venv/bin/python -m pytest --quiet -c sdk-python/pyproject.toml \
	  sdk-python/tests-ml

FUZZ_SECONDS ?= 60
fuzz: setup ## Look for inputs that break a promise: every fuzz target for FUZZ_SECONDS (60)
	@.ci/system-tools.sh c++
	.ci/fuzz.sh $(FUZZ_SECONDS) $(TARGET_DIR)

lint: setup ## Check formatting, and clippy with warnings as errors, of host and guests
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/fuzz/Cargo.toml
	$(CARGO) metadata --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml >/dev/null
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	cd guest-nodes/rust && $(CARGO) fmt --check && $(CARGO) clippy --locked --all-targets --target-dir target -- -D warnings

wheel: setup ## Build the Python package as a wheel for users, into target/wheel-release
	.ci/python-wheel.sh $(TARGET_DIR)/wheel-release --release

bench: build ## Run the benches; writes target/bench-summary.json
	@.ci/system-tools.sh ffmpeg
	$(CARGO) bench --locked -p remotemedia-benches
	.venv/bin/python benches/whole_job.py $(REMOTEMEDIA) $(TARGET_DIR)/whole-job.json
	.venv/bin/python benches/summarize.py $(TARGET_DIR)/criterion target/bench-summary.json $(TARGET_DIR)/whole-job.json

endurance: setup ## Put a day of audio through one pipeline, and look at its memory and times
	$(CARGO) build --locked --workspace --bins --test integration
	REMOTEMEDIA_TEST_MINUTES=1440 $(CARGO) test --locked --workspace --test integration hours_of_audio -- --nocapture

leaks: setup ## Run the unit tests of core, engine and nodes with LeakSanitizer
	.ci/leaks.sh $(TARGET_DIR)/leaks

clean: ## Remove everything that was built, the .venv included
	rm -rf target guest-nodes/rust/target guest-nodes/js/node_modules guest-nodes/python/.venv .venv report.html
