# SPDX-License-Identifier: Apache-2.0
# Thin front of CMake's presets: every job of CI is a target here.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 30
BENCH_PODS ?= 100000
# Nobody's build fails for a warning that a newer compiler invented; CI's release build does.
WERROR ?= OFF
# Cases with these labels need nothing but the sources, and run once, not under each sanitizer.
SANITIZED = --output-on-failure -j$(JOBS) -LE '^(check|fault)$$'

# Kernels that scatter addresses widely don't leave ThreadSanitizer the ranges it needs.
FIXED_ADDRESSES := $(shell setarch -R true 2>/dev/null && echo setarch -R)

.DEFAULT_GOAL := help
.PHONY: help packages build test demo bench asan tsan clang fuzz faults coverage format format-fix layers docs style \
	exports manifests image install clean ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## release build in build/: cleat, the libraries, bench/ and examples/
	@tools/install-packages.sh build
	cmake --preset release -DCLEAT_TESTS=OFF -DCLEAT_WERROR=$(WERROR)
	cmake --build --preset release -j $(JOBS)

test: ## install what is missing, build with warnings as errors, run the quick suite
	@tools/install-packages.sh test
	cmake --preset debug
	cmake --build --preset debug -j $(JOBS)
	ctest --test-dir build/debug --output-on-failure -j$(JOBS) -LE '^fault$$'

demo: build ## build and run the guided story (DEMO_ARGS=--exit: end with its result)
	build/cleat demo $(DEMO_ARGS)

bench: build ## run the benchmarks; one JSON line each
	tools/bench.sh build $(BENCH_PODS)

asan: ## the suite under AddressSanitizer and UBSan
	@tools/install-packages.sh test
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS)
	ctest --test-dir build/asan $(SANITIZED)

tsan: ## the suites with threads under ThreadSanitizer
	@tools/install-packages.sh test
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS)
	$(FIXED_ADDRESSES) ctest --test-dir build/tsan $(SANITIZED) -L '^(base|client|controller|webhooks|apiserver|server|certs|kinds|integration)$$'

clang: ## build everything with clang, warnings as errors
	@tools/install-packages.sh ci
	cmake --preset clang
	cmake --build --preset clang -j $(JOBS)

fuzz: ## run each fuzz entry under libFuzzer for FUZZ_SECONDS, on a copy of its seeds, one a processor
	@tools/install-packages.sh ci
	cmake --preset fuzz
	cmake --build --preset fuzz -j $(JOBS) --target fuzz_entries
	tools/fuzz.sh build/fuzz $(FUZZ_SECONDS)

faults: ## break things on purpose, under AddressSanitizer; one table of what came of it (FAULTS_ARGS=--update)
	@tools/install-packages.sh test
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS) --target fault_entries cleat
	tools/faults.sh $(FAULTS_ARGS) build/asan -j$(JOBS)

coverage: ## lines and branches that the suite takes, by file and folder
	@tools/install-packages.sh test
	cmake -S . -B build/coverage -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=--coverage
	cmake --build build/coverage -j $(JOBS)
	ctest --test-dir build/coverage -j$(JOBS) -LE '^check$$'
	tools/coverage.sh build/coverage

format: ## check the layout of the C files
	@tools/check-format.sh

format-fix: ## lay out the C files
	@tools/check-format.sh --fix

layers: ## check that no folder includes what its layer doesn't allow
	@tools/check-layers.sh

docs: ## check that every exported declaration is documented
	@tools/check-docs.sh

style: ## check what a compiler doesn't see
	@tools/check-style.sh

exports: build ## write the lists of exported symbols anew
	tools/check-exports.sh --update build/libcleat.so tests/exports/libcleat.list
	if [ -e build/libcleat-apiserver.so ]; then \
		tools/check-exports.sh --update build/libcleat-apiserver.so tests/exports/libcleat-apiserver.list; fi

manifests: build ## make deploy/install.yaml of deploy/base anew, and the operator's alert rules
	tools/check-manifests.sh --update build/cleat
	tools/check-monitoring.sh --update

image: build ## a container image from scratch, build/cleat-image.tar (an OCI archive); needs buildah
	@tools/install-packages.sh image
	tools/image.sh build/cleat build/cleat-image.tar

install: build ## install to PREFIX (/usr/local), below DESTDIR
	cmake --install build --prefix $(PREFIX)

clean: ## remove all builds
	rm -rf build

ci: ## everything that CI runs
	.ci/run
