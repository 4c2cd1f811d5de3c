#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 900
# What README says, done on a minimal Debian 12.
set -euo pipefail

SUITE=bookworm
# shellcheck source=tests/setup/support/clean_root.sh
. "${0%/*}/support/clean_root.sh"
