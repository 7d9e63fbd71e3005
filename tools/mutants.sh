#!/bin/sh
# Breaks judges, controls, the ledger and what is promised, a line at a time, and counts what the unit tests find. Takes a
# folder for cargo-mutants, the server, and arguments for it; prints a table by file and what was not found. Ends with 1
# where less than nine of ten are found.
set -eu
folder=$1 server=$2
shift 2

version=27.1.0
program=$folder/bin/cargo-mutants

if ! "$program" mutants --version >/dev/null 2>&1; then
	echo "mutants: no cargo-mutants in $folder"
	echo "mutants: running: cargo install cargo-mutants --version $version --locked --root $folder"
	cargo install cargo-mutants --version "$version" --locked --root "$folder"
fi

# The other crates are built once; this one once a mutant, so as fast as it goes.
export CARGO_PROFILE_DEV_DEBUG=0 FOREBAY_SERVER="$server"
out=target/mutants
mkdir -p "$out"

# What it says of single mutants is in the folder's outcomes; whether enough were found is for the table to say.
mutants() {
	name=$1
	shift
	"$program" mutants --output "$out/$name" --no-shuffle --copy-target true \
		--cargo-arg=--config=profile.dev.package.forebay-proof.opt-level=0 "$@" || true
}

# The controls that are judged by a run on a server, with the tests that take one; then all that is judged without.
proof=crates/forebay-proof/src
runs="$proof/baseline/controls.rs $proof/throughput/controls.rs $proof/tune/controls.rs"
files=''
others=''
for file in $runs; do
	files="$files --file $file"
	others="$others --exclude $file"
done
# Words are wanted apart: no path here has a space in it.
# shellcheck disable=SC2086
mutants runs $files "$@" -- --lib -- --include-ignored baseline::controls throughput::controls tune::controls
# Tests of statistics take a minute without optimization, and judge nothing of this.
# shellcheck disable=SC2086
mutants judges \
	--file "$proof/**/*judge*.rs" --file "$proof/**/*controls*.rs" --file "$proof/**/controls/*.rs" --file "$proof/**/*guard*.rs" \
	--file "$proof/ledger.rs" --file "$proof/claim.rs" --file "$proof/claim/*.rs" \
	--file "$proof/**/*promise*.rs" --file "$proof/**/*guarantee*.rs" \
	--exclude "$proof/**/tests.rs" $others "$@" \
	-- --lib -- --skip tune::interval --skip tune::experiment
python3 tools/mutants.py "$out/runs/mutants.out/outcomes.json" "$out/judges/mutants.out/outcomes.json"
