#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The figures on real models: runs the acceptance tests of build/release and times float against simulated inference.
# The reference data are not part of the project: "shared" beside the source folder, or EQUANT_SHARED. With node and
# onnxruntime-node (NODE_PATH), ONNX Runtime judges the files that are written.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
shared=${EQUANT_SHARED:-../shared}
if [[ ! -d $shared/data/models ]]; then
    echo "acceptance: skipped: there are no reference data in $shared (set EQUANT_SHARED to their folder)."
    echo 'acceptance: 0 passed, 0 failed, all skipped'
    exit 0
fi
EQUANT_SHARED=$(cd "$shared" && pwd)
export EQUANT_SHARED
export QTEST_FUNCTION_TIMEOUT=3600000  # milliseconds: a busy machine takes its time

# The reference lines (figures found) are wanted, not only passed or failed.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ctest --test-dir build/release --label-regex '^acceptance$' --verbose --no-tests=error |
    tee "$log" | grep -E 'QINFO|FAIL|SKIP|^ +Loc:|Passed|Failed|Timeout|tests passed' | sed -E 's/^[0-9]+: //'
failed=${PIPESTATUS[0]}

echo "acceptance: simulated against float inference, one thread (reported, not judged)"
cli=build/release/app/console/equant-cli
for model in mobilenetv2-tf squeezenet1.1-7; do
    printf '  %-18s' "$model"
    "$cli" bench "$EQUANT_SHARED/data/models/$model.onnx" --runs 20 2>/dev/null | tail -1
done

# A test that found no data to measure on has skipped: that is not the same as passed. initTestCase() and
# cleanupTestCase() check nothing, and count as passed in every class that is run.
read -r passed wrong skipped < <(awk '
    /PASS +: .*::(init|cleanup)TestCase\(\)/ { next }
    /PASS +: / { passed++ }
    /FAIL! +: / { wrong++ }
    /SKIP +: / { skipped++ }
    END { print passed + 0, wrong + 0, skipped + 0 }' "$log")
echo "acceptance: $passed passed, $wrong failed, $skipped skipped"
((skipped == 0)) || echo 'acceptance: what is skipped was not measured; the lines with SKIP above say what is missing'
if ((passed + wrong == 0)); then
    echo 'acceptance: skipped: nothing was measured'
fi
exit "$failed"
