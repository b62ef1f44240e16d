#!/bin/sh
# netem_test: large answers on a path of 1 Gbit/s and 50 ms keep it filled: at least half of what a
# plain sendfile server reaches on the same path, in turns. What a socket may hold queued is
# bounded, and a bound below the path's product of bandwidth and delay (6 MB) would starve it.
#
# Runs in a machine of scripts/vm: two network namespaces joined by veth, netem at both ends.
set -u
build=${SLUICE_BUILD:-build}
work=$(mktemp -d)
address=10.9.0.1
servers=
. tests/tap.sh

clean_up() {
	[ -z "$servers" ] || kill $servers
	ip netns del far 2>/dev/null
	ip netns del near 2>/dev/null
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

near() { ip netns exec near "$@"; }
far() { ip netns exec far "$@"; }

path_made() {
	ip netns add near && ip netns add far &&
		ip link add eth0 netns near type veth peer name eth0 netns far || return 1
	for end in near far; do
		ip netns exec $end ip link set lo up &&
			ip netns exec $end ip link set eth0 up &&
			ip netns exec $end tc qdisc add dev eth0 root netem \
				rate 1gbit delay 25ms limit 100000 || return 1
	done
	near ip addr add $address/24 dev eth0 && far ip addr add 10.9.0.2/24 dev eth0
}

# The first packet pays for the ARP request too.
path_has_delay() {
	far ping -c 3 $address >"$work/ping" || { cat "$work/ping"; return 1; }
	sed -n 's/.*min\/avg\/max = \([0-9.]*\).*/\1/p' "$work/ping" | awk '
		{ print "round trip " $1 " ms"; seen = $1 }
		END { exit !(seen >= 50) }'
}

# The last one may hold no more than 32 KiB queued.
servers_start() {
	near "$build/sluiced" -D "$work/data" --set kafka.listen=$address:9092 \
		--set http.listen=off --set node.insecure=yes --set node.durability=none \
		>"$work/log" 2>&1 &
	servers=$!
	head -c 16000000 /dev/urandom >"$work/file"
	near "$build/tests/kernels/plain" serve "$work/file" $address 5001 &
	servers="$servers $!"
	near "$build/tests/kernels/plain" serve "$work/file" $address 5002 32768 &
	servers="$servers $!"
	tries=0
	until grep -q "kafka $address:9092" "$work/log" && plain_rate 5001 0 0 >/dev/null 2>&1 &&
		plain_rate 5002 0 0 >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] && kill -0 $servers || { cat "$work/log"; return 1; }
		sleep 0.2
	done
}

plain_rate() { # PORT [MS MS]
	far "$build/tests/kernels/plain" fetch $address "$1" "${2:-3000}" "${3:-6000}"
}

# Answers of 1 MB, 16 of them asked for at any time.
sluice_rate() {
	far "$build/sluice" bench fetch --json --bootstrap $address:9092 --request-bytes 1M \
		--in-flight 16 --prefill 32M --warmup 3s --seconds 6s --timeout 200s \
		>"$work/json" || return 1
	sed 's/.*"seconds":\([0-9.]*\).*"bytes":\([0-9]*\).*/\1 \2/' "$work/json" |
		awk '{ printf "%.0f\n", $2 / $1 }'
}

# The best of two to five turns each, because this machine may stall in any of them.
path_is_filled() {
	best_plain=0 best_sluice=0
	for turn in 1 2 3 4 5; do
		rate=$(plain_rate 5001) || return 1
		[ "$rate" -le $best_plain ] || best_plain=$rate
		echo "plain sendfile: $rate bytes/s"
		rate=$(sluice_rate) || { cat "$work/json"; return 1; }
		[ "$rate" -le $best_sluice ] || best_sluice=$rate
		echo "sluiced: $rate bytes/s"
		[ $turn -eq 1 ] || [ $((best_sluice * 2)) -lt $best_plain ] || return 0
	done
	return 1
}

bound_starves() {
	rate=$(plain_rate 5002) || return 1
	echo "plain sendfile, 32 KiB: $rate bytes/s"
	[ $((rate * 2)) -lt $best_plain ]
}

for tool in ip tc; do
	command -v $tool >/dev/null ||
		{ echo "1..0 # SKIP there is no $tool here"; exit 4; }
done
check a_path_of_1_gbit_and_50_ms_is_made path_made
check its_delay_is_there path_has_delay
check servers_start servers_start
check large_answers_fill_the_path path_is_filled
sed 's/^/# /' "$work/why"
check a_bound_too_small_would_be_noticed bound_starves
sed 's/^/# /' "$work/why"
plan
