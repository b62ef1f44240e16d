# daemon.sh: a sluiced of the test's own, and TAP; sourced by the tests in shell, not run.
#
# daemon_start [ARGUMENT...]	starts sluiced on $work/data (again) and sets $broker
# daemon_stop			ends it by SIGTERM; fails unless it ends with status 0 in time
# check, skip, plan		as tests/tap.sh has them
# $work is a temporary folder that goes with the script, and the daemon with it.
set -u
build=${SLUICE_BUILD:-build}
work=$(mktemp -d)
daemon=
. "$(dirname "$0")/../tap.sh"

daemon_gone() { # within a minute
	tries=0
	while kill -0 "$daemon" 2>/dev/null && [ "$(ps -o stat= -p "$daemon")" != Z ]; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || return 1
		sleep 0.1
	done
}

daemon_end() {
	[ -z "$daemon" ] || {
		kill "$daemon" 2>/dev/null
		daemon_gone || kill -KILL "$daemon"
		wait "$daemon"
	}
	rm -rf "$work"
}
trap daemon_end EXIT
trap 'exit 1' HUP INT TERM

daemon_start() {
	: >"$work/log" # here, or the address of an earlier daemon might be read below
	"$build/sluiced" -D "$work/data" --set kafka.listen=127.0.0.1:0 --set http.listen=off \
		--set kafka.group_initial_rebalance_delay_ms=200ms "$@" >"$work/log" 2>&1 &
	daemon=$!
	tries=0
	until broker=$(sed -n 's/.* kafka \(127.0.0.1:[0-9]*\).*/\1/p' "$work/log") &&
		[ -n "$broker" ]; do
		tries=$((tries + 1))
		if [ $tries -eq 600 ] || ! kill -0 "$daemon" 2>/dev/null; then
			cat "$work/log"
			return 1
		fi
		sleep 0.1
	done
}

daemon_stop() {
	kill "$daemon"
	daemon_gone || { echo 'sluiced did not end within a minute'; return 1; }
	wait "$daemon"
	status=$?
	daemon=
	[ $status -eq 0 ] || cat "$work/log"
	return $status
}

[ -x "$build/sluiced" ] || { echo "1..0 # SKIP there is no $build/sluiced"; exit 4; }
