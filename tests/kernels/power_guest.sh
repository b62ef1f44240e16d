#!/bin/sh
# power_guest: the part of power.sh that runs in its machines.
#
# Interface: power_guest.sh record BATCHES   two daemons, with their data on /dev/vdb (synced, as it
#                                            is by default) and on /dev/vdc (durability = none);
#                                            tells what each acknowledged, then cuts the power
#            power_guest.sh verify DISK NAME END END END ...   in fives: whether each disk has what
#                                            was acknowledged; tells "kept NAME", "lost NAME" or
#                                            "broken NAME"
set -u
build=${SLUICE_BUILD:-build}

start() { # DISK DURABILITY: a daemon with its data there; sets $daemon and $port
	folder=/tmp/${1##*/}
	mkdir -p "$folder" && mount -t ext4 "$1" "$folder" || return 1
	"$build/sluiced" -D "$folder/data" --set kafka.listen=127.0.0.1:0 --set http.listen=off \
		--set node.cores=1 --set node.durability="$2" \
		--set log.retention_ms=off >"$folder.log" 2>&1 & # acked's records are of 1970
	daemon=$!
	until port=$(sed -n 's/.* kafka 127.0.0.1:\([0-9]*\).*/\1/p' "$folder.log") &&
		[ -n "$port" ]; do
		kill -0 $daemon || { cat "$folder.log"; return 1; }
		sleep 0.2
	done
}

produce() { # NAME BATCHES
	ACKED_PORT=$port ACKED_NAME=$1 ACKED_BATCHES=$2 "$build/tests/kernels/acked" produces &
	producers="$producers $!"
}

record() { # BATCHES
	producers=
	start /dev/vdb group && produce synced "$1" || return 1
	start /dev/vdc none && produce unsynced "$1" || return 1
	for producer in $producers; do
		wait "$producer" || return 1
	done
	echo recorded
	sleep 1
	echo b >/proc/sysrq-trigger
}

verify() { # DISK NAME END END END
	start "$1" group || { echo "broken $2"; return; }
	ACKED_PORT=$port ACKED_NAME=$2 ACKED_ENDS="$3 $4 $5" "$build/tests/kernels/acked" keeps ||
		echo "broken $2"
	kill $daemon
	wait $daemon
	umount "$folder"
}

verb=$1
shift
case $verb in
record) record "$@" ;;
verify)
	while [ $# -ge 5 ]; do
		verify "$1" "$2" "$3" "$4" "$5"
		shift 5
	done
	;;
esac
