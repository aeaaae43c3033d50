#!/usr/bin/env bash
# Formatting as .clang-format says.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/dev_lib.sh
cpp_files | xargs -0 clang-format-19 --dry-run --Werror
