#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 300
# Each fuzzer, for a minute.
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

OUTPUT=$("$QS_ROOT/scripts/fuzz" --seconds 60 2>&1) || true
diag <<<"$OUTPUT"
for target in dwcs vds qsim; do
	check "a minute of $target finds nothing" \
		grep -q "^$target: [0-9]* executions, [0-9]* edges covered, nothing found" <<<"$OUTPUT"
done
done_testing
