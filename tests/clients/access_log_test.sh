#!/bin/sh
# access_log_test: the access log of a sluiced, over a rotation, in a folder that is confined to.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
command -v curl >/dev/null || { echo '1..0 # SKIP curl is not installed'; exit 4; }

mkdir "$work/logs"

starts() {
	daemon_start --set http.listen=127.0.0.1:0 --set http.access_log="$work/logs/access" \
		--set cache.path="$work/cache" --set proxy.listen=127.0.0.1:0 \
		--set proxy.origin=http://127.0.0.1:1 || return 1
	http=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/http:\/\/\1/p' "$work/log")
	proxy=$(sed -n 's/.* proxy \(127.0.0.1:[0-9]*\).*/http:\/\/\1/p' "$work/log")
	[ -n "$http" ] && [ -n "$proxy" ] || { cat "$work/log"; return 1; }
}

# FILE TEXT: waits until there is such a line.
has_line() {
	tries=0
	until grep -q -e "$2" "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { cat "$1" "$work/log"; return 1; }
		sleep 0.1
	done
}

logs() {
	curl -sS --max-time 30 -A 'a "b"' "$http/healthz?1" &&
		has_line "$work/logs/access" \
			' status=200 body_bytes=3 .* target=/healthz?1 agent="a \\"b\\"" '
}

# The origin is a port where nobody listens.
logs_the_proxy() {
	curl -sS --max-time 30 -o "$work/body" "$proxy/from/nowhere" &&
		has_line "$work/logs/access" \
			' listener=proxy .* status=50[0-9] .* target=/from/nowhere ' &&
		! grep ' target=/from/nowhere .*cache=' "$work/logs/access"
}

logs_http_2() {
	curl -sS --max-time 30 --http2-prior-knowledge "$http/healthz?h2" &&
		has_line "$work/logs/access" ' status=200 .* version=2 .* target=/healthz?h2 '
}

rotates() {
	mv "$work/logs/access" "$work/logs/access.1" && kill -HUP "$daemon" &&
		has_line "$work/log" event=settings.reloaded || return 1
	tries=0
	until [ -s "$work/logs/access" ]; do # the new file may come a moment later
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { cat "$work/log"; return 1; }
		curl -sS --max-time 30 "$http/healthz?2"
		sleep 0.1
	done
	has_line "$work/logs/access" 'target=/healthz?2'
}

keeps_the_last() {
	curl -sS --max-time 30 "$http/healthz?3" && daemon_stop &&
		grep 'target=/healthz?3' "$work/logs/access"
}

is_refused() {
	"$build/sluiced" -D "$work/data" --set kafka.listen=127.0.0.1:0 --set http.listen=off \
		--set http.access_log=/nowhere/log >"$work/output2" 2>&1
	[ $? -eq 1 ] && grep 'http.access_log = /nowhere/log: No such file' "$work/output2"
}

check sluiced_starts_with_an_access_log starts
check a_request_is_a_line logs
check a_request_to_the_proxy_is_one_too logs_the_proxy
check one_by_HTTP_2_is_one_too logs_http_2
check a_renamed_file_is_made_again_on_SIGHUP rotates
check the_last_lines_are_there_after_the_end keeps_the_last
check a_file_that_cannot_be_is_told is_refused
plan
