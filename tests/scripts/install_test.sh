#!/bin/sh
# install_test: `make install` puts everything where DESTDIR and PREFIX say, and pages are in order.
set -eu
cd "$(dirname "$0")/../.."
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
build=${SLUICE_BUILD:-build}
count=0
failed=0

check() { # TITLE COMMAND...
	count=$((count + 1))
	title=$1
	shift
	if output=$("$@" 2>&1); then
		echo "ok $count - $title"
	else
		printf '%s\n' "$output" | sed 's/^/# /'
		echo "not ok $count - $title"
		failed=1
	fi
}

# The jobs of the make that runs this test are none of ours.
unset MAKEFLAGS MFLAGS MAKELEVEL
install_there() { make -s O="$build" DESTDIR="$root" PREFIX=/usr install; }
present() { for file; do [ -s "$root/$file" ] || { echo "$file is missing"; return 1; }; done; }
prefix_filled_in() { ! grep -r '@PREFIX@\|@VERSION@' "$root"; }
without_warnings() {
	command -v man >/dev/null || return 0
	[ -z "$(man --warnings -l "$1" 2>&1 >/dev/null)" ] || man --warnings -l "$1"
}

check 'make install succeeds' install_there
check 'programs are installed' present usr/bin/sluiced usr/bin/sluice
check 'headers are installed' present usr/include/sluice/assert.h usr/include/sluice/fault.def
check 'scripts for bpftrace are installed' present usr/share/sluice/bpftrace/latency.bt
check 'the unit is installed' present usr/lib/systemd/system/sluiced.service
check 'alerts and dashboard are installed' present usr/share/sluice/prometheus-rules.yml \
	usr/share/sluice/grafana-dashboard.json
check 'settings are installed' present etc/sluice/sluice.conf
settings_kept() {
	echo '# mine' >"$root/etc/sluice/sluice.conf"
	install_there && grep -q mine "$root/etc/sluice/sluice.conf"
}
check 'settings that are there are kept' settings_kept
check 'manual pages are installed' present usr/share/man/man1/sluice.1 \
	usr/share/man/man5/sluice.conf.5 usr/share/man/man8/sluiced.8
check 'nothing is left to fill in' prefix_filled_in
check 'the installed daemon runs' "$root/usr/bin/sluiced" --version
for page in "$root"/usr/share/man/man*/*; do
	check "$(basename "$page") formats without warnings" without_warnings "$page"
done
echo "1..$count"
exit "$failed"
