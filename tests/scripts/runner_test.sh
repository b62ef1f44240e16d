#!/bin/sh
# runner_test: the runner counts what programs say, and what they fail to say.
set -eu
runner=${SLUICE_BUILD:-build}/tests/runner
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
count=0
failed=0

# program NAME: makes an executable of that name from standard input.
program() {
	{ echo '#!/bin/sh'; cat; } >"$folder/$1"
	chmod +x "$folder/$1"
}

# expect TITLE LAST-LINE STATUS RUNNER-ARGUMENT...
expect() {
	title=$1 line=$2 status=$3
	shift 3
	count=$((count + 1))
	seen_status=0
	output=$("$runner" "$@" 2>&1) || seen_status=$?
	last=$(printf '%s\n' "$output" | tail -n 1)
	if [ "$last" = "$line" ] && [ "$seen_status" -eq "$status" ]; then
		echo "ok $count - $title"
	else
		printf '%s\n' "$output" "status $seen_status" | sed 's/^/# /'
		echo "not ok $count - $title"
		failed=1
	fi
}

program good <<'X'
echo 1..3; echo ok 1 a; echo "ok 2 b # SKIP no kernel"; echo ok 3 c
X
program bad <<'X'
echo 1..2; echo "# why"; echo not ok 1 a; echo ok 2 b; exit 1
X
program short <<'X'
echo 1..2; echo ok 1 a
X
program silent <<'X'
exit 0
X
program killed <<'X'
echo 1..1; echo ok 1 a; kill -9 $$
X
program status <<'X'
echo 1..1; echo ok 1 a; exit 7
X
program yellow <<'X'
echo 1..2; echo not ok 1 a; echo not ok 2 b; exit 1
X
program absent <<'X'
echo '1..0 # SKIP it cannot be had'; exit 4
X
program empty <<'X'
echo '1..0 # SKIP it cannot be had'
X
program told <<'X'
echo 1..1; [ "$SLUICE_TIME_SCALE/$SLUICE_WORK_PART" = 3/8 ] || printf 'not '; echo ok 1 a
X
program late <<'X'
echo ok 1 a; echo 1..1
X

expect 'passes and skips are counted' '2 passed, 0 failed, 1 skipped' 0 "$folder/good"
expect 'a failure fails the run' '1 passed, 1 failed, 0 skipped' 1 "$folder/bad"
expect 'a program may be skipped as a whole' '2 passed, 0 failed, 2 skipped' 0 \
	"$folder/good" "$folder/absent"
expect 'but only if its status says so, too' '0 passed, 1 failed, 0 skipped' 1 "$folder/empty"
expect 'a short run is a failure' '1 passed, 1 failed, 0 skipped' 1 "$folder/short"
expect 'no output is a failure' '0 passed, 1 failed, 0 skipped' 1 "$folder/silent"
expect 'death by a signal is a failure' '1 passed, 1 failed, 0 skipped' 1 "$folder/killed"
expect 'a bad status is a failure' '1 passed, 1 failed, 0 skipped' 1 "$folder/status"
expect 'a missing program is a failure' '0 passed, 1 failed, 0 skipped' 1 "$folder/none"
expect 'the plan may come last' '1 passed, 0 failed, 0 skipped' 0 "$folder/late"
expect 'programs are told what to multiply and what to leave out' '1 passed, 0 failed, 0 skipped' 0 \
	-x 3 -w 8 "$folder/told"
expect 'several programs add up' '4 passed, 1 failed, 2 skipped' 1 -j 3 \
	"$folder/good" "$folder/good" "$folder/silent"
expect 'a canary that fails is well' '3 passed, 0 failed, 1 skipped' 0 -c "$folder/yellow" \
	"$folder/good"
expect 'a canary that passes fails the run' '2 passed, 1 failed, 1 skipped' 1 -c "$folder/late" \
	"$folder/good"
expect 'a canary that half passes fails the run' '2 passed, 1 failed, 1 skipped' 1 \
	-c "$folder/bad" "$folder/good"

# As many as may be at work wait for the third, which begins when the machine rests.
program waits <<'X'
echo 1..1; until [ -e "$(dirname "$0")/met" ]; do sleep 0.1; done; echo ok 1 a
X
program meets <<'X'
echo 1..1; : >"$(dirname "$0")/met"; echo ok 1 b
X
expect 'programs that wait let others begin' '3 passed, 0 failed, 0 skipped' 0 -j 2 \
	"$folder/waits" "$folder/waits" "$folder/meets"

count=$((count + 1))
if "$runner" -w 8 "$folder/good" | grep -q '^NOTE .* one in 8 of their cases$' &&
	! "$runner" "$folder/good" | grep -q '^NOTE'; then
	echo "ok $count - a run of a part says so"
else
	echo "not ok $count - a run of a part says so"
	failed=1
fi

count=$((count + 1))
if SLUICE_TIMES=1 "$runner" "$folder/good" "$folder/late" | awk '
	/^TIME/ { n++; all += $NF == "all" }
	END { exit !(n == 3 && all == 1) }'; then
	echo "ok $count - what took longest is listed"
else
	echo "not ok $count - what took longest is listed"
	failed=1
fi
echo "1..$count"
exit "$failed"
