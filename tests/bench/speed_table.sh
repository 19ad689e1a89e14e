#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the speed tables of docs/performance.md: beside ONNX Runtime, beside the machine's limits, two threads.
#   NODE_PATH=... tests/bench/speed_table.sh MODEL.onnx|FOLDER...
# Programs and settings alternate (A B C A B C); the tables hold medians of the rounds. A folder means its *.onnx.
# NODE_PATH must lead to the npm package onnxruntime-node. Skips (exit code 77) without node or that package.
# Environment: EQUANT_CLI (program), ROUNDS (3), RUNS (15), BATCHES ("1 8"), and options for the simulation in SIMULATION
# (such as "--activation-bits 16").
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cli=${EQUANT_CLI:-$here/../../build/release/app/console/equant-cli}
rounds=${ROUNDS:-3} runs=${RUNS:-15}
read -ra simulation <<<"${SIMULATION:-}"
[[ $# -ge 1 ]] || { sed -n '3,8s/^# *//p' "${BASH_SOURCE[0]}"; exit 2; }
command -v node >/dev/null || { echo 'skipped: node is not installed'; exit 77; }
node -e 'require("onnxruntime-node")' 2>/dev/null || { echo 'skipped: NODE_PATH has no onnxruntime-node'; exit 77; }
[[ -x $cli ]] || { echo "equant-cli is not built: $cli"; exit 1; }
export OMP_NUM_THREADS=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

models=()
for argument in "$@"; do
    if [[ -d $argument ]]; then models+=("$argument"/*.onnx); else models+=("$argument"); fi
done
for model in "${models[@]}"; do [[ -f $model ]] || { echo "no such model: $model"; exit 2; }; done

# Numbers out of JSON, on one line: fields FILE PATH...
fields() {
    node -e 'const [file, ...paths] = process.argv.slice(1), all = JSON.parse(require("fs").readFileSync(file));
             console.log(...paths.map(path => path.split(".").reduce((value, key) => value[key], all)))' "$@"
}
bench() { "$cli" bench "$model" --batch "$batch" --runs "$runs" --quiet --json "$work/report" "$@" >/dev/null; }
median() { sort -g "$1" | awk '{v[NR]=$1} END {print NR % 2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

# One round of everything; appends one number each to files in the folder of the row, and machine figures to $work.
measure() {
    local asked=$batch speed=float.ms_per_sample_median judge own ratio actual limits
    node "$here/time_onnxruntime.js" "$model" "$batch" "$runs" >"$work/report"
    judge=$(fields "$work/report" ms_per_sample_median)
    bench --threads 1 "${simulation[@]}"
    read -r own ratio actual limits < <(fields "$work/report" "$speed" ratio batch limits.bound_ms)
    if [[ $actual != "$asked" ]]; then
        isFixed=1
        return
    fi
    echo "$judge" >>"$row/judge"
    echo "$own" >>"$row/own"
    echo "$ratio" >>"$row/per_tensor"
    echo "$limits" >>"$row/bound"
    fields "$work/report" quantized.ms_per_sample_median >>"$row/simulated"
    fields "$work/report" limits.gflops_per_sample limits.weight_bytes limits.activation_bytes_per_sample >"$row/cost"
    fields "$work/report" limits.peak_gflops limits.bandwidth_gbs limits.instructions >>"$work/one"
    bench --threads 1 --granularity per-channel --no-limits "${simulation[@]}"
    read -r own ratio < <(fields "$work/report" "$speed" ratio)
    echo "$own" >>"$row/own"
    echo "$ratio" >>"$row/per_channel"
    bench --threads 2 "${simulation[@]}"
    fields "$work/report" scaling >>"$row/threads"
    fields "$work/report" limits.peak_gflops limits.bandwidth_gbs limits.instructions >>"$work/two"
}

rows=0
for model in "${models[@]}"; do
    for batch in ${BATCHES:-1 8}; do
        row=$work/row$rows
        mkdir "$row"
        for ((round = 1; round <= rounds; ++round)); do
            echo "$(basename "$model" .onnx), batch $batch, round $round of $rounds" >&2
            isFixed=0
            measure
            ((isFixed)) || continue
            echo "its batch is fixed: no row for $batch" >&2
            rm -r "$row"
            continue 2
        done
        echo "$(basename "$model" .onnx) $batch" >"$row/name"
        rows=$((rows + 1))
    done
done

# Best of all measurements, "peak bandwidth instructions": noise can only take away.
best() { awk '{if ($1 > p) p = $1; if ($2 > b) b = $2; i = $3; for (k = 4; k <= NF; ++k) i = i " " $k} END {printf "%.0f %.1f %s\n", p, b, i}' "$1"; }
read -r peak bandwidth instructions < <(best "$work/one")
read -r peak_two bandwidth_two _ < <(best "$work/two")
printf 'Machine (%s): %s GFLOP/s and %s GB/s on one thread, %s GFLOP/s and %s GB/s on two.\n\n' \
    "$instructions" "$peak" "$bandwidth" "$peak_two" "$bandwidth_two"

echo '| model | batch | ONNX Runtime, ms | Equant, ms | ratio | simulated, ms | simulated / float, per tensor | per channel |'
echo '| --- | --: | --: | --: | --: | --: | --: | --: |'
for ((i = 0; i < rows; ++i)); do
    row=$work/row$i
    read -r model batch <"$row/name"
    awk -v m="$model" -v b="$batch" -v j="$(median "$row/judge")" -v o="$(median "$row/own")" \
        -v s="$(median "$row/simulated")" -v t="$(median "$row/per_tensor")" -v c="$(median "$row/per_channel")" \
        'BEGIN {printf "| %s | %d | %.3f | %.3f | %.2f | %.3f | %.2f | %.2f |\n", m, b, j, o, o / j, s, t, c}'
done
echo
echo '| model | batch | GFLOP | weights, MB | activations, MB | at best, ms | Equant, ms | GFLOP/s | of the peak | two threads |'
echo '| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |'
for ((i = 0; i < rows; ++i)); do
    row=$work/row$i
    read -r model batch <"$row/name"
    read -r gflops weights activations <"$row/cost"
    awk -v m="$model" -v b="$batch" -v f="$gflops" -v w="$weights" -v a="$activations" -v l="$(sort -g "$row/bound" | head -1)" \
        -v o="$(median "$row/own")" -v p="$peak" -v t="$(median "$row/threads")" \
        'BEGIN {printf "| %s | %d | %.3g | %.1f | %.1f | %.3f | %.3f | %.1f | %.0f %% | %.2f |\n",
                m, b, f, w / 1e6, a / 1e6, l, o, f / o * 1e3, f / o * 1e5 / p, t}'
done
