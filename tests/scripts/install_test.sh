#!/bin/sh
# install_test: `make install` puts everything where DESTDIR and PREFIX say, pages are in order, and
# libsluice can be used from there.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
build=${SLUICE_BUILD:-build}
. tests/tap.sh

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

# ---- libsluice ---------------------------------------------------------------------------------

pkg() { PKG_CONFIG_PATH="$root/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root" \
	pkg-config "$@" libsluice; }
# Says where the names that it gives out, by `nm` with options, are not those of its map.
gives_out_its_map() {
	nm "$@" | awk '$2 ~ /^[TDBRVW]$/ { sub(/@.*/, "", $3); print $3 }' |
		LC_ALL=C sort >"$root/given"
	grep -o 'sl_[a-z0-9_]*' lib/libsluice.map | LC_ALL=C sort | diff - "$root/given"
}
# The examples: one copies a file by way of a cache, first a miss, then a hit; the other merges.
example() { # PROGRAM
	rm -rf "$root/cache"
	head -c 300000 /dev/urandom >"$root/file"
	for want in miss hit; do
		"$1" "$root/cache" "$root/file" >"$root/copy" 2>"$root/said" || return 1
		cmp "$root/file" "$root/copy" || return 1
		grep ": $want" "$root/said" || { cat "$root/said"; return 1; }
	done
	"$1-object" '{"id":1,"payload":{"a":1}}' '{"b":2}' >"$root/merged" || return 1
	grep -xF '{"id":1,"payload":{"a":1,"b":2}}' "$root/merged" && notes "$1-objects"
}
# A thousand notes around a circle, which are found by the point that they are nearest to. The second
# time those of the first are there.
notes() { # PROGRAM
	rm -rf "$root/store"
	awk 'BEGIN { for (i = 0; i < 1000; i++) printf "{\"id\":%d,\"payload\":{\"tag\":\"%s\"}," \
		"\"vector\":[%.6f,%.6f]}\n", i, i % 2 ? "odd" : "even", cos(i / 160), sin(i / 160) }' \
		>"$root/notes"
	head -n 500 "$root/notes" | "$1" "$root/store" import >"$root/said" || return 1
	tail -n 500 "$root/notes" | "$1" "$root/store" import >>"$root/said" || return 1
	[ "$(grep -c '^stored ' "$root/said")" = 1000 ] || { cat "$root/said"; return 1; }
	"$1" "$root/store" search "[$(sed -n '301s/.*vector":\[\(.*\)\]}/\1/p' "$root/notes")]" odd \
		>"$root/said" || return 1
	[ "$(grep -c '"tag":"odd"' "$root/said")" = 3 ] && grep -q '"id":301,' "$root/said" ||
		{ cat "$root/said"; return 1; }
}
# The process is killed once it said that some are stored: these are there.
notes_killed() {
	rm -rf "$root/store"
	{ cat "$root/notes"; sleep 60; } | "$root/static-objects" "$root/store" import \
		>"$root/said" 2>&1 &
	pid=$!
	until grep -q '^stored' "$root/said" 2>/dev/null; do sleep 0.1; done
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	"$root/static-objects" "$root/store" search '[1, 0]' even >"$root/said" || return 1
	grep -q '"id":0,' "$root/said" || { cat "$root/said"; return 1; }
}
# What the program stored the daemon serves; while it does the program is refused, and told by whom.
notes_served() {
	"$root/usr/bin/sluiced" -D "$root/store" --set kafka.listen=127.0.0.1:0 \
		--set http.listen=127.0.0.1:0 >"$root/daemon" 2>&1 &
	pid=$!
	served=1
	until url=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/\1/p' "$root/daemon") &&
		[ -n "$url" ]; do
		kill -0 "$pid" || { cat "$root/daemon"; return 1; }
		sleep 0.1
	done
	curl -s "http://$url/collections/notes/points/7" >"$root/said" && grep '"tag":"odd"' "$root/said" &&
		! "$root/static-objects" "$root/store" search '[1, 0]' 2>"$root/said" &&
		grep "process $pid" "$root/said" && served=0
	kill "$pid"
	wait "$pid" || return 1
	[ "$served" = 0 ] && "$root/static-objects" "$root/store" search '[1, 0]'
}
build_example() { # OUTPUT FLAGS-AND-LIBRARIES...
	output=$1
	examples=$root/usr/share/sluice/examples
	shift
	cc -Wall -Wextra -Werror "$examples/cache.c" -o "$output" "$@" &&
		cc -Wall -Wextra -Werror "$examples/object.c" -o "$output-object" "$@" &&
		cc -Wall -Wextra -Werror "$examples/objects.c" -o "$output-objects" "$@"
}
shared_example() {
	# shellcheck disable=SC2046
	build_example "$root/shared" $(pkg --cflags --libs) || return 1
	LD_LIBRARY_PATH="$root/usr/lib" example "$root/shared"
}
static_example() {
	# shellcheck disable=SC2046
	build_example "$root/static" $(pkg --static --cflags --libs |
		sed 's/-lsluice /-l:libsluice.a /') || return 1
	! ldd "$root/static" | grep libsluice && example "$root/static"
}
header_is_cplusplus() {
	{
		printf '#include <sluice/%s.h>\n' buffer cache distance filter index object objects
		echo 'int main() { sl_cache_close(nullptr); sl_pool_free(nullptr);' \
			'sl_object_builder_free(nullptr); sl_objects_close(nullptr); }'
	} |
		clang -x c++ -Wall -Wextra -Werror -I"$root/usr/include" -fsyntax-only -
}

check 'libsluice is installed' present usr/lib/libsluice.a usr/lib/libsluice.so \
	usr/lib/libsluice.so.0 usr/lib/pkgconfig/libsluice.pc usr/include/sluice/cache.h \
	usr/include/sluice/buffer.h usr/include/sluice/object.h usr/share/man/man3/libsluice.3 \
	usr/include/sluice/objects.h usr/share/man/man3/libsluice_objects.3
check 'the shared library gives out its calls alone' \
	gives_out_its_map -D --defined-only "$root/usr/lib/libsluice.so"
check 'the static library gives out its calls alone' \
	gives_out_its_map -g --defined-only "$root/usr/lib/libsluice.a"
check 'the example runs with the shared library' shared_example
check 'the example runs with the static library' static_example
check 'what the example said to be stored survives kill -9' notes_killed
check 'the daemon serves what the example stored' notes_served
check 'its header is one for C++, too' header_is_cplusplus

for page in "$root"/usr/share/man/man*/*; do
	check "$(basename "$page") formats without warnings" without_warnings "$page"
done
plan
