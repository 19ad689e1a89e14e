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
forbid 'sqlite3' 'SQLite lives in core/store only' $(others core/store)
forbid 'qcustomplot' 'QCustomPlot lives in widgets/plots only' $(others widgets/plots)
forbid 'widgets/|app/' 'core knows nothing of the programs' core
forbid 'app/' 'widgets know nothing of the programs' widgets
forbid 'widgets/|app/desktop/' 'the console has no window' app/console

# Inside core, a room may include itself and the rooms on lower floors, so that rooms have no cycles.
floors=(base graph layers 'passes runtime data' metrics 'statistics search' 'quantization compression'
    'inspection interop store' recipe)
lower=
listed=' '
for floor in "${floors[@]}"; do
    for room in $floor; do
        listed+="$room "
        hits=$(grep -rnE '^\s*#\s*include\s*"core/' "core/$room" 2>/dev/null | grep -vE "\"core/($lower$room)/") || continue
        printf 'layering: core/%s may include only %s\n%s\n' "$room" "$lower$room" "$hits"
        failures=$((failures + 1))
    done
    lower+="${floor// /|}|"
done
for room in core/*/; do
    room=$(basename "$room")
    [[ $listed == *" $room "* ]] && continue
    echo "layering: core/$room is not on the list of floors"
    failures=$((failures + 1))
done

# The folder whose files may include a private header: core/<room>, widgets/<room>, app/<program>.
hits=$(grep -rnE --include='*.h' --include='*.cpp' '^\s*#\s*include\s*"[^"]*_internal\.h"' core widgets app |
    awk -F: '{ split($1, file, "/"); split($3, name, "\""); split(name[2], header, "/")
               if (file[1] != header[1] || file[2] != header[2]) print }')
if [[ -n $hits ]]; then
    printf 'layering: *_internal.h is private to its room\n%s\n' "$hits"
    failures=$((failures + 1))
fi

# A knot: files that need each other. A component is NAME.h, NAME_internal.h and NAME.cpp; what one of them includes, the
# component needs. tsort names the members of every cycle.
knots() {
    grep -rE --include='*.h' --include='*.cpp' '^\s*#\s*include\s*"core/' core |
        sed -E 's/:\s*#\s*include\s*"/ /; s/".*//; s/(^| )core\//\1/g; s/\.(h|cpp)\b//g' |
        awk '
            function owner(name,    plain) { plain = name; sub(/_internal$/, "", plain); return plain in is ? plain : name }
            { from[NR] = $1; to[NR] = $2; is[$1] }
            END { for (i = 1; i <= NR; i++) { a = owner(from[i]); b = owner(to[i])
                      if (a != b) print a, b } }' |
        tsort 2>&1 >/dev/null
}
hits=$(knots)
if [[ -n $hits ]]; then
    printf 'layering: files that need each other\n%s\n' "$hits"
    failures=$((failures + 1))
fi

# A check that cannot fail is no check: make sure the patterns match what they should.
grep -rqE --include='*.cpp' '^\s*#\s*include\s*[<"](dnnl|oneapi/dnnl)' core/runtime || { echo 'layering: self-check failed'; exit 1; }
exit $((failures > 0))
