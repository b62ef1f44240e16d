#!/bin/sh
# power: what a client saw acknowledged is there after the power went, on a real kernel: in the log
# and in a cache on ext4, and in a cache on a disk without a file system.
#
# Called by `make check-power`. A machine of scripts/vm runs two daemons, one that syncs and one that
# does not, each on a disk of which QEMU logs every write and every flush, while a client tells what
# was acknowledged (acked.c, stored.c). From each log, disks are made as a power cut at several of
# the flushes could have left them (replay.py), and another machine turns each of them on: what was
# acknowledged by the daemon that syncs must be there, and nothing wrong. The daemon that does not
# sync must have lost something, or this test could not fail.
# STORES (log cache device), KERNEL (6.1), CUTS (5) of each daemon, BATCHES (600) and SLUICE_SEED
# choose what is done.
set -u
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
: "${STORES:=log cache device}" "${KERNEL:=6.1}" "${CUTS:=5}" "${BATCHES:=600}"
: "${SLUICE_SEED:=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"
export SLUICE_SEED
here=tests/kernels
mkdir -p "${SLUICE_BUILD:-build}/kernels"
work=$(mktemp -d "${SLUICE_BUILD:-build}/kernels/power.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
. tests/tap.sh

block_node() { # DRIVER NAME PROPERTIES
	echo "--qemu -blockdev --qemu driver=$1,node-name=$2,$3"
}

file_node() { # NAME FILE
	block_node file "$1" "filename=$2,cache.no-flush=on"
}

# A new disk, and QEMU's arguments for it and for the log of what is written to it.
logged_disk() { # NAME
	truncate -s 0 "$work/$1"
	truncate -s 256M "$work/$1"
	[ "$store" = device ] ||
		mke2fs -q -t ext4 -E lazy_itable_init=0,lazy_journal_init=0 "$work/$1" || return 1
	cp --sparse=always "$work/$1" "$work/$1.base"
	: >"$work/$1.log"
	file_node "$1-file" "$work/$1"
	file_node "$1-log" "$work/$1.log"
	block_node blklogwrites "$1" "file=$1-file,log=$1-log,log-sector-size=512"
	echo "--qemu -device --qemu virtio-blk-pci,drive=$1"
}

# The machine ends by the cut, so its status says nothing; "recorded" was its last word.
recorded() {
	disks="$(logged_disk synced) $(logged_disk unsynced)" || return 1
	# shellcheck disable=SC2086
	scripts/vm run --kernel "$KERNEL" --limit 900 $disks -- \
		$here/power_guest.sh "$store" record "$BATCHES" 2>"$work/errors" |
		python3 $here/replay.py note "$work/synced.log" "$work/unsynced.log" >"$work/notes"
	grep -q ' recorded$' "$work/notes" || { tail -n 30 "$work/notes" "$work/errors"; return 1; }
}

replayed() {
	index=0
	: >"$work/cuts"
	for name in synced unsynced; do
		python3 $here/replay.py cut "$work/$name.log" "$work/$name.base" "$work/notes" $index \
			$name "$CUTS" "$SLUICE_SEED" "$work/$name" >>"$work/cuts" || return 1
		index=$((index + 1))
	done
}

# One machine looks at all of them: /dev/vdb and on, in the order of $work/cuts.
verified() {
	disks='' arguments='' letters='b c d e f g h i j k l m n o p q r s t u v w x y z'
	while read -r image ends; do
		letter=${letters%% *} letters=${letters#* }
		disks="$disks $(file_node "disk-$letter" "$image")"
		disks="$disks --qemu -device --qemu virtio-blk-pci,drive=disk-$letter"
		arguments="$arguments /dev/vd$letter ${image##*/} $ends"
	done <"$work/cuts"
	# shellcheck disable=SC2086
	scripts/vm run --kernel "$KERNEL" --limit 900 $disks -- $here/power_guest.sh "$store" verify \
		$arguments >"$work/outcome" 2>&1
	cat "$work/outcome"
}

kept() { grep -qx "kept $1" "$work/outcome" || { cat "$work/cuts" "$work/outcome"; return 1; }; }
not_broken() {
	! grep -qx "broken $1" "$work/outcome" || { cat "$work/cuts" "$work/outcome"; return 1; }
}
some_lost() { grep -q '^lost unsynced' "$work/outcome" || { cat "$work/outcome"; return 1; }; }

if ! scripts/vm fetch "$KERNEL" >"$work/why" 2>&1; then
	echo "ok 1 - power cuts on Linux $KERNEL # SKIP $(tail -n 1 "$work/why")"
	echo 1..1
	exit 0
fi
echo "# SLUICE_SEED=$SLUICE_SEED"
for store in $STORES; do
	check "$store: two daemons acknowledge until the power goes" recorded
	[ $failed -eq 0 ] || plan
	check "$store: disks are made from the log of writes" replayed
	[ $failed -eq 0 ] || plan
	check "$store: a machine turns all of them on" verified
	sed 's/^/# /' "$work/cuts"
	while read -r image ends; do
		name=${image##*/}
		case $name in
		synced.*)
			check "$store: all that was acknowledged is there: $name, $ends" kept "$name"
			;;
		esac
		check "$store: nothing is wrong: $name" not_broken "$name"
	done <"$work/cuts"
	check "$store: a daemon that does not sync loses some" some_lost
done
plan
