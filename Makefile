# kassad: `make` lists the targets.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
BUILD   := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"
TARGETS := linux/amd64 linux/arm64 linux/arm linux/386 windows/amd64 windows/386
T       ?= 30s
# Tests of one package at once: they wait for each other's processes and pauses
# more than they compute.
TOGETHER ?= 6

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/kassad
	$(BUILD) -o bin/ ./cmd/kassad

.PHONY: demo
demo: build ## a shop sells, with no hardware
	./bin/kassad demo

.PHONY: test
test: ## all tests
	go test -parallel $(TOGETHER) -timeout 20m ./...

.PHONY: race
race: ## all tests with the race detector
	go test -race -parallel $(TOGETHER) -timeout 20m ./...

.PHONY: fmt
fmt: ## fail if a file is not formatted
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi

.PHONY: vet
vet: ## go vet and staticcheck
	go vet ./...
	go tool staticcheck ./...

.PHONY: tidy
tidy: ## fail if go.mod is not tidy
	go mod tidy -diff

.PHONY: cross
cross: ## build for every platform
	@for t in $(TARGETS); do \
		echo "build $$t"; \
		GOOS=$${t%/*} GOARCH=$${t#*/} GOARM=6 $(BUILD) -o dist/$${t%/*}-$${t#*/}/ ./cmd/kassad || exit 1; \
	done

# TARGET is linux/amd64, linux/armhf and so on; armhf is what Debian calls arm.
.PHONY: binary
binary:
	GOOS=$(firstword $(subst /, ,$(TARGET))) GOARCH=$(patsubst armhf,arm,$(lastword $(subst /, ,$(TARGET)))) GOARM=6 $(BUILD) -o $(OUT) ./cmd/kassad

.PHONY: dist
dist: ## packages for all systems, checksums and SBOM, into dist/packages (docs/release.md)
	@packaging/dist.sh

.PHONY: dist-check
dist-check: ## build the packages twice, in two folders, and compare them byte for byte
	@packaging/dist-check.sh

.PHONY: test-packages
test-packages: ## packages installed, upgraded and removed for real; what a tool is missing for is skipped and told
	go test -count=1 -v -tags packages -timeout 15m ./packaging/...

.PHONY: test-foreign
test-foreign: ## suites on 386 natively and on arm under qemu: make test-foreign A='386 arm arm64'
	@tools/foreign.sh $(or $(A),386 arm)

.PHONY: check
check: fmt vet tidy test race cross test-packages test-foreign ## everything CI checks

.PHONY: fuzz
fuzz: ## every fuzzer in turn: make fuzz T=1m F=mqtt
	@tools/fuzz.sh $(T) '$(F)'

.PHONY: mutate
mutate: ## mutants that a package's tests do not notice: make mutate P=./fiscal F='step*.go' N=5
	go run ./tools/mutate -p $(or $(P),./fiscal) -f '$(or $(F),*.go)' -every $(or $(N),1) -known tools/mutate/equivalent.txt

.PHONY: matrix
matrix: ## the cut matrix, into docs/proof.md; a part of it: make matrix MATRIX_SHARD=3/20
	GOGC=400 go test -count=1 -run '^TestMatrix$$' -timeout 0 ./daemon/sim -matrix all

.PHONY: matrix-part
matrix-part: ## one of a hundred parts of the cut matrix, by the hour
	GOGC=400 MATRIX_SHARD=$(MATRIX_SHARD) go test -count=1 -run '^TestMatrix$$' -timeout 30m ./daemon/sim -matrix part
matrix-part: MATRIX_SHARD ?= $(shell echo $$(($$(date +%s) / 3600 % 100)))/100

# No package of ours: go passes over a name with an underscore.
STEADY := dist/_steady
SIM     = ../../dist/sim.test -test.timeout 0 -world.hours $(or $(HOURS),24) -world.faults '$(FAULTS)'

# The page itself changes with every run.
COMMIT = $(shell git rev-parse --short HEAD)$(shell git diff --quiet HEAD -- ':!docs/proof.*' || echo -dirty)

.PHONY: sim
sim: ## a shop under a seed: make sim SEED=7 HOURS=24 FAULTS=line,kill; many: make sim SEEDS=300 FROM=1; PAGE=1: kept, and into docs/proof.md
	@go run ./tools/steady $(STEADY)
	@go test -c -vet=off -overlay $(STEADY)/overlay.json -o dist/sim.test ./daemon/sim
ifdef SEED
	@cd daemon/sim && GOMAXPROCS=1 GOGC=off GOMEMLIMIT=2GiB GODEBUG=asyncpreemptoff=1,memprofilerate=0 $(SIM) -test.run '^TestWorldSeed$$' -world.seed $(SEED)
else
	@cd daemon/sim && $(SIM) -test.run '^TestWorldSeeds$$' -world.seeds $(or $(SEEDS),20) -world.from $(or $(FROM),1) -world.replays 3 $(if $(PAGE),-world.page -world.commit '$(COMMIT)')
endif

.PHONY: planted
planted: ## bugs that the simulation must find, into docs/proof.md: make planted P=resend-on-lost-reply
	@cd daemon/sim && go test -count=1 -v -timeout 0 -run '^TestPlanted$$' . -planted $(or $(P),all) $(if $(P),,-planted.page)

.PHONY: chaos
chaos: ## kill -9 of daemon, broker and printer: make chaos T=1h SEED=7
	@mkdir -p dist/chaos # logs, journal and ledger of each run
	KASSAD_CHAOS=$(T) KASSAD_SEED=$(SEED) go test -count=1 -v -run '^TestChaos$$' -timeout 0 -artifacts -outputdir $(CURDIR)/dist/chaos ./daemon/sim

.PHONY: bench
bench: ## the table of figures (docs/operations.md says how to read it)
	go test -run '^$$' -bench '^BenchmarkFigures$$' -benchtime 1x -timeout 30m ./daemon/sim

.PHONY: generate
generate: ## JSON Schemas from the wire types
	go generate ./...

.PHONY: mosquitto
mosquitto: ## optional: install the broker that some tests start (Debian)
	@command -v mosquitto >/dev/null || { \
		echo "Mosquitto is missing; tests that need it are skipped. On Debian: apt-get install mosquitto"; exit 1; }

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
