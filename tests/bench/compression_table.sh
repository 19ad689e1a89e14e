#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the table "Several targets" of docs/algorithms/compression.md as Markdown: networks at shares of their MACs.
#   EQUANT_SHARED=... NODE_PATH=... tests/bench/compression_table.sh [NETWORK[:METHOD[:DEPTH_WEIGHT]]...]
# METHOD is spatial-svd, weight-svd, spatial-svd+weight-svd, channel-pruning (residual streams stay whole) or flow
# (compress --target-macs, which tries all of them). No NETWORK: the four below, each with the method below.
# Ratios are the solver's, from predicted errors; "plain" carries out the same plan with --plain. No labels, no training.
# Environment: TARGETS ("0.75 0.66 0.5 0.33"), EQUANT_CLI (program), ROUNDS (5) and RUNS (10) of timing, SAMPLES (of
# calibration; default per network). Without node and onnxruntime-node (NODE_PATH) that column stays empty.
# Needs jq. Skips (exit code 77) without the reference data.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cli=${EQUANT_CLI:-$here/../../build/release/app/console/equant-cli}
shared=${EQUANT_SHARED:-$here/../../../shared}
rounds=${ROUNDS:-5} runs=${RUNS:-10}
[[ -d $shared/data/models ]] || { echo "skipped: no reference data in $shared (set EQUANT_SHARED)"; exit 77; }
[[ -x $cli ]] || { echo "equant-cli is not built: $cli"; exit 1; }
hasJudge=1
node -e 'require("onnxruntime-node")' 2>/dev/null || { hasJudge=0; echo 'no ONNX Runtime: NODE_PATH has no onnxruntime-node' >&2; }
export OMP_NUM_THREADS=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Method, depth weight, calibration samples, and the layers that read residual streams (a regular expression).
settings() {
    case $1 in
    cifar10_resnet20_jpeg) echo spatial-svd 1.5 500 '/conv1/' ;;
    cifar10_mobilenetv2_bn_jpeg) echo channel-pruning 1.5 500 'blocks\.(2|4|7|11|14)/f/f\.0/' ;;
    squeezenet1.1-7) echo spatial-svd+weight-svd 1.5 250 'none' ;;
    mobilenetv2-tf) echo channel-pruning 1.5 250 '_(2|4|7|11|14)_expand$' ;;
    *) echo "no settings for $1" >&2; return 2 ;;
    esac
}

equant() { "$cli" "$@" --quiet >/dev/null; }
field() { jq -r "$2" "$1"; }
median() { jq -s 'sort | .[length / 2 | floor]' "$1"; }
megabytes() { stat -Lc %s "$1" | awk '{printf "%.2f", $1 / 1e6}'; }

# Of the ImageNet sample, the images behind those of the calibration are scored.
top1() { equant evaluate "$1" "${scoring[@]}" --json "$work/report" && field "$work/report" .top1; }

# A plan for $target in $work/plan: of the solver, from the network's table, or of the flow.
makePlan() {
    if [[ $method == flow ]]; then
        equant compress "$model" --target-macs "$target" "${calibration[@]}" --plan-output "$work/plan" -o "$work/ours.onnx"
        return
    fi
    local options=(--depth-weight "$depth")
    if [[ $method == channel-pruning ]]; then
        while read -r layer; do options+=(--exclude "$layer"); done < <(
            jq -r --arg streams "$streams" '.layers[].name | select(test($streams))' "$work/table")
    fi
    equant plan "$model" --sensitivity "$work/table" --target-macs "$target" "${options[@]}" -o "$work/plan"
}

