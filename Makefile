# `make help` lists what can be done. Everything is built into bin/ and run from .state/; both can be removed.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
GOLANGCI_LINT := v2.15.0
ACTIONLINT := v1.7.12
# What up and demo start: a cluster of their own is not needed without a cluster nor with another one.
UP := ingest worker monitor orchestrator $(if $(filter 1,$(ORCH_MOCK))$(KUBECONFIG),,devcluster)

##@ Run
.PHONY: up
up: ## run everything on this machine and provision a demo store (ORCH_MOCK=1: without a cluster)
	@.ci/build --instead 'ORCH_MOCK=1 make up' $(UP)
	bin/orchestrator up

.PHONY: demo
demo: ## a scripted run: provision, repeat, delete; a table; exit 0 if all of it held (ORCH_MOCK=1 too)
	@.ci/build --instead 'ORCH_MOCK=1 make demo' $(UP)
	bin/orchestrator demo

##@ Build
.PHONY: build
build: ## the service's binaries, into bin/
	@.ci/build ingest worker monitor backupgate lambda orchestrator

.PHONY: devcluster
devcluster: ## the development cluster, into bin/ (minutes the first time, which it counts; seconds afterwards)
ifneq ($(ORCH_MOCK),1)
	@.ci/build devcluster
endif

# IMAGE_PREFIX is a registry with a slash at its end, or nothing; GO_IMAGE and GOPROXY are for places with their own.
# IMAGE_SUFFIX tells images for different machines apart, before they become one.
IMAGE_TAG ?= dev
DOCKER_BUILD ?= docker build
.PHONY: images
images: service-images store-images ## all images, the service's own and the stores'

.PHONY: service-images
service-images: ## the service's own images: ingest, worker, monitor, the gate of backups and the command line (IMAGE_PREFIX, IMAGE_TAG)
	for target in ingest worker monitor backupgate cli; do \
	  $(DOCKER_BUILD) --target $$target --file deploy/docker/Dockerfile \
	    $(if $(GO_IMAGE),--build-arg GO_IMAGE=$(GO_IMAGE)) $(if $(GOPROXY),--build-arg GOPROXY=$(GOPROXY)) \
	    --build-arg VERSION=$$(git describe --tags --always --dirty) --build-arg REVISION=$$(git rev-parse HEAD) \
	    --tag $(IMAGE_PREFIX)orchestrator$$([ $$target = cli ] || echo -$$target):$(IMAGE_TAG)$(IMAGE_SUFFIX) . || exit; \
	done

