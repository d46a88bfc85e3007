# make demo and make test are all that a new machine with Swift and apt needs.
SHELL := /bin/bash
SWIFT ?= swift
DIR ?= .build/demo
SEED ?= 2022
ROWS ?= 100000
STEP ?= A1
PROFILE_ROWS ?= 10000

.PHONY: demo demo-stop test test-all bench profile build setup lint format proto

## Play a month of an organisation: one centre, five cells (SEED=n, KEEP=1, KENH_LANG=en).
demo: build
	.build/release/kenh demo --dir $(DIR) --seed $(SEED) $(if $(filter 1,$(KEEP)),--keep)

## End what KEEP=1 left running.
demo-stop:
	.build/release/kenh demo --dir $(DIR) --stop

## All tests.
test: build
	timeout 1500 $(SWIFT) test -c release --skip-build

## All tests, and what needs more than a compiler.
test-all: lint test
	$(MAKE) demo

## ITEM-1: figures with ratios to plain SQLite in the same run, also in .build/bench.json.
bench: build
	.build/release/kenh-bench --rows $(ROWS)

## Count the instructions of one step: make profile STEP=A1 (L1 to C1; PROFILE_ROWS=n).
profile: build
	@# Valgrind does not read what Swift writes for debuggers.
	strip --strip-debug -o .build/profiled-bench .build/release/kenh-bench
	valgrind --tool=callgrind --toggle-collect='*profiledPart*' --callgrind-out-file=.build/profile.out \
	    .build/profiled-bench --rows $(PROFILE_ROWS) --runs 1 --only "$(STEP)" --profile "$(STEP)" --json - \
	    2>.build/profile.log >/dev/null || { tail .build/profile.log; exit 1; }
	@awk -v rows=$(PROFILE_ROWS) '/^(summary|totals):/ {print "$(STEP): " int($$2 / rows) " instructions a row"; exit}' \
	    .build/profile.out
	@callgrind_annotate .build/profile.out | grep -m 40 '%)'

## One release build for all of these.
build: setup
	$(SWIFT) build -c release --build-tests

setup:
	@Deploy/setup

lint:
	$(SWIFT) format lint --strict -r Sources Tests Package.swift

format:
	$(SWIFT) format -i -r Sources Tests Package.swift

## Generate the messages anew after a change of Protocol/kenh.proto.
proto:
	$(SWIFT) build --product protoc-gen-swift
	protoc --plugin=protoc-gen-swift=.build/debug/protoc-gen-swift --swift_opt=Visibility=Public \
	    --swift_out=Sources/KenhProtocol/Wire -I Protocol Protocol/kenh.proto
