#!/bin/sh
# Puts prometheus, promtool, alertmanager and amtool into a folder, from Debian's packages. They are unpacked there, not
# installed: their packages would start two services. Takes the folder. Does nothing where the programs are there already.
set -eu
folder=$1

say() { echo "setup: $*"; }
fail() { echo "setup: error: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Debian calls alertmanager prometheus-alertmanager.
on_the_path() { has prometheus && has promtool && has amtool && { has alertmanager || has prometheus-alertmanager; }; }
# A program that lacks a library, or is for another processor, is there and does not run.
all_run() {
	for program in prometheus promtool alertmanager amtool; do
		"$1/$program" --version >/dev/null 2>&1 || return 1
	done
}

if [ -n "${FOREBAY_PROMETHEUS:-}" ]; then
	all_run "$FOREBAY_PROMETHEUS" || fail "FOREBAY_PROMETHEUS names $FOREBAY_PROMETHEUS, where prometheus, promtool," \
		"alertmanager and amtool are not all there and running. Set it right, or unset it"
	exit 0
fi
if all_run "$folder" || on_the_path; then exit 0; fi

remedy="unpack https://prometheus.io/download (prometheus and alertmanager) into $folder, or name a folder with
	prometheus, promtool, alertmanager and amtool: FOREBAY_PROMETHEUS=/path make ...
	Without them the monitoring proof is untested, and the tests of the alert rules fail"
if ! has apt-get || ! has dpkg; then
	say "no prometheus here and no apt-get to fetch it with: $remedy"
	exit 0
fi

as_root=
if [ "$(id -u)" != 0 ]; then
	if has sudo; then as_root=sudo; else say 'neither root nor sudo: using the package lists that are there'; fi
fi
say 'no prometheus; running: apt-get update, apt-get download prometheus prometheus-alertmanager (nothing is installed but two templates of alertmanager)'
if [ "$(id -u)" = 0 ] || [ -n "$as_root" ]; then $as_root apt-get update -q || fail "apt-get update failed: $remedy"; fi

# apt-get downloads as the user _apt where it may write; a folder of root's it would complain of.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$scratch" && apt-get download -q -o APT::Sandbox::User=root prometheus prometheus-alertmanager) ||
	fail "the packages cannot be fetched: $remedy"
for package in "$scratch"/*.deb; do dpkg -x "$package" "$scratch/unpacked"; done

# Debian's alertmanager reads its templates from there, whatever it is told.
templates=/usr/share/prometheus/alertmanager
if ! [ -f "$templates/default.tmpl" ] || ! [ -f "$templates/email.tmpl" ]; then
	$as_root mkdir -p "$templates" && $as_root cp "$scratch/unpacked$templates"/*.tmpl "$templates" ||
		fail "alertmanager needs its templates in $templates, and they cannot be put there. $remedy"
fi

mkdir -p "$folder"
for program in prometheus promtool amtool; do mv "$scratch/unpacked/usr/bin/$program" "$folder/$program"; done
mv "$scratch/unpacked/usr/bin/prometheus-alertmanager" "$folder/alertmanager"
if ! all_run "$folder"; then
	missing=$(ldd "$folder"/* 2>/dev/null | grep 'not found' | sort -u || true)
	fail "the programs in $folder do not run${missing:+; libraries are missing: $missing}. $remedy"
fi
say "prometheus, promtool, alertmanager and amtool are in $folder"
