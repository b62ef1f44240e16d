#!/bin/sh
# tls_test: curl, openssl, kcat and python, as Debian packages them, against a sluiced with TLS.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
for tool in openssl curl python3; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 4; }
done

pem=$work/pem
root=$work/root

# authority NAME; certificate NAME AUTHORITY: $pem/NAME.pem and $pem/NAME.key
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=$1" -keyout "$pem/$1.key" -out "$pem/$1.pem" 2>/dev/null
}

certificate() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-keyout "$pem/$1.key" -out "$pem/$1.csr" 2>/dev/null &&
		printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$pem/ext" &&
		openssl x509 -req -in "$pem/$1.csr" -CA "$pem/$2.pem" -CAkey "$pem/$2.key" \
			-CAcreateserial -days 2 -extfile "$pem/ext" -out "$pem/$1.pem" 2>/dev/null
}

fetch() { # URL [OPTION...]
	curl -sS --max-time 60 --cacert "$pem/ca.pem" "$@"
}

settings() { # [LINE...]: to a file that takes the old one's place
	printf '%s\n' '[tls]' 'listeners = kafka, http, static' "certificate = $pem/now.pem" \
		"key = $pem/now.key" "$@" >"$work/etc/new"
	mv "$work/etc/new" "$work/etc/sluice.conf"
}

use() { # NAME: its certificate is the server's from the next reload on
	cp "$pem/$1.pem" "$pem/now.pem" && cp "$pem/$1.key" "$pem/now.key"
}

reloads=0
reload() {
	reloads=$((reloads + 1))
	kill -HUP "$daemon"
	tries=0
	until [ "$(grep -c 'event=settings.reloaded' "$work/log")" -ge $reloads ]; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { cat "$work/log"; return 1; }
		sleep 0.1
	done
}

starts() {
	mkdir -p "$pem" "$root" "$work/etc" && authority ca && authority stranger &&
		certificate first ca && certificate second ca && certificate client ca &&
		certificate foreign stranger && use first && settings &&
		head -c 5000000 /dev/urandom >"$root/big" && echo small >"$root/small" || return 1
	daemon_start -c "$work/etc/sluice.conf" --set node.cores=2 --set http.listen=127.0.0.1:0 \
		--set static.listen=127.0.0.1:0 --set "static.root=$root" || return 1
	http=$(sed -n 's/.* http \(127.0.0.1:[0-9]*\).*/\1/p' "$work/log")
	static=$(sed -n 's/.* static \(127.0.0.1:[0-9]*\).*/\1/p' "$work/log")
}

curl_gets_files() { # VERSION
	fetch "--tlsv$1" --tls-max "$1" "https://$static/big" | cmp "$root/big" - &&
		fetch "--tlsv$1" --tls-max "$1" -r 100-299999 "https://$static/big" |
		cmp - "$work/part" && [ "$(fetch "https://$static/small")" = small ]
}

kcat_produces_and_consumes() {
	command -v kcat >/dev/null || return 1
	set -- -b "$broker" -t topic -X security.protocol=ssl -X "ssl.ca.location=$pem/ca.pem"
	seq 20000 >"$work/numbers"
	kcat -P "$@" -l "$work/numbers" &&
		timeout 60 kcat -C -e -q "$@" | cmp "$work/numbers" -
}

refuses_old_versions_and_plain_bytes() {
	! fetch --tls-max 1.1 "https://$static/small" 2>/dev/null &&
		! curl -sS --max-time 20 "http://$static/small" 2>/dev/null
}

python_resumes_and_ends_in_order() {
	python3 - "$static" "$pem/ca.pem" <<-'PYTHON'
		import socket, ssl, sys
		host, port = sys.argv[1].split(':')
		for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
		    context = ssl.create_default_context(cafile=sys.argv[2])
		    context.minimum_version = context.maximum_version = version
		    context.set_alpn_protocols(['http/1.1'])
		    session = None
		    for turn in range(3):
		        tcp = socket.create_connection((host, int(port)), 60)
		        tls = context.wrap_socket(tcp, server_hostname='localhost', session=session)
		        assert tls.session_reused == (turn > 0), (version, turn)
		        assert tls.selected_alpn_protocol() == 'http/1.1'
		        tls.sendall(b'GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
		        got = b''
		        while more := tls.recv(65536):
		            got += more
		        assert got.endswith(b'small\n'), got
		        session = tls.session
		        tls.unwrap() # fails without the server's close_notify
	PYTHON
}

shown() { # who the server says that it is
	openssl s_client -connect "$static" </dev/null 2>/dev/null |
		openssl x509 -noout -subject | sed 's/.*CN *= *//'
}

takes_a_new_certificate_while_it_serves() {
	[ "$(shown)" = first ] || return 1
	(
		for i in $(seq 30); do
			fetch "https://$static/big" | cmp "$root/big" - || exit 1
		done
	) &
	load=$!
	use second
	reload && [ "$(shown)" = second ] && wait $load
}

keeps_the_old_certificate_when_the_new_is_wrong() {
	echo rubbish >"$pem/now.pem"
	reload && grep 'event=tls.kept' "$work/log" | grep -q "$pem/now.pem" || return 1
	[ "$(shown)" = second ] || return 1
	cp "$pem/first.pem" "$pem/now.pem" # whose key is another one
	reload && grep 'event=tls.kept' "$work/log" | grep -q 'does not belong' &&
		[ "$(shown)" = second ] && [ "$(fetch "https://$static/small")" = small ] &&
		use first && reload && [ "$(shown)" = first ]
}

asks_for_certificates() {
	settings "client_ca = $pem/ca.pem" && reload || return 1
	! fetch "https://$static/small" 2>/dev/null &&
		! fetch --cert "$pem/foreign.pem" --key "$pem/foreign.key" \
			"https://$static/small" 2>/dev/null &&
		[ "$(fetch --cert "$pem/client.pem" --key "$pem/client.key" \
			"https://$static/small")" = small ] && settings && reload
}

counts() {
	fetch "https://$http/metrics" >"$work/metrics" &&
		grep -q '^sluice_tls_handshakes_total{listener="static"} [1-9]' "$work/metrics" &&
		grep -q '^sluice_tls_resumed_total{listener="static"} [1-9]' "$work/metrics" &&
		grep -q 'closed_total{listener="static",reason="handshake"} [1-9]' "$work/metrics"
}

check 'starts with a certificate' starts
tail -c +101 "$root/big" | head -c 299900 >"$work/part"
check 'curl gets files by TLS 1.3' curl_gets_files 1.3
check 'curl gets files by TLS 1.2' curl_gets_files 1.2
check 'kcat produces and consumes' kcat_produces_and_consumes
check 'older versions and plain bytes are refused' refuses_old_versions_and_plain_bytes
check 'python resumes sessions and ends in order' python_resumes_and_ends_in_order
check 'a new certificate is taken while files are sent' takes_a_new_certificate_while_it_serves
check 'a wrong one is told of and not taken' keeps_the_old_certificate_when_the_new_is_wrong
check 'clients show certificates when they must' asks_for_certificates
check 'what happened is counted' counts
check 'the daemon ends' daemon_stop
plan
