# make demo and make test are all that a new machine with Swift and apt needs.
SHELL := /bin/bash
SWIFT ?= swift
DIR ?= .build/demo
SEED ?= 2022
ROWS ?= 100000

.PHONY: demo demo-stop test test-all bench build setup lint format proto

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
