#!/bin/sh
# neon_test: distances and codes by NEON, built for aarch64 and run by QEMU's user emulation; a line
# of TAP for each test program. On aarch64 the programs themselves say the same.
set -eu
cd "$(dirname "$0")/../.."
for tool in aarch64-linux-gnu-gcc qemu-aarch64-static; do
	command -v $tool >/dev/null || {
		echo "1..0 # SKIP there is no $tool (scripts/bootstrap test installs it)"
		echo "ok 1 - distances by NEON # SKIP there is no $tool"
		exit 0
	}
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
n=0
for name in distance_test scan_test; do
	n=$((n + 1))
	aarch64-linux-gnu-gcc -std=gnu11 -O2 -D_GNU_SOURCE -Iinclude -iquote . -iquote tests \
		-pthread -static -o "$work/$name" vectors/distance.c vectors/distance_scalar.c \
		vectors/distance_neon.c vectors/scan.c vectors/scan_scalar.c vectors/scan_neon.c \
		tests/harness.c "tests/vectors/$name.c" -lm
	if qemu-aarch64-static "$work/$name" >"$work/log"; then
		echo "ok $n - $name by NEON"
	else
		sed 's/^/# /' "$work/log"
		echo "not ok $n - $name by NEON"
		failed=1
	fi
done
echo "1..$n"
exit $failed
