# curl.sh: asking by curl; sourced behind daemon.sh, not run. Ends the script where there is no curl.
#
# get PATH [OPTION...]		asks $http for it, within $limit seconds: prints the status, leaves
#				the body in $work/body
# is EXPECTED SEEN		says what was seen, and the body's beginning, if they differ
command -v curl >/dev/null || { echo '1..0 # SKIP curl is not installed'; exit 4; }

get() {
	path=$1
	shift
	curl -sS --max-time "$limit" -o "$work/body" -w '%{http_code}' "$@" "$http$path"
}

is() {
	[ "$1" = "$2" ] || { echo "expected '$1', saw '$2'"; head -c 500 "$work/body"; return 1; }
}
