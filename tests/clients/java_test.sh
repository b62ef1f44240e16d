#!/bin/sh
# java_test: the Java client of Apache Kafka (java/Clients.java) against a sluiced.
#
# Maven fetches the client from wherever it is set up to; what it finds is kept in its own cache.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/daemon.sh
for tool in mvn javac java; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 4; }
done

out=$build/clients/java
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
timeout 240 mvn -q -B -f tests/clients/java/pom.xml dependency:build-classpath \
	-Dmdep.outputFile="$out/classpath" >"$work/output" 2>&1 || {
	echo "1..0 # SKIP kafka-clients cannot be had: $(grep -m 1 ERROR "$work/output" |
		cut -c 1-200)"
	exit 4
}
timeout 120 javac -Xlint:all -Werror -proc:none -cp "$(cat "$out/classpath")" -d "$out" \
	tests/clients/java/Clients.java >"$work/output" 2>&1 || {
	sed 's/^/# /' "$work/output"
	echo 'not ok 1 Clients.java compiles'
	echo 1..1
	exit 1
}
daemon_start >"$work/output" 2>&1 || {
	sed 's/^/# /' "$work/output"
	echo 'not ok 1 sluiced starts'
	echo 1..1
	exit 1
}
timeout 300 java -Xmx256m -cp "$out:$(cat "$out/classpath")" Clients "$broker"
status=$?
[ $status -eq 0 ] || sed 's/^/# sluiced: /' "$work/log"
exit $status
