#!/bin/sh
# core_ports_test: kcat (librdkafka) against a sluiced whose cores are brokers of their own.
#
# Hops are counted by sluice_core_calls_total, while hundreds of requests go to eight partitions.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
command -v kcat >/dev/null || { echo '1..0 # SKIP kcat is not installed'; exit 4; }
command -v curl >/dev/null || { echo '1..0 # SKIP curl is not installed'; exit 4; }

kcat_do() { timeout 180 kcat -b "$broker" "$@"; }

# The ports of four cores, below those that the kernel gives out.
start_with_cores() { # ARGUMENT...
	for try in 1 2 3 4 5; do
		first=$((10000 + ($$ * 7 + try * 1009) % 20000))
		daemon_start --set node.cores=4 --set http.listen=127.0.0.1:0 \
			--set kafka.core_ports="$first-$((first + 3))" \
			--set kafka.default_partitions=8 "$@" && break
		grep -q 'another process listens' "$work/log" || return 1
	done
	http=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/\1/p' "$work/log")
	[ -n "$http" ]
}

value() { # METRIC
	curl -s "http://$http/metrics" | awk -v name="$1" '$1 == name { print $2; exit }'
}

each_core_is_a_broker() {
	kcat_do -L >"$work/list" || return 1
	for i in 0 1 2 3; do
		name="broker $((i + 1)) at 127.0.0.1:$((first + i))"
		grep -q "^  $name\( (controller)\)\?$" "$work/list" ||
			{ cat "$work/list"; return 1; }
	done
	grep -q '^  broker 1 .*(controller)$' "$work/list"
}

leaders_are_spread() {
	echo first | kcat_do -P -t spread && kcat_do -L -t spread >"$work/list" &&
		[ "$(sed -n 's/.*leader \([0-9]*\),.*/\1/p' "$work/list" | sort -u | wc -l)" -gt 1 ]
}

# One record a request; whatever a client asks at its start is a handful of hops.
requests_need_no_hop() {
	requests=$(value 'sluice_kafka_requests_total{api="produce"}')
	hops=$(value sluice_core_calls_total)
	seq 400 >"$work/in"
	kcat_do -P -t spread -p -1 -X linger.ms=0 -X batch.num.messages=1 <"$work/in" || return 1
	kcat_do -C -t spread -e -q | grep -v first | sort -n | cmp - "$work/in" || return 1
	requests=$(($(value 'sluice_kafka_requests_total{api="produce"}') - requests))
	hops=$(($(value sluice_core_calls_total) - hops))
	echo "$requests requests, $hops hops"
	[ "$requests" -ge 400 ] && [ "$hops" -lt 40 ]
}

# Every port serves what another core leads: a client that knows one broker alone.
another_core_is_served() {
	port=$((first + 3))
	for i in 0 1 2 3 4 5 6 7; do
		timeout 60 kcat -b "127.0.0.1:$port" -C -t spread -p "$i" -e -q || return 1
	done | wc -l | grep -qx 401
}

groups_have_their_coordinator() {
	timeout 60 kcat -b "127.0.0.1:$((first + 1))" -G readers -c 100 -q \
		-X auto.offset.reset=earliest spread >"$work/part" &&
		[ "$(wc -l <"$work/part")" -eq 100 ]
}

all_of_it() { # WAY ARGUMENT...
	way=$1
	shift
	check "$way: the daemon starts" start_with_cores "$@"
	check "$way: by $way" grep -q "core-ports.open.*mechanism=$way" "$work/log"
	check "$way: each core is a broker" each_core_is_a_broker
	check "$way: leaders are spread over the cores" leaders_are_spread
	check "$way: requests need no hop to another core" requests_need_no_hop
	check "$way: a request at another core is served" another_core_is_served
	check "$way: groups have their coordinator" groups_have_their_coordinator
	check "$way: the daemon ends" daemon_stop
	rm -rf "$work/data"
}

all_of_it listeners --set bpf.ports=no
start_with_cores || { cat "$work/log"; exit 1; }
is_mapped() { grep -q 'core-ports.open.*mechanism=ebpf' "$work/log"; }
if is_mapped; then
	daemon_stop
	rm -rf "$work/data"
	all_of_it ebpf
else
	daemon_stop
	skip 'ebpf: all of it' "$("$build/sluice" doctor | grep bpf.ports)"
fi
plan
