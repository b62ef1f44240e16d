#!/bin/sh
# static_curl_test: curl, as Debian packages it, against the static files of a sluiced.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
command -v curl >/dev/null || { echo '1..0 # SKIP curl is not installed'; exit 4; }

root=$work/root

get() { # PATH [OPTION...]: the status, the body being in $work/body
	path=$1
	shift
	curl -sS --max-time 60 --path-as-is -o "$work/body" -D "$work/head" -w '%{http_code}' \
		"$@" "$static$path"
}

# is EXPECTED SEEN
is() {
	[ "$1" = "$2" ] || { echo "expected '$1', saw '$2'"; return 1; }
}

same() { # FILE: the body is this file
	cmp "$1" "$work/body"
}

field() { # NAME: its value in the head
	tr -d '\r' <"$work/head" | sed -n "s/^$1: //p"
}

starts() {
	mkdir -p "$root/folder/deep" && printf '<p>home' >"$root/index.html" &&
		printf '<p>deep' >"$root/folder/deep/index.html" &&
		head -c 300000 /dev/urandom >"$root/random.bin" && : >"$root/empty.txt" &&
		echo secret >"$work/secret" && ln -s ../secret "$root/out" &&
		ln -s folder "$root/in" && truncate -s 1G "$root/sparse" &&
		printf 'in the middle' | dd of="$root/sparse" bs=1 seek=600000000 conv=notrunc \
			2>/dev/null || return 1
	daemon_start --set static.listen=127.0.0.1:0 --set "static.root=$root" \
		--set static.max_age=1h --set node.cores=2 --set http.listen=127.0.0.1:0 || return 1
	http=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/http:\/\/\1/p' "$work/log")
	static=$(sed -n 's/.* static \(127.0.0.1:[0-9]*\).*/http:\/\/\1/p' "$work/log")
	[ -n "$static" ] || { cat "$work/log"; return 1; }
}

sends_files() {
	is 200 "$(get /random.bin)" && same "$root/random.bin" &&
		is 300000 "$(field Content-Length)" && is max-age=3600 "$(field Cache-Control)" &&
		is 200 "$(get /empty.txt)" && is 0 "$(wc -c <"$work/body")" &&
		is text/plain "$(field Content-Type)"
}

sends_indexes() {
	is 200 "$(get /)" && same "$root/index.html" && is text/html "$(field Content-Type)" &&
		is 301 "$(get /folder/deep)" &&
		is 200 "$(get /folder/deep -L)" && same "$root/folder/deep/index.html" &&
		is 200 "$(get /in/deep/)" && same "$root/folder/deep/index.html" &&
		is 404 "$(get /folder/)"
}

answers_head() {
	is 200 "$(get /random.bin -I)" && is 300000 "$(field Content-Length)" &&
		is bytes "$(field Accept-Ranges)"
}

sends_ranges() {
	is 206 "$(get /random.bin -r 1000-1999)" &&
		is 'bytes 1000-1999/300000' "$(field Content-Range)" &&
		tail -c +1001 "$root/random.bin" | head -c 1000 | cmp - "$work/body" &&
		is 206 "$(get /random.bin -r -500)" &&
		tail -c 500 "$root/random.bin" | cmp - "$work/body" &&
		is 206 "$(get /random.bin -r 299999-)" && is 1 "$(wc -c <"$work/body")" &&
		is 416 "$(get /random.bin -r 300000-)" &&
		is 'bytes */300000' "$(field Content-Range)"
}

resumes() {
	head -c 123456 "$root/random.bin" >"$work/part"
	curl -sS --max-time 60 -C - -o "$work/part" "$static/random.bin" &&
		cmp "$work/part" "$root/random.bin"
}

sends_several_ranges() {
	is 206 "$(get /random.bin -r 0-9,100-199)" &&
		boundary=$(field Content-Type | sed -n 's,^multipart/byteranges; boundary=,,p') &&
		[ -n "$boundary" ] && is 3 "$(grep -ac -e "--$boundary" "$work/body")" &&
		is "$(field Content-Length)" "$(wc -c <"$work/body")"
}

