#!/bin/sh
# rules_test: each rule of check-layers and tidy notices the offence that it is there for.
#
# A small tree is made in which all rules hold; then, for each rule, one with a single offence, in
# which that rule must be "not ok" and name the file.
set -eu
unset SLUICE_BUILD
root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
count=0
failed=0

clean_tree() {
	rm -rf "$tree"
	mkdir -p "$tree/scripts" "$tree/include/sluice" "$tree/uring" "$tree/dataplane" \
		"$tree/segments" "$tree/stores/a" "$tree/stores/b" "$tree/tests" "$tree/docs" \
		"$tree/build/uring"
	cp "$root/scripts/check-layers" "$root/scripts/tidy" "$root/scripts/tap.sh" "$tree/scripts"
	: >"$tree/scripts/seam.allow"
	: >"$tree/scripts/globals.allow"
	: >"$tree/scripts/mirror.allow"
	for header in uring/uring dataplane/dataplane segments/segments stores/a/a stores/b/b; do
		printf '/* SPDX-License-Identifier: 0 */\n/* x */\nstruct x;\n' >"$tree/$header.h"
	done
	for folder in include uring dataplane segments stores stores/a stores/b tests scripts docs; do
		printf '## %s\n' Holds 'May include' Door 'Add one' Invariants \
			>"$tree/$folder/README.md"
	done
	for folder in uring dataplane segments stores tests; do
		: >"$tree/$folder/Kbuild"
	done
}

# offence RULE SCRIPT FILE: the text of FILE comes from standard input.
offence() {
	count=$((count + 1))
	clean_tree
	mkdir -p "$tree/$(dirname "$3")"
	cat >"$tree/$3"
	[ "$3" != uring/global.c ] ||
		${CC:-cc} -c -o "$tree/build/uring/global.o" "$tree/$3"
	output=$("$tree/scripts/$2" || :)
	lines=$(printf '%s\n' "$output" | awk -v rule="$1" '
		/^#/ { lines = lines $0 "\n"; next }
		$4 == rule && /^not ok/ { printf "%s", lines }
		{ lines = "" }')
	case $lines in
	*"${3%.*}"*) echo "ok $count - $2 notices: $1" ;;
	*)
		printf '%s\n' "$output" | sed 's/^/# /'
		echo "not ok $count - $2 notices: $1"
		failed=1
		;;
	esac
}

for script in check-layers tidy; do
	count=$((count + 1))
	clean_tree
	if output=$("$tree/scripts/$script"); then
		echo "ok $count - $script is content with a tree without offence"
	else
		printf '%s\n' "$output" | sed 's/^/# /'
		echo "not ok $count - $script is content with a tree without offence"
		failed=1
	fi
done

offence no_include_leaves_its_folder_upwards check-layers segments/up.c <<'X'
#include "../dataplane/dataplane.h"
X
offence bare_names_are_of_the_same_folder check-layers segments/bare.c <<'X'
#include "dataplane.h"
X
offence paths_are_doors_of_lower_layers check-layers uring/right.c <<'X'
#include "dataplane/dataplane.h"
X
offence paths_are_doors_of_lower_layers check-layers stores/a/sibling.c <<'X'
#include "stores/b/b.h"
X
offence private_headers_stay_in_their_folder check-layers segments/private.c <<'X'
#include "uring/ring_pvt.h"
X
offence installed_headers_include_only_installed_ones check-layers include/sluice/x.h <<'X'
#include "uring/uring.h"
X
offence sluice_headers_exist check-layers uring/gone.c <<'X'
#include <sluice/gone.h>
X
offence bare_names_are_of_the_same_folder check-layers uring/bare.c <<'X'
#include "bare.skel.h"
X
offence only_bpf_knows_libbpf check-layers segments/bpf.c <<'X'
#include <bpf/libbpf.h>
X
offence only_uring_knows_liburing check-layers segments/ring.c <<'X'
#include <liburing.h>
X
offence io_goes_through_the_operation_table check-layers segments/sync.c <<'X'
/* fsync(fd) in a comment is none */
int f(int fd)
{
	return fdatasync(fd);
}
X
offence only_dataplane_proto_and_tools_log check-layers segments/log.c <<'X'
	sl_log_warn("torn", "bytes", 5);
X
offence headers_compile_alone check-layers segments/alone.h <<'X'
size_t of_a_type_that_nobody_declared;
X
offence lines_have_at_most_100_columns tidy uring/wide.c <<'X'
												/* here is a comment */
X
offence indentation_is_by_tabs tidy uring/spaces.c <<'X'
        int spaces;
X
offence no_line_ends_in_white_space tidy uring/trailing.c <<X
int trailing;	
X
offence files_open_with_licence_and_purpose tidy uring/header.c <<'X'
int no_header;
X
long_function() {
	printf '/* x */\nint f(void)\n{\n'
	i=0
	while [ $((i += 1)) -le 71 ]; do printf '\tg();\n'; done
	printf '}\n'
}
long_function >"$tree.long"
offence long_functions_say_why tidy uring/long.c <"$tree.long"
rm -f "$tree.long"
offence no_unsafe_functions tidy uring/unsafe.c <<'X'
	strcpy(a, b);
X
offence nothing_is_left_to_do tidy uring/later.c <<X
/* TO${X:-}DO: the rest */
X
offence folder_readmes_have_the_five_headings tidy docs/README.md <<'X'
## Holds
X
offence documents_name_no_dead_file tidy README.md <<'X'
See `uring/README.gone.md`.
X
offence every_source_is_in_a_kbuild tidy uring/orphan.c <<'X'
X
offence every_test_is_in_a_kbuild tidy tests/uring/orphan_test.c <<'X'
X
offence every_source_has_its_test tidy uring/untested.c <<'X'
X
offence no_mutable_globals tidy uring/global.c <<'X'
int writable = 1;
X
echo "1..$count"
exit "$failed"
