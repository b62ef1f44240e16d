#!/bin/sh
# tap.sh: lets a check script speak TAP; sourced, not run.
#
# A rule is a function that prints one line for each offence and nothing when all is well, or one
# line "SKIP reason". tap_rule NAME runs the function of that name; tap_done prints the plan and
# exits with 1 if a rule was broken.

tap_count=0
tap_failed=0

tap_rule() {
	tap_count=$((tap_count + 1))
	tap_lines=$("$1") || :
	case $tap_lines in
	'') echo "ok $tap_count $1" ;;
	SKIP*) echo "ok $tap_count $1 # $tap_lines" ;;
	*)
		printf '%s\n' "$tap_lines" | sed 's/^/# /'
		echo "not ok $tap_count $1"
		tap_failed=$((tap_failed + 1))
		;;
	esac
}

tap_done() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}
