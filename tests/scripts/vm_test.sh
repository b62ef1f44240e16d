#!/bin/sh
# vm_test: the short form of make check-kernels, one boot: what scripts/vm promises, and that the
# tests of the ring and a few of the data plane pass on Debian's Linux 6.1.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/tap.sh

# is EXPECTED SEEN
is() { [ "$1" = "$2" ] || { echo "expected '$1', saw '$2'"; return 1; }; }

# line NUMBER: of what the machine printed
line() { sed -n "$1p" "$work/output"; }

if ! release=$(scripts/vm fetch 6.1 2>"$work/why"); then
	echo "1..0 # SKIP $(tail -n 1 "$work/why")"
	echo "ok 1 - tests on Linux 6.1 # SKIP $(tail -n 1 "$work/why")"
	exit 0
fi

status=0
# shellcheck disable=SC2016
scripts/vm run --kernel 6.1 --cpus 4 --nodes 2 -- sh -c '
	uname -r
	echo "$1|$2|$3"
	nproc
	echo /sys/devices/system/node/node*
	sed -n "s|^/dev/vda / \([a-z0-9]*\).*|\1|p" /proc/mounts
	shift 3
	build/tests/runner -d build -j 4 -x 10 -c build/tests/canary_test "$@"
	exit 7' sh "it's" '' 'a  "b" $c' build/tests/uring/ring_test build/tests/uring/ops_test \
	build/tests/uring/features_test build/tests/uring/bufring_test \
	build/tests/uring/arena_test build/tests/uring/backend_test \
	build/tests/dataplane/fiber_test build/tests/dataplane/mailbox_test \
	build/tests/dataplane/conn_test build/tests/dataplane/rungs_test \
	>"$work/output" 2>"$work/errors" || status=$?
sed 's/^/# /' "$work/output" "$work/errors"

check 'the kernel is the one that was asked for' is "${release%% *}" "$(line 1)"
# shellcheck disable=SC2016
check 'arguments arrive as they are' is "it's||a  \"b\" \$c" "$(line 2)"
check 'there are 4 processors' is 4 "$(line 3)"
check 'they are on 2 nodes' \
	is '/sys/devices/system/node/node0 /sys/devices/system/node/node1' "$(line 4)"
check 'files are on ext4' is ext4 "$(line 5)"
passes() {
	tail -n 1 "$work/output" | grep -q '^[1-9][0-9]* passed, 0 failed, [0-9]* skipped$' ||
		{ cat "$work/output" "$work/errors"; return 1; }
}
check 'uring and dataplane pass there' passes
check 'the exit status is that of the command' is 7 "$status"

refuses() { # STATUS TEXT ARGUMENT...
	want=$1 text=$2 status=0
	shift 2
	scripts/vm "$@" >"$work/output" 2>&1 || status=$?
	is "$want" "$status" && grep -q -- "$text" "$work/output" || { cat "$work/output"; return 1; }
}
check 'an unknown option is refused' refuses 2 'there is no option --size' run --size 5 true
check 'no command is refused' refuses 2 'run what' run --cpus 2
check 'a kernel that nobody has is told' refuses 4 'no kernel 1.0' fetch 1.0
plan
