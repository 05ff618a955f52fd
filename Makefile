# Every target does its own set-up: Debian packages, the virtual environment, the native build.
#   make demo    the main job, end to end, in about a minute      make bench   every performance table
#   make test    all tests                                        make fuzz    the fuzzers, longer than in the tests
#   make lint    ruff, mypy and clang-format                      make build   set-up and native build only
#   make docs    the pictures of docs/ from their text        make clean   away with build/
#   make chaos   100,000 random lives of a simulated fleet, then faults on real servers and guests for an hour
#   make prove    the scalar domain's operations proved sound by SMT, from the code that runs (half an hour)
#   make mutants  small faults put into the analyser, one at a time: somebody must notice (a quarter of an hour)
#   make sanitize  native tests and conformance under the address and undefined-behaviour sanitizers (about 10 minutes)
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: demo test bench fuzz chaos sanitize mutants prove lint format-check docs build native clean

NATIVE := build/native
PYTHON := .venv/bin/python
PYTEST_ARGS ?=
REPORTS := build/reports

# Tests that look at the clock or lose packets on a busy machine run alone, the others three at a time: they wait for much.
ALONE := tests/system tests/simulation tests/integration/bus/test_two_hosts.py
TOGETHER := $(filter-out $(ALONE) tests/data tests/support tests/__pycache__,$(patsubst %/,%,$(wildcard tests/*/))) vnfs

build: native .venv/.installed

build/.debian: packaging/debian.txt packaging/install-debian packaging/create-libvirt-user
	packaging/install-debian
	packaging/create-libvirt-user
	@mkdir -p build && touch $@

.venv/.installed: build/.debian packaging/requirements.lock pyproject.toml
	@echo "preparing the virtual environment .venv" >&2
	@test -x $(PYTHON) || python3 -m venv .venv
	@.venv/bin/pip install -qq --disable-pip-version-check --require-hashes -r packaging/requirements.lock
	@.venv/bin/pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

$(NATIVE)/build.ninja: build/.debian CMakeLists.txt
	cmake -S . -B $(NATIVE) -G Ninja -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 >build/cmake.log

native: $(NATIVE)/build.ninja
	@ninja -C $(NATIVE) --quiet

demo: build
	.venv/bin/unibpf demo

test: build
	ctest --test-dir $(NATIVE) --output-on-failure --no-tests=error
	@rm -rf $(REPORTS)
	.venv/bin/pytest -n 3 --dist loadfile --junitxml=$(REPORTS)/together.xml $(PYTEST_ARGS) $(TOGETHER) --deselect tests/integration/bus/test_two_hosts.py
	.venv/bin/pytest --junitxml=$(REPORTS)/alone.xml $(PYTEST_ARGS) $(ALONE)

bench: build
	$(PYTHON) -m benchmarks

fuzz: build
	tests/fuzz/run

# Compiled tests first, then what the conformance files, the kernel and random programs ask of the runner. The analyser is among
# the former only: its executable limits its own memory, of which the sanitizer wants more.
SANITIZED := $(CURDIR)/build/sanitize
SANITIZED_TESTS := engines kernel kernel_xdp random_programs plugin runner benchmark_programs guest_golden
sanitize: build
	cmake -S . -B $(SANITIZED) -G Ninja -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 -DUNIBPF_SANITIZE=ON \
		-DCMAKE_RUNTIME_OUTPUT_DIRECTORY=$(SANITIZED)/bin >build/sanitize.log
	ninja -C $(SANITIZED) --quiet
	ctest --test-dir $(SANITIZED) --output-on-failure --no-tests=error
	UNIBPF_BIN=$(SANITIZED)/bin .venv/bin/pytest -q $(SANITIZED_TESTS:%=tests/conformance/test_%.py)

# CHAOS_SECONDS of faults on real servers; UNIBPF_SEED begins another series.
CHAOS_SECONDS ?= 3600
chaos: build
	UNIBPF_LIVES=100000 .venv/bin/pytest -q tests/simulation
	UNIBPF_CHAOS_SECONDS=$(CHAOS_SECONDS) .venv/bin/pytest -q tests/simulation/test_chaos.py

docs:
	python3 docs/pictures/draw.py
	python3 docs/pictures/record.py

# What clang-format would change in the C++; nothing is written. Two seconds.
format-check: build/.debian
	@git ls-files '*.[ch]pp' | xargs clang-format-19 --dry-run -Werror

mutants: build
	ninja -C $(NATIVE) --quiet test_soundness test_analyser unibpf-analyse
	$(PYTHON) -m tests.soundness.mutants

prove: .venv/.installed
	$(PYTHON) -m tests.proofs

lint: .venv/.installed format-check
	.venv/bin/ruff check .
	.venv/bin/mypy

clean:
	rm -rf build
