#!/bin/sh
# objects_curl_test: the README's lines about objects, and one store seen by two APIs.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
limit=30
. tests/clients/curl.sh

starts() {
	daemon_start --set http.listen=127.0.0.1:0 --set objects.memory_max_bytes=1M || return 1
	http=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/http:\/\/\1/p' "$work/log")
	[ -n "$http" ] || { cat "$work/log"; return 1; }
}

holds() {
	grep -qF "$1" "$work/body" || { echo "no $1"; head -c 500 "$work/body"; return 1; }
}

makes_a_collection() {
	is 200 "$(get /collections/v -X PUT -d '{"vectors": {"size": 2, "distance": "Dot"}}')" &&
		holds '"result":true'
}

makes_and_finds_a_note() {
	is 200 "$(get /v1/objects \
		-d '{"class": "Note", "properties": {"text": "hi"}, "vector": [1, 0]}')" &&
		is 200 "$(get /v1/graphql \
			-d '{"query": "{Get{Note(nearVector: {vector: [1, 0]}){text}}}"}')" &&
		is '{"data":{"Get":{"Note":[{"text":"hi"}]}}}' "$(cat "$work/body")"
}

finds_it_by_the_other_api() {
	is 200 "$(get /collections/weaviate:Note/points/query \
		-d '{"query": [1, 0], "limit": 1, "with_payload": true}')" &&
		holds '"score":1.0,"payload":{"text":"hi"}'
}

# A point takes a row of 64 bytes, its key and its place: 20,000 are more than 1 MiB.
refuses_more_than_it_may_have() {
	awk 'BEGIN {
		printf "{\"points\": ["
		for (i = 0; i < 20000; i++)
			printf "%s{\"id\": %d, \"vector\": [1, %d]}", i ? "," : "", i, i
		print "]}"
	}' >"$work/points"
	is 503 "$(get '/collections/v/points?wait=true' -X PUT -d @"$work/points")" &&
		holds 'objects.memory_max_bytes' &&
		is 200 "$(get /collections/v/points/count -d '{}')" && holds '"count":0' &&
		is 200 "$(get '/collections/v/points?wait=true' -X PUT \
			-d '{"points": [{"id": 1, "vector": [1, 1]}]}')"
}

check sluiced_starts_with_http starts
check collections_are_made_by_qdrants_api makes_a_collection
check memory_that_is_used_up_is_told refuses_more_than_it_may_have
check objects_are_found_by_weaviates_api makes_and_finds_a_note
check the_same_objects_are_found_by_qdrants_api finds_it_by_the_other_api
check sluiced_ends_in_order daemon_stop
plan
