#!/bin/sh
# h2spec_test: the conformance tests of h2spec against the HTTP interface of a sluiced, without TLS
# and by it.
#
# h2spec is a program in Go; where it is not installed the go command makes it, below the build
# folder. One of its cases cannot pass on a port without TLS, which speaks HTTP/1.1 as well: what
# it sends in place of HTTP/2's preface is an HTTP/1.1 request, if a bad one, and so is the answer.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh

module=github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
bin=$build/clients/h2spec
h2spec=$(command -v h2spec) || h2spec=$bin/h2spec
[ -x "$h2spec" ] || {
	command -v go >/dev/null || {
		echo '1..0 # SKIP neither h2spec nor go is installed'
		exit 4
	}
	mkdir -p "$bin" || exit 1
	GOBIN=$(cd "$bin" && pwd) timeout 240 go install "$module" >"$work/output" 2>&1 || {
		echo "1..0 # SKIP h2spec cannot be had: $(tail -n 1 "$work/output" | cut -c 1-200)"
		exit 4
	}
}

starts() { # [ARGUMENT...]
	daemon_start --set http.listen=127.0.0.1:0 "$@" || return 1
	port=$(sed -n 's/.* http 127.0.0.1:\([0-9]*\).*/\1/p' "$work/log")
	[ -n "$port" ] || { cat "$work/log"; return 1; }
}

starts_with_tls() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj /CN=localhost -keyout "$work/key" -out "$work/certificate" 2>/dev/null &&
		daemon_stop && starts --set tls.listeners=http --set "tls.key=$work/key" \
		--set "tls.certificate=$work/certificate"
}

conforms() { # CASES-THAT-FAIL [OPTION...]
	expected=$1
	shift
	timeout 250 "$h2spec" -S -o 10 -p "$port" "$@" -j "$work/report" >"$work/cases" 2>&1
	cases=$(grep -c '<testcase ' "$work/report")
	failed_cases=$(grep -B 1 -e '<failure' -e '<error' "$work/report" |
		sed -n 's/.*<testcase .*classname="\([^"]*\)".*/\1/p')
	[ "$cases" -ge 145 ] || { echo "only $cases cases ran"; return 1; }
	[ "$failed_cases" = "$expected" ] || {
		sed -n '/^Failures/,$p' "$work/cases"
		return 1
	}
}

check sluiced_starts_with_http starts
check every_case_of_h2spec_passes conforms 'Sends invalid connection preface'
check sluiced_starts_with_tls starts_with_tls
check every_case_passes_by_tls conforms '' -t -k
check sluiced_still_ends_in_time daemon_stop
plan
