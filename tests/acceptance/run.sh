#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The figures on real models: runs the acceptance tests of build/release and times float against simulated inference.
# The reference data are not part of the project: "shared" beside the source folder, or EQUANT_SHARED. With node and
# onnxruntime-node (NODE_PATH), ONNX Runtime judges the files that are written.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
shared=${EQUANT_SHARED:-../shared}
if [[ ! -d $shared/data/models ]]; then
    echo "acceptance: skipped, there are no reference data in $shared (set EQUANT_SHARED to their folder)."
    exit 0
fi
EQUANT_SHARED=$(cd "$shared" && pwd)
export EQUANT_SHARED
export QTEST_FUNCTION_TIMEOUT=3600000  # milliseconds: a busy machine takes its time

# The reference lines (figures found) are wanted, not only passed or failed.
ctest --test-dir build/release --label-regex '^acceptance$' --verbose --no-tests=error |
    grep -E 'QINFO|FAIL|SKIP|^ +Loc:|Passed|Failed|Timeout|tests passed' | sed -E 's/^[0-9]+: //'
failed=${PIPESTATUS[0]}

echo "acceptance: simulated against float inference, one thread (reported, not judged)"
cli=build/release/app/console/equant-cli
for model in mobilenetv2-tf squeezenet1.1-7; do
    printf '  %-18s' "$model"
    "$cli" bench "$EQUANT_SHARED/data/models/$model.onnx" --runs 20 2>/dev/null | tail -1
done
exit "$failed"
