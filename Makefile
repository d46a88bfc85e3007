# make demo and make test are all that a new machine with Swift and apt needs.
SHELL := /bin/bash
SWIFT ?= swift
DIR ?= .build/demo
SEED ?= 2022
ROWS ?= 100000
STEPS ?= 2000
SEEDS ?= 1
STEP ?= A1
PROFILE_ROWS ?= 10000

.PHONY: demo demo-stop test test-all conformance bench profile build setup lint format proto fuzz fuzz-build fuzz-corpus asan tsan mutants soak sim load load-join hostile schema-test

## Play a month of an organisation: one centre, five cells (SEED=n, KEEP=1, KENH_LANG=en).
demo: build
	.build/release/kenh demo --dir $(DIR) --seed $(SEED) $(if $(filter 1,$(KEEP)),--keep)

## End what KEEP=1 left running.
demo-stop:
	.build/release/kenh demo --dir $(DIR) --stop

## All tests.
test: build
	timeout 5400 $(SWIFT) test -c release --skip-build

## All tests, and what needs more than a compiler.
test-all: lint test
	$(MAKE) demo

# The packages that Deploy/setup installs are those of Debian's own Python.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)

## Check the program against a second client that was written from Protocol/ alone.
conformance: build
	$(PYTHON) Protocol/conformance/run.py --kenh .build/release/kenh

## ITEM-1: figures with ratios to plain SQLite in the same run, also in .build/bench.json.
bench: build
	.build/release/kenh-bench --rows $(ROWS)

## Simulate an organisation whose lines, disks, clocks and backups fail: faults by kind, and a hash of all that happened
## (SEED=n, STEPS=n events, SEEDS=n of them from SEED on). A failing seed prints a shrunk history.
sim: setup
	$(SWIFT) build -c release --product kenh-sim
	.build/release/kenh-sim $(SEED) $(STEPS) $(SEEDS)

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

REPRO_1 := KenhHubTests.RestoreTests/verdicts
REPRO_2 := KenhHubTests.RestoreTests/receipts
REPRO_3 := FuzzTests
REPRO_4 := FuzzTests
REPRO_5 := FuzzTests
REPRO_6 := SimulationTests.PowerCutTests/cuts
REPRO_7 := KenhHubTests.RestoreTests/forgottenEpoch
REPRO_8 := KenhHubTests.DamageTests/log
REPRO_9 := KenhStoreTests.CounterTests/waitsForInsert
REPRO_10 := SimulationTests.PowerCutTests/cutAfterDeath
REPRO_11 := KenhHubTests.RestoreTests/earlierAcceptance
REPRO_12 := KenhHubTests.DamageTests/store
REPRO_13 := KenhStoreTests.ChannelTests/foreignChannel
REPRO_14 := KenhHubTests.ProofTests/(pages|headless)
REPRO_15 := SimulationTests.SimulationTests/repeatable
REPRO_16 := KenhHubTests.RightsTests/receiptBeforeRegistry
REPRO_17 := KenhHubTests.RightsTests/orphans
REPRO_18 := KenhHubTests.RightsTests/joinedRulings
REPRO_19 := KenhHubTests.RightsTests/otherChannel
REPRO_20 := KenhHubTests.DamageTests/channelNames
REPRO_21 := KenhHubTests.RightsTests/orphansRegained
REPRO_22 := KenhHubTests.DeletionTests/enteredAnewMeanwhile
REPRO_23 := KenhCellTests.AttachmentSyncTests/clockPutBack

## Run the test of one bug of the list in Tests/README.md (make repro-1).
repro-%: build
	$(SWIFT) test -c release --skip-build --filter '$(REPRO_$*)'

## Work through the soak column of the reliability table (MINUTES=60, needs root for ext4), see Tests/README.md.
soak: build
	Tests/Soak/soak.py --minutes $(or $(MINUTES),60)

## Send a real centre what no cell would send, while an honest cell syncs (REQUESTS=2000 SEED=1): statuses and codes,
## signatures, memory, open files, and that neither log nor data changed. Its scenes take two minutes beside.
hostile: build
	$(PYTHON) -B Tests/Hostile/hostile.py --kenh .build/release/kenh --requests $(or $(REQUESTS),2000) --seed $(or $(SEED),1)

## Draw requests from openapi.yaml, sign them, and hold the answers against it. SCHEMA_PYTHON is one that has
## schemathesis, openapi-spec-validator, requests, pyyaml, protobuf, cryptography and zstandard (PyPI).
SCHEMA_PYTHON ?= $(PYTHON)
schema-test: build
	$(SCHEMA_PYTHON) -B Tests/Hostile/schema_test.py --kenh .build/release/kenh

## Many cells that come back after an outage, all at once (CELLS=1000 CHANGES=50 CONNECTIONS=64): speed, waiting, memory of
## the centre, and that nothing is lost.
load: setup
	$(SWIFT) build -c release --product kenh-load
	.build/release/kenh-load --cells $(or $(CELLS),1000) --changes $(or $(CHANGES),50) \
	    --connections $(or $(CONNECTIONS),64)