keeps_conditions() {
	get /random.bin >/dev/null
	etag=$(field ETag)
	date=$(field Last-Modified)
	is 304 "$(get /random.bin -H "If-None-Match: $etag")" &&
		is 304 "$(get /random.bin -z "$root/random.bin")" &&
		is 304 "$(get /random.bin -H "If-Modified-Since: $date")" &&
		is 412 "$(get /random.bin -H 'If-Match: "another"')" &&
		is 206 "$(get /random.bin -r 0-9 -H "If-Range: $etag")" &&
		is 200 "$(get /random.bin -r 0-9 -H 'If-Range: "another"')"
}

copied() { # bytes that went through user space so far
	curl -sS --max-time 60 "$http/metrics" |
		sed -n 's/^sluice_deliver_bytes_total{listener="static",rung="copy"} //p'
}

# The hole reads as zeros. Heads are copied, and what is small; the rest never is.
sends_a_gigabyte() {
	before=$(copied)
	curl -sS --max-time 300 "$static/sparse" | sha256sum >"$work/seen"
	sha256sum <"$root/sparse" >"$work/expected"
	cmp "$work/expected" "$work/seen" && [ $(($(copied) - before)) -lt 100000 ] &&
		is 206 "$(get /sparse -r 600000000-600000012)" &&
		is 'in the middle' "$(cat "$work/body")"
}

# ask STATUS TARGET: the request line as it stands, past anything that curl would mend
ask() {
	is "$1" "$(get / --request-target "$2")" && ! grep -q -e secret -e root: "$work/body"
}

stays_inside() {
	ask 403 /out && ask 400 /../secret && ask 400 /folder/../../secret &&
		ask 400 /%2e%2e/secret && ask 400 /.%2e/secret && ask 404 /..%2fsecret &&
		ask 404 /%2fetc%2fpasswd && ask 404 /etc/passwd && ask 400 /out%00.txt &&
		ask 400 /%zz && ask 404 "/folder/..;/secret" && ask 404 '/..\secret' &&
		ask 404 "//etc/passwd" && ask 400 'http://h/../secret' &&
		ask 414 "/$(printf '%05000d' 0)" && ask 414 "/$(printf '%0256d' 0)"
}

speaks_http_2() {
	is 200 "$(get /random.bin --http2-prior-knowledge)" && same "$root/random.bin" &&
		is 300000 "$(field content-length)" &&
		is 206 "$(get /random.bin -r 1000-1999 --http2-prior-knowledge)" &&
		tail -c +1001 "$root/random.bin" | head -c 1000 | cmp - "$work/body" &&
		is 200 "$(get /empty.txt --http2-prior-knowledge)" &&
		is 0 "$(wc -c <"$work/body")" &&
		is 200 "$(get /random.bin -I --http2-prior-knowledge)" &&
		is 404 "$(get /nowhere --http2-prior-knowledge)"
}

refuses() {
	is 404 "$(get /nowhere)" && is '{"error": "not found"}' "$(cat "$work/body")" &&
		is 405 "$(get /index.html -X DELETE)" && is 'GET, HEAD, OPTIONS' "$(field Allow)" &&
		is 405 "$(get /index.html -X POST -d data)"
}

# A change is seen within a second or so, and old and new are never mixed.
sees_changes() {
	printf 'old' >"$root/changing"
	is 200 "$(get /changing)" && is old "$(cat "$work/body")" || return 1
	printf 'brand new' >"$root/next" && mv "$root/next" "$root/changing"
	tries=0
	until [ "$(get /changing)" = 200 ] && [ "$(cat "$work/body")" = 'brand new' ]; do
		is old "$(cat "$work/body")" || return 1
		tries=$((tries + 1))
		[ $tries -lt 300 ] || { echo 'the change is not seen'; return 1; }
		sleep 0.1
	done
}

check sluiced_starts_with_static_files starts
check files_are_sent_as_they_are sends_files
check folders_mean_their_index sends_indexes
check head_is_answered_without_body answers_head
check ranges_are_cut_out sends_ranges
check a_download_is_resumed resumes
check several_ranges_are_one_body sends_several_ranges
check conditions_are_kept keeps_conditions
check a_gigabyte_arrives_whole sends_a_gigabyte
check nothing_leads_out_of_the_folder stays_inside
check http_2_is_spoken speaks_http_2
check mistakes_are_answered_by_their_status refuses
check changes_are_seen sees_changes
check sluiced_ends_in_order daemon_stop
plan
