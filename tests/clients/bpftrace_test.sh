#!/bin/sh
# bpftrace_test: each script of tools/bpftrace shows what a sluiced does.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
command -v bpftrace >/dev/null || { echo '1..0 # SKIP bpftrace is not installed'; exit 4; }
readelf -n "$build/sluiced" 2>/dev/null | grep -q 'Provider: sluice' ||
	{ echo '1..0 # SKIP built without probes: no systemtap-sdt-dev'; exit 4; }
bpftrace -e 'BEGIN { exit(); }' >/dev/null 2>&1 ||
	{ echo "1..0 # SKIP bpftrace does not run here: $(bpftrace -e 'BEGIN { exit(); }' 2>&1 |
		head -n 1)"; exit 4; }

starts() {
	daemon_start --set http.listen=127.0.0.1:0 || return 1
	http=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/http:\/\/\1/p' "$work/log")
	[ -n "$http" ] || { cat "$work/log"; return 1; }
}

work_a_little() {
	curl -sS --max-time 30 -o /dev/null "$http/metrics" &&
		echo hello | "$build/sluice" produce --bootstrap "$broker" traced >/dev/null
}

# shows SCRIPT PATTERN: the script prints that while the daemon is worked with.
shows() {
	bpftrace -p "$daemon" "tools/bpftrace/$1" >"$work/out" 2>&1 &
	tracer=$!
	tries=0
	until grep -q "$2" "$work/out" || [ $tries -ge 100 ]; do
		work_a_little || break
		sleep 0.3
		tries=$((tries + 1))
	done
	kill -INT $tracer
	wait $tracer
	grep -q "$2" "$work/out" || { cat "$work/out"; return 1; }
}

check sluiced_starts starts
check latency_shows_each_listener shows latency.bt '^@us\[http\]: *$'
check rungs_shows_bytes_by_rung shows rungs.bt '^@bytes\[http, copy\]: count [1-9]'
check accepts_shows_the_core_that_accepted shows accepts.bt \
	'^@accepted\[http, sluice/[0-9]*\]: [1-9]'
check commits_shows_syncs shows commits.bt '^@us: *$'
check sluiced_ends_in_order daemon_stop
plan