## A new cell joins a channel of many rows (ROWS=1000000) with a snapshot while another goes on syncing.
load-join: build
	$(PYTHON) -B Tests/Load/join.py --kenh .build/release/kenh --rows $(ROWS)

TARGET ?= block
SECONDS_EACH = $(or $(SECONDS),60)
# Stores are opened thousands of times: in memory where that is.
FUZZ_FOLDER := $(if $(wildcard /dev/shm),/dev/shm,/tmp)
FUZZ := KENH_FUZZ=1 $(SWIFT) build -c release --product kenh-fuzz --sanitize=fuzzer --scratch-path .build-fuzz

## One fuzzer for some seconds (TARGET=block SECONDS=60): begins with the corpus and its own seeds, keeps what it finds
## in .build-fuzz/TARGET, and a crasher in .build-fuzz/crash-…. Swift's own backtraces would keep the crash from libFuzzer.
fuzz: fuzz-build
	@mkdir -p .build-fuzz/$(TARGET) .build-fuzz/seeds/$(TARGET) Tests/FuzzTests/Corpus/$(TARGET)
	SWIFT_BACKTRACE=enable=no TMPDIR=$(FUZZ_FOLDER) KENH_FUZZ_TARGET=$(TARGET) KENH_FUZZ_SEEDS=.build-fuzz/seeds/$(TARGET) .build-fuzz/release/kenh-fuzz \
	    -max_total_time=$(SECONDS_EACH) -timeout=20 -rss_limit_mb=4096 -max_len=4096 -print_final_stats=1 \
	    -artifact_prefix=.build-fuzz/ \
	    .build-fuzz/$(TARGET) .build-fuzz/seeds/$(TARGET) Tests/FuzzTests/Corpus/$(TARGET)

fuzz-build: setup
	$(FUZZ)

## Put the least of what one fuzzer found that reaches the same code into Tests/FuzzTests/Corpus (TARGET=block).
fuzz-corpus: fuzz-build
	@mkdir -p .build-fuzz/merged/$(TARGET)
	SWIFT_BACKTRACE=enable=no TMPDIR=$(FUZZ_FOLDER) KENH_FUZZ_TARGET=$(TARGET) .build-fuzz/release/kenh-fuzz -set_cover_merge=1 -use_counters=0 -timeout=20 -max_len=4096 \
	    .build-fuzz/merged/$(TARGET) Tests/FuzzTests/Corpus/$(TARGET) .build-fuzz/$(TARGET) .build-fuzz/seeds/$(TARGET)

# A sanitizer's report makes the run fail even where the tests say that they passed: the exit code counts.
SANITIZED_SIMULATION := KENH_SIM_SEEDS=4 KENH_SIM_STEPS=80

## All tests under the thread sanitizer, in a build of its own.
tsan: setup
	$(SWIFT) build --sanitize=thread --build-tests --scratch-path .build-tsan
	$(SANITIZED_SIMULATION) TSAN_OPTIONS="exitcode=66 suppressions=$(CURDIR)/Tests/tsan.suppressions" timeout 3000 \
	    $(SWIFT) test --sanitize=thread --skip-build --scratch-path .build-tsan

## All tests under the address sanitizer, in a build of its own. Swift's runtime keeps what it made: no leaks are sought.
asan: setup
	$(SWIFT) build --sanitize=address --build-tests --scratch-path .build-asan
	$(SANITIZED_SIMULATION) ASAN_OPTIONS=detect_leaks=0 timeout 3000 \
	    $(SWIFT) test --sanitize=address --skip-build --scratch-path .build-asan

## Planted bugs, each of which a named test has to catch (ONLY="07 12"): Tests/Mutants/run.
mutants: setup
	SWIFT="$(SWIFT)" Tests/Mutants/run $(ONLY)

## One release build for all of these. Product by product: --build-tests would build the tools of plugins, too, among them
## all of protoc, which is half of the whole.
build: setup
	@for product in kenhPackageTests kenh kenh-bench kenh-sim; do \
	    echo "$(SWIFT) build -c release --product $$product"; \
	    $(SWIFT) build -c release --product $$product || exit 1; done

setup:
	@Deploy/setup

lint:
	$(SWIFT) format lint --strict -r Sources Tests Package.swift

format:
	$(SWIFT) format -i -r Sources Tests Package.swift

## Generate the messages anew after a change of Protocol/kenh.proto.
proto:
	$(SWIFT) build -c release --product protoc-gen-swift
	protoc --plugin=protoc-gen-swift=.build/release/protoc-gen-swift --swift_opt=Visibility=Public \
	    --swift_out=Sources/KenhProtocol/Wire -I Protocol Protocol/kenh.proto
