#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 machine to a running Equant.
#   packaging/bootstrap.sh run      install what is missing, build, open the window on the sample
#                                   (without a display: do the same job with equant-cli)
#   packaging/bootstrap.sh package  install what is missing, build, make the Debian packages equant and equant-cli
#   packaging/bootstrap.sh test     install what is missing, build, run the tests
#   packaging/bootstrap.sh check    after test or package: install what is missing, check the Debian packages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/release

say() { printf '\n== %s\n' "$*"; }

# The packages of these lists, as far as they are not there.
install_missing_packages() {
    local missing=() package as_root=()
    for package in $(sed 's/#.*//' "$@"); do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    ((${#missing[@]} == 0)) && return
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            printf 'Packages are missing: %s\nInstall them as root, or install sudo; then run this again.\n' "${missing[*]}" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    say "Installing ${missing[*]}"
    "${as_root[@]}" apt-get update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# configure [options for cmake]
configure() {
    cmake --preset release -DEQUANT_WERROR="$([[ ${CI:-} ]] && echo ON || echo OFF)" "$@"
}

# The two programs, for those who only want to use them; a folder that was configured for the tests stays so.
build_programs() {
    say "Building (the first time takes about five minutes on two cores)"
    if [[ -f $build/CMakeCache.txt ]]; then configure; else configure -DEQUANT_TESTS=OFF; fi
    cmake --build $build --parallel "$(nproc)" --target equant equant-cli
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
    install_missing_packages packaging/packages.txt
    build_programs
    if [[ ${DISPLAY:-} || ${WAYLAND_DISPLAY:-} ]]; then
        exec $build/app/desktop/equant --sample
    fi
    run_with_console
    ;;
package)
    install_missing_packages packaging/packages.txt
    build_programs
    rm -rf $build/packages
    cpack --preset release
    say "Install them with: sudo apt-get install $PWD/$build/packages/*.deb"
    ;;
test)
    install_missing_packages packaging/packages.txt packaging/packages-test.txt
    say "Building the programs and their tests"
    configure -DEQUANT_TESTS=ON
    cmake --build $build --parallel "$(nproc)"
    say "Testing"
    ctest --preset release --parallel "$(nproc)" --label-exclude acceptance
    ;;
check)
    install_missing_packages packaging/packages.txt packaging/packages-check.txt
    packaging/check_packages.sh
    ;;
*)
    sed -n '3,8s/^# //p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
