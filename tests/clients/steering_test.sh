#!/bin/sh
# steering_test: kcat (librdkafka) against a sluiced whose connections move to their partition.
#
# Hops are counted by sluice_core_calls_total, moves by sluice_connections_moved_total.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
command -v kcat >/dev/null || { echo '1..0 # SKIP kcat is not installed'; exit 4; }
command -v curl >/dev/null || { echo '1..0 # SKIP curl is not installed'; exit 4; }

kcat_do() { timeout 180 kcat -b "$broker" "$@"; }

value() { # METRIC
	curl -s "http://$http/metrics" | awk -v name="$1" '$1 == name { print $2; exit }'
}

# One partition after the other, so that most of them live on another core than the connection's.
produce_each() {
	seq 100 >"$work/in"
	for p in 0 1 2 3 4 5 6 7; do
		kcat_do -P -t "$1" -p "$p" -X linger.ms=0 -X batch.num.messages=1 <"$work/in" &&
			kcat_do -C -t "$1" -p "$p" -e -q | cmp - "$work/in" || return 1
	done
}

hops_of() { # TOPIC, created before
	hops=$(value sluice_core_calls_total)
	produce_each "$1" || return 1
	hops=$(($(value sluice_core_calls_total) - hops))
	echo "$hops hops"
}

starts() {
	cat >"$work/conf" <-'END'
		[node]
		steering_move = no
	END
	daemon_start -c "$work/conf" --set node.cores=4 --set http.listen=127.0.0.1:0 \
		--set kafka.default_partitions=8 || return 1
	http=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/\1/p' "$work/log")
	echo x | kcat_do -P -t warm
	for topic in stays moves; do kcat_do -L -t $topic >/dev/null || return 1; done
}

without_moves_requests_hop() {
	hops_of stays && [ "$hops" -gt 300 ] &&
		[ "$(value 'sluice_connections_moved_total{listener="kafka"}')" -eq 0 ]
}

a_reload_turns_moves_on() {
	echo '[node]' >"$work/conf"
	echo 'steering_move = yes' >>"$work/conf"
	kill -HUP "$daemon"
	tries=0
	until grep -q settings.reloaded "$work/log"; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || { cat "$work/log"; return 1; }
		sleep 0.1
	done
	grep -q 'steering_move is now yes' "$work/log"
}

with_moves_they_do_not() {
	hops_of moves && [ "$hops" -lt 200 ] &&
		[ "$(value 'sluice_connections_moved_total{listener="kafka"}')" -gt 0 ]
}

check 'the daemon starts' starts
check 'without moves requests hop to their partition' without_moves_requests_hop
check 'a reload turns moves on' a_reload_turns_moves_on
check 'with moves they do not' with_moves_they_do_not
check 'the daemon ends' daemon_stop
plan
