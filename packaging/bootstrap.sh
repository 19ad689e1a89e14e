#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 machine to a running Equant.
#   packaging/bootstrap.sh run    install what is missing, build, open the window on the sample
#                                 (without a display: do the same job with equant-cli)
#   packaging/bootstrap.sh test   install what is missing, build, run the tests
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/release

say() { printf '\n== %s\n' "$*"; }

install_missing_packages() {
    local missing=() package
    while read -r package; do
        [[ $package == '' || $package == \#* ]] && continue
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done <packaging/packages.txt
    ((${#missing[@]} == 0)) && return
    say "Installing ${missing[*]}"
    local as_root=()
    ((EUID == 0)) || as_root=(sudo)
    "${as_root[@]}" apt-get update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

build_all() {
    say "Building (the first time takes about ten minutes on two cores)"
    cmake --preset release -DEQUANT_WERROR="$([[ ${CI:-} ]] && echo ON || echo OFF)"
    cmake --build $build --parallel "$(nproc)" "$@"
}

run_with_console() {
    local cli=$build/app/console/equant-cli sample=resources/sample
    mkdir -p out
    say "No display: doing the job on the sample with equant-cli"
    $cli inspect $sample/equant_sample.onnx --json out/inspect.json
    $cli equalize $sample/equant_sample.onnx -o out/equalized.onnx --data $sample/images --limit 50 --json out/equalize.json
    $cli quantize out/equalized.onnx --data $sample/images --limit 200 --eval-data $sample/images \
        -o out/quantized.onnx --encodings out/encodings.json --json out/quantize.json
    say "Results: $PWD/out (equalized.onnx, quantized.onnx, encodings.json, and a .json of every step)"
}

case ${1:-} in
run)
    install_missing_packages
    build_all --target equant equant-cli
    if [[ ${DISPLAY:-} || ${WAYLAND_DISPLAY:-} ]]; then
        exec $build/app/desktop/equant --sample
    fi
    run_with_console
    ;;
test)
    install_missing_packages
    build_all
    say "Testing"
    ctest --preset release --parallel "$(nproc)" --label-exclude acceptance
    ;;
*)
    sed -n '3,6s/^# //p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
