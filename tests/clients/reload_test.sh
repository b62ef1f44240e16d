#!/bin/sh
# reload_test: a settings file that an editor replaced by another one is read at SIGHUP.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh

mkdir "$work/etc"

settings() { # LEVEL: written to a new file, which takes the place of the old one
	printf '[node]\nlog_level = %s\n' "$1" >"$work/etc/new"
	mv "$work/etc/new" "$work/etc/sluice.conf"
}

reloaded() { # COUNT
	kill -HUP "$daemon"
	tries=0
	until [ "$(grep -c 'event=settings.reloaded' "$work/log")" -ge "$1" ]; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { cat "$work/log"; return 1; }
		sleep 0.1
	done
}

is_told() {
	grep 'log_level' "$work/log" || { cat "$work/log"; return 1; }
}

settings notice
check 'the daemon starts' daemon_start -c "$work/etc/sluice.conf"
settings debug
check 'it reads its settings again' reloaded 1
check 'those of the file that is there now' is_told
settings info
check 'and once more' reloaded 2
check 'the daemon ends' daemon_stop
plan