predict() {
    local ratios=0.1:0.95:0.05 methods=()
    [[ $method != channel-pruning ]] || ratios=0.05:0.95:0.03125
    for name in ${method//+/ }; do methods+=(--method "$name"); done
    equant sensitivity "$model" "${calibration[@]}" --calibration-samples "$samples" --instant "${methods[@]}" \
        --ratios "$ratios" -o "$work/table"
}

# Milliseconds a sample of both files, in turns, and the median of the ratios: $work/before, after, share.
timeBoth() {
    rm -f "$work"/{before,after,share}
    local before after
    for ((round = 0; round < rounds; ++round)); do
        for which in before after; do
            local file=$model
            [[ $which == before ]] || file=$work/ours.onnx
            equant bench "$file" --batch 8 --runs "$runs" --no-limits --threads 1 --json "$work/report"
            field "$work/report" .float.ms_per_sample_median >>"$work/$which"
        done
        before=$(tail -1 "$work/before") after=$(tail -1 "$work/after")
        awk -v b="$before" -v a="$after" 'BEGIN {print a / b}' >>"$work/share"
    done
}

# "largest difference of our outputs to ONNX Runtime's (their standard deviation)", on the reference input.
judge() {
    ((hasJudge)) || return 0
    local inputs=() file name
    for file in "$shared/data/reference/$network"/input_*.npy; do
        name=$(basename "$file" .npy)
        inputs+=("${name#input_}=$file")
    done
    mkdir -p "$work/ours" "$work/theirs"
    equant run "$work/ours.onnx" "${inputs[@]/#/--input=}" --output-dir "$work/ours"
    node "$shared/tools/ort_run.js" "$work/ours.onnx" "$work/theirs" "${inputs[@]}"
    node - "$work"/{ours,theirs} <<'JS'
const fs = require('fs'), [ours, theirs] = process.argv.slice(2);
const values = file => {  // little-endian float32 behind the header of an .npy file of version 1
    const bytes = fs.readFileSync(file), start = 10 + bytes.readUInt16LE(8);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
};
let largest = 0, count = 0, sum = 0, squares = 0;
for (const file of fs.readdirSync(theirs)) {
    const own = values(`${ours}/${file}`);
    values(`${theirs}/${file}`).forEach((value, i) => {
        largest = Math.max(largest, Math.abs(value - own[i]));
        count += 1, sum += value, squares += value * value;
    });
}
console.log(`${largest.toExponential(1)} (${Math.sqrt(squares / count - (sum / count) ** 2).toPrecision(2)})`);
JS
}

# One row of the table; $work/ours.onnx is the compressed file.
row() {
    echo "$network, $method, $target" >&2
    makePlan
    equant compress "$model" --plan "$work/plan" "${calibration[@]}" -o "$work/ours.onnx" --json "$work/compressed"
    equant compress "$model" --plan "$work/plan" "${calibration[@]}" -o "$work/plain.onnx" --plain
    timeBoth
    printf '| %s, %s | %s | %.3f | %.2f | %.2f | %.2f | %s to %s | %.2f to %.2f (%.0f %%) | %s |\n' "$network" "$method" \
        "$target" "$(field "$work/compressed" .macs_ratio)" "$float" "$(top1 "$work/ours.onnx")" \
        "$(top1 "$work/plain.onnx")" "$(megabytes "$model")" "$(megabytes "$work/ours.onnx")" \
        "$(median "$work/before")" "$(median "$work/after")" "$(median "$work/share" | awk '{print 100 * $1}')" "$(judge)"
}

[[ $# -ge 1 ]] || set -- cifar10_resnet20_jpeg cifar10_mobilenetv2_bn_jpeg squeezenet1.1-7 mobilenetv2-tf
echo '| network, method | MACs | reached | float | ours | `--plain` | file, MB | time, ms | ONNX Runtime |'
echo '| --- | --- | --- | --- | --- | --- | --- | --- | --- |'
for argument in "$@"; do
    IFS=: read -r network askedMethod askedDepth <<<"$argument"
    defaults=$(settings "$network")
    read -r method depth samples streams <<<"$defaults"
    method=${askedMethod:-$method} depth=${askedDepth:-$depth} samples=${SAMPLES:-$samples}
    model=$shared/data/models/$network.onnx
    if [[ $network == cifar10_* ]]; then
        calibration=(--data "$shared/data/cifar10/train_10000" --limit "$samples")
        scoring=(--data "$shared/data/cifar10/test_2000")
    else
        calibration=(--data "$shared/data/imagenet-sample-500" --limit "$samples")
        scoring=(--data "$shared/data/imagenet-sample-500" --offset "$samples")
    fi
    float=$(top1 "$model")
    [[ $method == flow ]] || predict
    for target in ${TARGETS:-0.75 0.66 0.5 0.33}; do row; done
done
