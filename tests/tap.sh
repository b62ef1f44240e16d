# tap.sh: TAP for the tests in shell; sourced, not run.
#
# check TITLE COMMAND...	one test: what COMMAND prints is in $work/why, shown when it fails
# skip TITLE REASON		one test that cannot be done
# plan				ends the script
# $work is a temporary folder that goes with the script; $failed is 1 once a test failed.
count=0
failed=0

check() {
	count=$((count + 1))
	title=$1
	shift
	if "$@" >"$work/why" 2>&1; then
		echo "ok $count $title"
	else
		tail -n 60 "$work/why" | sed 's/^/# /'
		echo "not ok $count $title"
		failed=1
	fi
}

skip() {
	count=$((count + 1))
	echo "ok $count $1 # SKIP $2"
}

plan() {
	echo "1..$count"
	exit "$failed"
}
