#!/bin/sh
# cache_curl_test: curl against the cache of a sluiced that is killed and started again.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
limit=60
. tests/clients/curl.sh

starts() {
	daemon_start --set http.listen=127.0.0.1:0 --set cache.path="$work/cache" \
		--set cache.max_bytes=8G || return 1
	http=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/http:\/\/\1/p' "$work/log")
	[ -n "$http" ] || { cat "$work/log"; return 1; }
}

# 100 MB of which no two blocks are alike.
head -c 100000000 /dev/urandom >"$work/large"
head -c 5000 /dev/urandom >"$work/small"

stores() {
	is 201 "$(get /cache/large -T "$work/large")" &&
		is 201 "$(get /cache/small -T "$work/small" -H 'Content-Type: text/x' \
			-H 'Cache-Tag: t')" &&
		is 204 "$(get /cache/small -T "$work/small" -H 'Content-Type: text/x')" &&
		is 201 "$(get /cache/piped -T - -H 'Expect:' <"$work/large")"
}

gives_back() {
	is 200 "$(get /cache/large)" && cmp "$work/large" "$work/body" &&
		is 200 "$(get /cache/piped)" && cmp "$work/large" "$work/body" &&
		is 200 "$(get /cache/small)" && cmp "$work/small" "$work/body"
}

# RANGE SKIP COUNT
has_range() {
	is 206 "$(get /cache/large -r "$1")" &&
		tail -c "+$(($2 + 1))" "$work/large" | head -c "$3" | cmp - "$work/body"
}

gives_ranges() {
	has_range 0-0 0 1 && has_range 50000000-50065535 50000000 65536 &&
		has_range -10 99999990 10 && has_range 99999999- 99999999 1 &&
		is 416 "$(get /cache/large -r 100000000-)"
}

resumes() { # as curl does after a download was cut off
	head -c 12345678 "$work/large" >"$work/part"
	curl -sS --max-time 60 -C - -o "$work/part" "$http/cache/large" &&
		cmp "$work/large" "$work/part"
}

asks_again() {
	etag=$(curl -sS --max-time 60 -I "$http/cache/small" | tr -d '\r' |
		sed -n 's/^[Ee][Tt]ag: //p')
	[ -n "$etag" ] && is 304 "$(get /cache/small -H "If-None-Match: $etag")" &&
		is 412 "$(get /cache/small -T "$work/large" -H 'If-None-Match: *')"
}

is_killed() {
	kill -KILL "$daemon" && wait "$daemon"
	daemon=
	starts
}

removes() {
	is 204 "$(get /cache/piped -X DELETE)" && is 404 "$(get /cache/piped)" &&
		is 204 "$(get '/cache-purge?prefix=la' -X POST)" && is 404 "$(get /cache/large)"
}

stays_removed() {
	is 404 "$(get /cache/piped)" && is 404 "$(get /cache/large)" &&
		is 200 "$(get /cache/small)" && cmp "$work/small" "$work/body"
}

check sluiced_starts_with_a_cache starts
check files_are_stored_whole_in_chunks_and_again stores
check and_given_back gives_back
check ranges_are_cut_out gives_ranges
check a_download_goes_on_where_it_was_cut_off resumes
check validators_are_those_of_what_is_stored asks_again
check sluiced_is_killed_and_starts_again is_killed
check all_is_there_again gives_back
check objects_are_removed_and_purged removes
check sluiced_is_killed_once_more is_killed
check what_was_removed_stays_so stays_removed
check sluiced_ends_in_order daemon_stop
plan