# An engine has a folder in charts/store, and in deploy/images where its stores need an image of their own. That image is called
# store-<engine> and has the tag that the chart gives it; so has store-backup, by the library that all charts share.
ENGINES := $(filter-out common,$(notdir $(wildcard charts/store/*)))
STORE_IMAGES := $(notdir $(wildcard deploy/images/*))
chart_image = $(IMAGE_PREFIX)$(shell sed -nE 's/.*\{repository: (store-$(1)), tag: "?([^"}]+)"?\}.*/\1:\2/p' charts/store/*/values.yaml)$(IMAGE_SUFFIX)
upper = $(shell echo $(1) | tr a-z- A-Z_)
.PHONY: store-images
store-images: $(STORE_IMAGES:%=store-%) ## the stores' images (IMAGE_PREFIX; build arguments in <ENGINE>_ARGS)

.PHONY: $(STORE_IMAGES:%=store-%)
$(STORE_IMAGES:%=store-%): store-%: # the build finds the chart's folder "bootstrap" beside its own files
	@context=$$(mktemp -d) && trap 'rm -rf "$$context"' EXIT && cp -R deploy/images/$*/. $(wildcard charts/store/$*/bootstrap) "$$context" && \
	(set -x; $(DOCKER_BUILD) $($(call upper,$*)_ARGS) --tag $(call chart_image,$*) "$$context")

.PHONY: image-names
image-names: # what the targets above build, to pull, push or join
	@printf '%s\n' $(foreach name,orchestrator-ingest orchestrator-worker orchestrator-monitor orchestrator-backupgate orchestrator,$(IMAGE_PREFIX)$(name):$(IMAGE_TAG)$(IMAGE_SUFFIX)) \
	  $(foreach engine,$(STORE_IMAGES),$(call chart_image,$(engine)))

.PHONY: lambda
lambda: ## the function for AWS Lambda, into bin/lambda-<arch>.zip; the same source makes the same bytes
	.ci/lambda

##@ Test
.PHONY: test
test: tools lint unit-apart redis-failover mutants-apply build devcluster third-engine-mock integration bench-short chaos-short ## everything: linter, unit tests, the same on a real Redis and a real API server, chaos

.PHONY: test-quick
test-quick: ## for the inner loop: linter, unit tests without the race detector, the whole path without a cluster
	@$(MAKE) --no-print-directory tools lint
	go test ./...
	@ORCH_MOCK=1 $(MAKE) --no-print-directory demo

.PHONY: test-long
test-long: tools build devcluster redis-topologies redis-kinds third-engine test-oldest compose-test bootstrap-test backup-s3 ## what takes long: the race detector over everything, every test on each kind of Redis, all mutants, a longer chaos
	go test -race ./...
	.ci/integration -race
	ORCH_TEST_STORES=10000 .ci/integration -run "^TestManyStoresAreRecovered$$" # on a cluster of its own: it is busy deleting them afterwards
	ORCH_TEST_LONG=1 .ci/integration -run "^(TestAuditsDoNotDelayOrders|TestWhatAnAuditCosts|TestAFailedStoreHeals|TestAStoreIsDeletedAfterItsGrace|TestARolloutOfABrokenImageStops)$$" -v
	ORCH_TEST_ROLLOUT=200 .ci/integration -run "^TestARolloutReachesEveryStore$$"
	ORCH_TEST_FLEET=100000 go test -count=1 -timeout 30m -run "^TestPagesOfAFleetAreFast$$" -v ./cmd/monitor
	.ci/chaos-mutants
	$(MAKE) --no-print-directory fuzz
	go build -o bin/ ./cmd/testkit/chaos
	bin/chaos --beside --stores 60 --faults 5m --seed $(or $(SEED),0)

# The race detector is where goroutines meet. What links Kubernetes is compiled once, without it; test-long runs it there too.
KUBERNETES := /provision/cluster|/provision/engine|/cmd/worker$$|/cmd/lambda$$|/cmd/internal/workerapp|/cmd/testkit/e2e|/cmd/testkit/bench$$|/cmd/testkit/bench/limit|/deploy/kubernetes
.PHONY: unit
unit: unit-apart ## unit tests and tests on a real Redis; with the race detector, except for what links Kubernetes
	go test $$(.ci/integration --packages)

# FUZZTIME is for each target; a failing input is kept under testdata/fuzz and tried by `go test` from then on.
.PHONY: fuzz
fuzz: ## arbitrary inputs for all that reads what others send (FUZZTIME=5m for each)
	.ci/fuzz $(or $(FUZZTIME),5m)

.PHONY: redis-topologies
redis-topologies: tools ## the tests on a real Redis again, on Sentinel and on a Cluster, and a failover of each
	ORCH_TEST_REDIS=sentinel go test -count=1 ./worker ./worker/queue ./worker/record ./worker/intake ./cmd/monitor
	ORCH_TEST_REDIS=cluster go test -count=1 ./worker ./worker/queue ./worker/record ./worker/intake ./cmd/monitor

.PHONY: bootstrap-test
bootstrap-test: ## the shops' bootstraps, what new shops start with, and backups, on a real PHP, MariaDB, PostgreSQL and restic
	.ci/bootstrap-test
	.ci/new-shop-test
	.ci/backup-test

.PHONY: backup-s3
backup-s3: ## backups and restores by the gate and rclone to an S3 server, with faults in between; a table of what they lead to (half an hour; ONLY=…)
	.ci/backup-s3

.PHONY: redis-kinds
redis-kinds: tools ## the tests on a real Redis again, on Redis 8 and on Valkey 8
	.ci/redis-kinds

# What integration runs too is left to it.
.PHONY: unit-apart
unit-apart: tools receivers # the part of unit that is in test
	go test -race $$(go list ./... | grep -vE '$(KUBERNETES)|/deploy/examples')
	go test $$(go list ./... | grep -E '$(KUBERNETES)' | grep -vxF "$$(.ci/integration --packages | sed 's|^\.|orchestrator|')")
	cd deploy/devcluster && go test ./internal/...

# A language that is not there is left out, and named.
.PHONY: receivers
receivers: ## the example receivers of callbacks, in Go, Python and TypeScript, against the service's sender
	@.ci/need python3 python3 || true
	@.ci/need npm nodejs npm || true
	@go test -count=1 -v ./deploy/examples/receiver | grep -v '^=== '

.PHONY: redis-failover
redis-failover: tools ## the part of redis-topologies that is in test: the records and the queues there, and a failover of each
	@$(MAKE) --no-print-directory -j2 --output-sync=target redis-failover-sentinel redis-failover-cluster

.PHONY: redis-failover-sentinel redis-failover-cluster
redis-failover-sentinel redis-failover-cluster: redis-failover-%: # they wait more than they compute
	ORCH_TEST_REDIS=$* go test -count=1 -run Failover ./worker & failover=$$!; \
	ORCH_TEST_REDIS=$* go test -count=1 ./worker/queue ./worker/record ./worker/intake ./cmd/monitor && wait $$failover

.PHONY: integration
integration: build devcluster ## the tests that need the development cluster
	.ci/integration

# KUBECONFIG says which cluster; IMAGES, ENGINES, TIMEOUT and KEEP are explained in docs/e2e.md.
.PHONY: e2e
e2e: tools build ## every engine from POST to orders to DELETED in a real cluster: make e2e KUBECONFIG=… IMAGES=…
	.ci/e2e

.PHONY: doors
doors: ## who reaches whom: stores, service, API server, nodes, outside; in a real cluster: make doors KUBECONFIG=… IMAGES=… (docs/e2e.md)
	.ci/doors

# STORES, MINUTES and SEED may be set: make chaos STORES=300 MINUTES=20 SEED=1. Without a seed a random one is used and printed.
.PHONY: chaos
chaos: tools build devcluster ## inject faults at random, then compare the state with what was requested
	go build -o bin/ ./cmd/testkit/chaos
	bin/chaos --beside --stores $(or $(STORES),40) --faults $(or $(MINUTES),3)m --seed $(or $(SEED),0)

.PHONY: chaos-short
chaos-short: tools build devcluster ## the same with 20 stores and a minute of faults
	go build -o bin/ ./cmd/testkit/chaos
	bin/chaos --stores 20 --clusters 1 --faults 60s --seed $(or $(SEED),0)

.PHONY: chaos-mutants
chaos-mutants: tools build devcluster ## remove one guard at a time and check that chaos finds it (15 minutes)
	.ci/chaos-mutants

.PHONY: mutants-apply
mutants-apply: ## check that the patches of the mutants apply, and that the mutants compile
	.ci/mutants-apply

# STORES, ROUNDS, ONLY (sections, with commas between) and BENCH (any flags) may be set. The figures of docs/performance.md and docs/scaling.md are
# from here. Without helm or kubectl it says what it leaves out.
.PHONY: bench
bench: tools build devcluster ## measure what a store costs and how fast stores are made, beside the least that the cluster allows and beside Helm (docs/performance.md)
	@$(MAKE) --no-print-directory bin/helm bin/kubectl || true
	go build -o bin/ ./cmd/testkit/bench
	bin/bench $(if $(STORES),--stores $(STORES)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY)) $(BENCH)

.PHONY: bench-short
bench-short: tools build devcluster ## the part of bench that is in test: 20 stores, with loose bounds
	go build -o bin/ ./cmd/testkit/bench
	bin/bench --short

bin/helm bin/kubectl: bin/%:
	@.ci/cli $*

.PHONY: lint
lint: bin/golangci-lint-$(GOLANGCI_LINT) bin/actionlint-$(ACTIONLINT) ## formatting, mistakes, sizes, and the direction of imports
	go run .ci/layout-rules.go
	bin/golangci-lint-$(GOLANGCI_LINT) run ./...
	bin/actionlint-$(ACTIONLINT)
	.ci/same-versions
	@if grep -rnE 'uses: *[^ ]+@' .github/workflows | grep -vE '@[0-9a-f]{40} # v[0-9.]+$$'; then echo "pin these actions by their commit, with the version behind it"; exit 1; fi

.PHONY: import-rules
import-rules: bin/golangci-lint-$(GOLANGCI_LINT) ## plant each forbidden import once, in a copy, and see the linter refuse it
	.ci/import-rules bin/golangci-lint-$(GOLANGCI_LINT)

.PHONY: third-engine
third-engine: ## add a third engine to a copy of the tree, and check that exam, commands, demo and make know it (ORCH_MOCK=1: without a cluster)
	.ci/third-engine

.PHONY: third-engine-mock
third-engine-mock: ## the part of third-engine that is in test: without the demo on the development cluster
	ORCH_MOCK=1 .ci/third-engine

.PHONY: test-oldest
test-oldest: tools build devcluster ## the tests on a real API server, on that of the oldest Kubernetes that the charts claim (builds it first: ten minutes)
	@version=$$(sed -n 's/^\tk8s.io\/kubernetes //p' deploy/devcluster/oldest/go.mod); minor=$${version#v1.}; \
	named=k8s.io/component-base/version.; echo "building the control plane of Kubernetes $$version"; \
	go build -C deploy/devcluster/oldest -o $(CURDIR)/bin/kubernetes-oldest \
	  -ldflags="-s -w -X $${named}gitVersion=$$version -X $${named}gitMajor=1 -X $${named}gitMinor=$${minor%%.*}" .
	ORCH_TEST_KUBERNETES=$(CURDIR)/bin/kubernetes-oldest .ci/integration $(if $(RUN),-run "$(RUN)")

.PHONY: compose-test
compose-test: build devcluster ## run docker compose as its users do, with mock.yml and with existing-cluster.yml (starts a Docker engine where none runs)
	.ci/compose-test

.PHONY: tools
tools: ## install what the tests need and the machine lacks (Debian: by apt-get)
	@.ci/need redis-server redis-server
	@.ci/need promtool prometheus
	@.ci/need restic restic
	@.ci/need rclone rclone

bin/golangci-lint-$(GOLANGCI_LINT):
	@echo "building golangci-lint $(GOLANGCI_LINT) (about two minutes, once)"
	@mkdir -p bin/.lint && GOBIN=$(CURDIR)/bin/.lint go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	@mv bin/.lint/golangci-lint $@ && rmdir bin/.lint

bin/actionlint-$(ACTIONLINT):
	@mkdir -p bin/.actionlint && GOBIN=$(CURDIR)/bin/.actionlint go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT)
	@mv bin/.actionlint/actionlint $@ && rmdir bin/.actionlint

##@ Other
.PHONY: clean
clean: ## remove what was built and what ran
	rm -rf bin .state

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nEngines: %s; images of stores (make store-<image>): %s\n' '$(ENGINES)' '$(STORE_IMAGES)'
