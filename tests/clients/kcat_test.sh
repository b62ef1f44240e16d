#!/bin/sh
# kcat_test: kcat (librdkafka), as Debian packages it, against a sluiced.
#
# The large file is text that every Debian machine has: the package lists of apt, else what dpkg
# knows. kcat leaves empty lines out by itself, so the file has none.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
command -v kcat >/dev/null || { echo '1..0 # SKIP kcat is not installed'; exit 4; }
least_bytes=100000000

kcat_do() { timeout 180 kcat -b "$broker" "$@"; }

# ---- small -----------------------------------------------------------------------------------

lists_the_broker() {
	kcat_do -L >"$work/list" && grep -q "^  broker 1 at $broker (controller)$" "$work/list" ||
		{ cat "$work/list"; return 1; }
}

creates_topics_by_themselves() {
	echo first | kcat_do -P -t made &&
		kcat_do -L -t made | grep -q 'topic "made" with 1 partitions'
}

# Lines so much alike that they are worth compressing.
passes_codec() {
	seq 1000 | sed 's/.*/key&:value of line &/' >"$work/in"
	kcat_do -P -t "codec-$1" -z "$1" -K: -H "codec=$1" -H empty= <"$work/in" &&
		kcat_do -C -t "codec-$1" -e -q -f '%k:%s\n' >"$work/out" &&
		cmp "$work/in" "$work/out" &&
		kcat_do -C -t "codec-$1" -e -q -c 1 -f '%h\n' >"$work/headers" &&
		echo "codec=$1,empty=" | cmp - "$work/headers"
}

passes_null_and_empty() {
	printf 'a:\nb:x\n' | kcat_do -P -t nulls -K: -Z &&
		kcat_do -C -t nulls -e -q -f '%k %S %s\n' >"$work/out" &&
		printf 'a -1 \nb 1 x\n' | cmp - "$work/out"
}

produces_with() { # ACKS
	echo "acks $1" | kcat_do -P -t "acks" -X acks="$1" && sleep 0.2 &&
		kcat_do -C -t acks -o -1 -e -q | grep -qx "acks $1"
}

produces_idempotently() {
	seq 5000 >"$work/in"
	kcat_do -P -t idem -X enable.idempotence=true -X batch.num.messages=100 <"$work/in" &&
		kcat_do -C -t idem -e -q | cmp - "$work/in"
}

finds_offsets() {
	seq 100 | kcat_do -P -t seek || return 1
	[ "$(kcat_do -C -t seek -o 42 -c 1 -q)" = 43 ] || return 1
	[ "$(kcat_do -C -t seek -o -3 -e -q | tr '\n' ' ')" = '98 99 100 ' ] || return 1
	kcat_do -Q -t seek:0:-1 | grep -q 'offset 100$'
}

reads_by_group() {
	kcat_do -G readers -c 60 -q -X auto.offset.reset=earliest seek >"$work/part1" &&
		kcat_do -G readers -c 40 -q -X auto.offset.reset=earliest seek >"$work/part2" &&
		cat "$work/part1" "$work/part2" >"$work/out" && seq 100 | cmp - "$work/out"
}

# ---- large -----------------------------------------------------------------------------------

large_text() {
	for list in /var/lib/apt/lists/*_Packages*; do
		[ -e "$list" ] || continue
		/usr/lib/apt/apt-helper cat-file "$list" 2>/dev/null || cat "$list"
	done
	cat /var/lib/dpkg/status /var/lib/dpkg/info/*.list 2>/dev/null
}

# Each further copy has its number before each line, so that no two copies are alike.
make_large() {
	large_text | grep -av '^$' >"$work/text"
	[ -s "$work/text" ] || return 1
	cp "$work/text" "$work/large"
	copy=2
	while [ "$(wc -c <"$work/large")" -lt $least_bytes ]; do
		sed "s/^/$copy /" "$work/text" >>"$work/large" || return 1
		copy=$((copy + 1))
	done
	rm "$work/text"
}

large_goes_in() { kcat_do -P -t large -l "$work/large"; }
large_comes_out() { kcat_do -C -t large -o beginning -e -q | cmp - "$work/large"; }

restarts() { daemon_stop && daemon_start; }

group_goes_on() {
	seq 101 110 | kcat_do -P -t seek &&
		kcat_do -G readers -c 10 -q -X auto.offset.reset=earliest seek >"$work/out" &&
		seq 101 110 | cmp - "$work/out"
}

# ---- all of it -------------------------------------------------------------------------------

check 'sluiced starts' daemon_start
[ $failed -eq 0 ] || plan
check 'kcat lists the broker' lists_the_broker
check 'a topic that is written to is created' creates_topics_by_themselves
for codec in none gzip snappy lz4 zstd; do
	check "keys, headers and codec $codec pass" passes_codec $codec
done
check 'a null value stays null' passes_null_and_empty
for acks in 0 1 all; do
	check "acks=$acks" produces_with $acks
done
check 'an idempotent producer' produces_idempotently
check 'offsets from the start, from the end, and the last' finds_offsets
check 'a group goes on where it was' reads_by_group
if make_large; then
	check 'a file of 100 MB goes in' large_goes_in
	check 'it comes out byte for byte' large_comes_out
	check 'SIGTERM, and a start again' restarts
	check 'it still comes out byte for byte' large_comes_out
else
	skip 'a file of 100 MB passes' 'this machine has no text to make it of'
	check 'SIGTERM, and a start again' restarts
fi
check 'the group goes on after the restart' group_goes_on
check 'sluiced ends as asked' daemon_stop
plan
