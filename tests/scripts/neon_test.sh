#!/bin/sh
# neon_test: the distances by NEON, built for aarch64 and run by QEMU's user emulation; TAP of the
# test program itself. On aarch64 tests/vectors/distance_test says the same.
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
aarch64-linux-gnu-gcc -std=gnu11 -O2 -D_GNU_SOURCE -Iinclude -iquote . -iquote tests -pthread \
	-static -o "$work/distance_test" vectors/distance.c vectors/distance_scalar.c \
	vectors/distance_neon.c tests/harness.c tests/vectors/distance_test.c -lm
qemu-aarch64-static "$work/distance_test"
