#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The walls of the house (docs/architecture.md): which folder may include what. Usage: check_layering.sh [SOURCE_DIR]
set -uo pipefail
cd "${1:-.}"
failures=0

# forbid PATTERN WHY FOLDER... : no file below the folders may have an #include that matches
forbid() {
    local pattern=$1 why=$2 hits
    shift 2
    hits=$(grep -rnE --include='*.h' --include='*.cpp' "^\s*#\s*include\s*[<\"]($pattern)" "$@" 2>/dev/null) || return 0
    printf 'layering: %s\n%s\n' "$why" "$hits"
    failures=$((failures + 1))
}

# Everything below the folders except the one that owns the library.
others() { find core widgets app -mindepth 1 -maxdepth 1 -type d ! -path "$1"; }

forbid 'Q[A-Z]|qcustomplot|Qt' 'core and the console are Qt-free' core app/console
forbid 'core/' 'plots take numbers, labels and colours, not engine types' widgets/plots
forbid 'onnx|google/protobuf' 'protobuf lives in core/graph only' $(others core/graph)
forbid 'dnnl|oneapi/dnnl' 'oneDNN lives in core/runtime/emit and core/runtime/exec only' $(others core/runtime) core/runtime/{ir,kernels,sweep,diagnose} core/runtime/*.h
forbid 'opencv' 'OpenCV lives in core/data only' $(others core/data)
forbid 'qcustomplot' 'QCustomPlot lives in widgets/plots only' $(others widgets/plots)
forbid 'widgets/|app/' 'core knows nothing of the programs' core
forbid 'app/' 'widgets know nothing of the programs' widgets
forbid 'widgets/|app/desktop/' 'the console has no window' app/console

# Inside core, each room may include itself and the rooms before it.
declare -A may=(
    [base]='base'
    [graph]='base|graph'
    [layers]='base|graph|layers'
    [passes]='base|graph|layers|passes'
    [runtime]='base|graph|layers|runtime'
    [data]='base|graph|layers|data'
    [metrics]='base|graph|layers|passes|runtime|data|metrics'
    [compression]='base|graph|layers|passes|runtime|data|metrics|compression'
    [inspection]='base|graph|layers|passes|runtime|data|metrics|compression|inspection'
    [quantization]='base|graph|layers|passes|runtime|data|metrics|inspection|quantization'
    [interop]='base|graph|layers|passes|runtime|data|metrics|quantization|interop'
)
for room in core/*/; do
    room=$(basename "$room")
    [[ $room == recipe ]] && continue # the top of core: may use everything in it
    if [[ -z ${may[$room]:-} ]]; then
        echo "layering: core/$room is not in the list of rooms"
        failures=$((failures + 1))
        continue
    fi
    hits=$(grep -rnE '^\s*#\s*include\s*"core/' "core/$room" | grep -vE "\"core/(${may[$room]})/") || continue
    printf 'layering: core/%s may include only %s\n%s\n' "$room" "${may[$room]}" "$hits"
    failures=$((failures + 1))
done

# A check that cannot fail is no check: make sure the patterns match what they should.
grep -rqE --include='*.cpp' '^\s*#\s*include\s*[<"](dnnl|oneapi/dnnl)' core/runtime || { echo 'layering: self-check failed'; exit 1; }
exit $((failures > 0))
