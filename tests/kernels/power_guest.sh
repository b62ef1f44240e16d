#!/bin/sh
# power_guest: the part of power.sh that runs in its machines.
#
# Interface: power_guest.sh STORE record BATCHES   two daemons, with their data on /dev/vdb (synced,
#                                            as it is by default) and on /dev/vdc (durability =
#                                            none); tells what each acknowledged, then cuts the power
#            power_guest.sh STORE verify DISK NAME END END END ...   in fives: whether each disk has
#                                            what was acknowledged; tells "kept NAME", "lost NAME"
#                                            or "broken NAME"
# STORE: log, by Kafka on ext4; cache, by HTTP on ext4; device, the same on the disk itself, by a
# daemon that begins as root and goes on as nobody, confined.
set -u
build=${SLUICE_BUILD:-build}

run_sluiced() { # SETTING...: with its data in $folder; sets $daemon and $port
	set -- "$@" node.cores=1
	for setting; do
		shift
		set -- "$@" --set "$setting"
	done
	"$build/sluiced" -D "$folder/data" "$@" >"$folder.log" 2>&1 &
	daemon=$!
	until port=$(sed -n "s/.* $protocol 127.0.0.1:\([0-9]*\).*/\1/p" "$folder.log") &&
		[ -n "$port" ]; do
		kill -0 $daemon || { cat "$folder.log"; return 1; }
		sleep 0.2
	done
}

start() { # DISK DURABILITY: a daemon with its data there
	folder=/tmp/${1##*/}
	mkdir -p "$folder"
	[ "$store" = device ] || mount -t ext4 "$1" "$folder" || return 1
	case $store in
	log) # acked's records are of 1970
		run_sluiced kafka.listen=127.0.0.1:0 http.listen=off node.durability="$2" \
			log.retention_ms=off
		;;
	cache)
		run_sluiced kafka.listen=off http.listen=127.0.0.1:0 cache.path="$folder/cache" \
			cache.max_bytes=128M cache.durability="$2"
		;;
	device)
		chown nobody "$1" && chmod 600 "$1" || return 1
		run_sluiced kafka.listen=off http.listen=127.0.0.1:0 cache.path="$1" \
			cache.durability="$2" node.user=nobody || return 1
		! grep -q privileges.not-confined "$folder.log" || { cat "$folder.log"; return 1; }
		grep -q '^Uid:.65534.65534.65534' /proc/$daemon/status
		;;
	esac
}

produce() { # NAME BATCHES
	ACKED_PORT=$port ACKED_NAME=$1 ACKED_BATCHES=$2 "$build/tests/kernels/$client" produces &
	producers="$producers $!"
}

format() {
	for disk in /dev/vdb /dev/vdc; do
		"$build/sluice" cache format "$disk" || return 1
	done
}

record() { # BATCHES
	producers=
	[ "$store" != device ] || format || return 1
	# So that what nobody syncs is written, too, in an order of the kernel's own.
	echo 50 >/proc/sys/vm/dirty_writeback_centisecs
	echo 100 >/proc/sys/vm/dirty_expire_centisecs
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
	ACKED_PORT=$port ACKED_NAME=$2 ACKED_ENDS="$3 $4 $5" "$build/tests/kernels/$client" keeps ||
		echo "broken $2"
	kill $daemon
	wait $daemon
	[ "$store" = device ] || umount "$folder"
}

store=$1 verb=$2
shift 2
case $store in
log) client=acked protocol=kafka ;;
*) client=stored protocol=http ;;
esac
case $verb in
record) record "$@" ;;
verify)
	while [ $# -ge 5 ]; do
		verify "$1" "$2" "$3" "$4" "$5"
		shift 5
	done
	;;
esac
