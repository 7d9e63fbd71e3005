#!/bin/sh
# Breaks judges, controls, the ledger and what is guaranteed, a place at a time, and counts what the tests find (mutants.py).
# Takes a folder for cargo-mutants, the server, and arguments for it.
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
FOREBAY_SERVER="$server" exec python3 tools/mutants.py "$program" target/mutants "$@"
