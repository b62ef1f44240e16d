#!/bin/sh
# bootstrap_test: bootstrap reads apt's sources in both forms, and does nothing when all is there.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir "$apt/sources.list.d"
count=0
failed=0

# The function as bootstrap has it, with another folder for /etc/apt.
eval "$(sed "s|/etc/apt|$apt|g" "$root/scripts/apt.sh")"

# reads TITLE EXPECTED FILE: the source list comes from standard input.
reads() {
	count=$((count + 1))
	rm -f "$apt"/sources.list "$apt"/sources.list.d/*
	cat >"$apt/$3"
	seen=$(apt_sources)
	if [ "$seen" = "$2" ]; then
		echo "ok $count - $1"
	else
		printf 'expected:\n%s\nseen:\n%s\n' "$2" "$seen" | sed 's/^/# /'
		echo "not ok $count - $1"
		failed=1
	fi
}

reads 'one line' 'http://a/debian bookworm -' sources.list <<'X'
# deb http://no/debian bookworm main
deb http://a/debian bookworm main
deb-src http://a/debian bookworm main
X
reads 'one line with options' 'http://a/debian bookworm /k.gpg' sources.list.d/a.list <<'X'
deb [arch=amd64 signed-by=/k.gpg] http://a/debian bookworm main
X
reads 'deb822' "http://a/debian bookworm /k.gpg
http://a/debian bookworm-updates /k.gpg
http://s/debian-security bookworm-security -" sources.list.d/debian.sources <<'X'
Types: deb
# a comment
URIs: http://a/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Types: deb deb-src
URIs: http://s/debian-security
Suites: bookworm-security
Components: main

Types: deb-src
URIs: http://a/debian
Suites: bookworm
X
reads 'a disabled source' '' sources.list.d/off.sources <<'X'
Enabled: no
Types: deb
URIs: http://a/debian
Suites: bookworm
X

count=$((count + 1))
if output=$("$root/scripts/bootstrap" build 2>&1) && [ -z "$output" ]; then
	echo "ok $count - a second run says nothing"
else
	printf '%s\n' "$output" | sed 's/^/# /'
	echo "not ok $count - a second run says nothing"
	failed=1
fi
echo "1..$count"
exit "$failed"
