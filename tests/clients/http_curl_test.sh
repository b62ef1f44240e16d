#!/bin/sh
# http_curl_test: curl, as Debian packages it, against the HTTP interface of a sluiced.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
limit=30
. tests/clients/curl.sh

starts() {
	daemon_start --set http.listen=127.0.0.1:0 || return 1
	http=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/http:\/\/\1/p' "$work/log")
	[ -n "$http" ] || { cat "$work/log"; return 1; }
}

is_healthy() {
	is 200 "$(get /healthz)" && is ok "$(cat "$work/body")" &&
		is 200 "$(get /readyz)" && is ok "$(cat "$work/body")"
}

tells_metrics() {
	is 200 "$(get /metrics)" || return 1
	for name in sluice_requests_total sluice_deliver_bytes_total sluice_connections \
		sluice_core_loops_total sluice_commit_fsync_seconds_bucket; do
		grep -q "^# TYPE ${name%_bucket} " "$work/body" ||
			{ echo "no $name"; return 1; }
	done
	! grep -v '^#' "$work/body" | grep -vE '^[a-z_]+(\{[^}]*\})? [-+0-9.e]+(Inf|NaN)?$'
}

# A browser names text/html; curl does not.
greets() {
	is 200 "$(get /)" && grep -q '^{"title":"qdrant[^"]*","version":"[0-9.]*"' "$work/body" &&
		is 200 "$(get / -H 'Accept: text/html')" && grep -q '</html>' "$work/body"
}

refuses() {
	is 404 "$(get /nowhere)" && grep -q '^{"error": "no such path"}$' "$work/body" &&
		is 405 "$(get /metrics -X DELETE)" && is 501 "$(get / -X BREW)" &&
		is 413 "$(get /metrics -X POST -H 'Content-Length: 999999999999' -d x)" &&
		is 431 "$(get / -H "X: $(printf '%040000d' 0)")"
}

answers_head() {
	curl -sS --max-time 30 -I "$http/healthz" >"$work/body" &&
		grep -q '^HTTP/1.1 200 OK' "$work/body" &&
		grep -qi '^content-length: 3' "$work/body" && grep -qi '^date: ' "$work/body"
}

speaks_1_0() {
	is 200 "$(get /healthz --http1.0)" && is ok "$(cat "$work/body")"
}

speaks_2() {
	is 200 "$(get /healthz --http2-prior-knowledge)" && is ok "$(cat "$work/body")" &&
		is 2 "$(curl -sS --max-time 30 -o "$work/body" -w '%{http_version}' \
			--http2-prior-knowledge "$http/metrics")" &&
		is 405 "$(get /metrics --http2-prior-knowledge -X POST -d 'a small body')" &&
		is 501 "$(get / --http2-prior-knowledge -X BREW)" &&
		is 431 "$(get / --http2-prior-knowledge -H "X: $(printf '%040000d' 0)")"
}

# The second request finds the connection of the first.
keeps_connections() {
	curl -sS --max-time 30 -o "$work/body" -o "$work/body" -w '%{num_connects} ' \
		"$http/healthz" "$http/readyz" >"$work/connects" &&
		is '1 0 ' "$(cat "$work/connects")"
}

# More than 1 MiB makes curl wait for 100 Continue; the body is not wanted.
drops_bodies() {
	head -c 2000000 /dev/zero >"$work/zeros"
	is 405 "$(get /metrics -X POST --data-binary @"$work/zeros")" &&
		is 405 "$(get /metrics -X POST --data-binary @"$work/zeros" -H 'Expect:' \
			-H 'Transfer-Encoding: chunked')" &&
		is 200 "$(get /healthz -X GET -d 'a body that nobody asked for')"
}

check sluiced_starts_with_http starts
check health_and_readiness_are_ok is_healthy
check metrics_are_in_prometheus_format tells_metrics
check programs_get_a_greeting_and_browsers_a_page greets
check mistakes_are_answered_by_their_status refuses
check head_is_answered_without_body answers_head
check http_1_0_is_spoken speaks_1_0
check http_2_is_spoken speaks_2
check connections_are_kept keeps_connections
check unwanted_bodies_are_dropped drops_bodies
check sluiced_ends_in_order daemon_stop
plan
