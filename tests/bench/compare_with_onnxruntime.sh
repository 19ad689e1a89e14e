#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Inference time beside ONNX Runtime, one thread: the two programs alternate, the table holds medians of the rounds.
#   NODE_PATH=... tests/bench/compare_with_onnxruntime.sh MODEL_FOLDER [MODEL...]
# NODE_PATH must lead to the npm package onnxruntime-node. Skips (exit code 77) without node or that package.
# Environment: EQUANT_CLI (program), ROUNDS (5), RUNS (15), BATCHES ("1 8").
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cli=${EQUANT_CLI:-$here/../../build/release/app/console/equant-cli}
rounds=${ROUNDS:-5} runs=${RUNS:-15}
[[ $# -ge 1 ]] || { sed -n '4,6s/^# *//p' "${BASH_SOURCE[0]}"; exit 2; }
folder=$1
shift
command -v node >/dev/null || { echo 'skipped: node is not installed'; exit 77; }
node -e 'require("onnxruntime-node")' 2>/dev/null || { echo 'skipped: NODE_PATH has no onnxruntime-node'; exit 77; }
[[ -x $cli ]] || { echo "equant-cli is not built: $cli"; exit 1; }
if (($# == 0)); then
    set -- "$folder"/*.onnx
    set -- "${@##*/}"
    set -- "${@%.onnx}"
fi
export OMP_NUM_THREADS=1

# One JSON number out of a file: field PATH FILE
field() { node -e 'let v=JSON.parse(require("fs").readFileSync(process.argv[2]));for(const k of process.argv[1].split("."))v=v[k];console.log(v)' "$1" "$2"; }
median() { printf '%s\n' "$@" | sort -g | awk '{v[NR]=$1} END {print NR % 2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

report=$(mktemp)
trap 'rm -f "$report"' EXIT
printf '| model | batch | ONNX Runtime, ms | Equant, ms | ratio | Equant simulated, ms | simulated / float |\n'
printf '| --- | --: | --: | --: | --: | --: | --: |\n'
for model in "$@"; do
    for batch in ${BATCHES:-1 8}; do
        judge=() own=() simulated=()
        for ((round = 0; round < rounds; ++round)); do
            node "$here/time_onnxruntime.js" "$folder/$model.onnx" "$batch" "$runs" >"$report"
            judge+=("$(field ms_per_sample_median "$report")")
            "$cli" bench "$folder/$model.onnx" --batch "$batch" --runs "$runs" --threads 1 --quiet --json "$report" >/dev/null
            own+=("$(field float.ms_per_sample_median "$report")")
            simulated+=("$(field quantized.ms_per_sample_median "$report")")
        done
        awk -v m="$model" -v b="$batch" -v j="$(median "${judge[@]}")" -v o="$(median "${own[@]}")" \
            -v s="$(median "${simulated[@]}")" \
            'BEGIN {printf "| %s | %d | %.3f | %.3f | %.2f | %.3f | %.2f |\n", m, b, j, o, o / j, s, s / o}'
    done
done
