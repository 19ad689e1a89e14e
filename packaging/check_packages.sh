#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the two Debian packages of the build in build/release and checks them: each file with the tool that is made for it,
# the completion against the program's --help, and both packages by installing them on a bare Debian 12 (root and
# debootstrap; the bare system is kept in the temporary folder for the next time). What is not at hand is skipped with a
# sentence. packages-check.txt names the tools; `bootstrap.sh check` installs them.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
packages=$PWD/build/release/packages
id=io.github.equant.Equant
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
passed=0 failed=0 skipped=0

# check NAME COMMAND...: what the command prints is shown where it fails.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n%s\n' "$name" "$output"
    fi
}
skip() {
    skipped=$((skipped + 1))
    echo "skipped $1"
}
# check_with TOOL NAME COMMAND...
check_with() {
    if command -v "$1" >/dev/null; then check "${@:2}"; else skip "$2: $1 is not installed."; fi
}

make_packages() {
    rm -rf "$packages"
    cpack --preset release || return
    local package
    for package in equant equant-cli; do
        dpkg-deb -x "$packages/$package"_[0-9]*.deb "$work/root" || return
    done
}

man_is_clean() {
    local warnings
    warnings=$(LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null)
    [[ -z $warnings ]] || { echo "$warnings"; return 1; }
}

mime_types_are_found() {
    update-mime-database "$work/root/usr/share/mime" || return
    grep -q 'x-equant-workspace:\*\.equant$' "$work/root/usr/share/mime/globs2" && grep -q ':\*\.onnx$' "$work/root/usr/share/mime/globs2"
}

# Without the variables of a display.
run_without_display() {
    env -u DISPLAY -u WAYLAND_DISPLAY -u QT_QPA_PLATFORM "$@"
}

# complete WORD...: what bash offers after `equant-cli WORD...`, the last word being the one that is typed.
complete_words() (
    # shellcheck disable=SC1091
    source "$work/root/usr/share/bash-completion/completions/equant-cli"
    # shellcheck disable=SC2034
    COMP_WORDS=("$work/root/usr/bin/equant-cli" "$@") COMP_CWORD=$#
    _equant_cli
    printf '%s\n' "${COMPREPLY[@]}"
)

commands() {
    "$work/root/usr/bin/equant-cli" --help | sed -n '/^Subcommands:/,/^$/p' | grep -oE '^  [a-z-]+'
}

completes_commands() {
    diff <(commands | tr -d ' ' | sort) <(complete_words '' | sort) && (($(commands | wc -l) >= 12))
}

# The options in the help of each command, in every notation, are those that are offered.
completes_options() {
    local command
    for command in $(commands); do
        diff <({
            echo --help
            "$work/root/usr/bin/equant-cli" --help
            "$work/root/usr/bin/equant-cli" "$command" --help
        } | grep -E '^(--help|  -)' | sed -E 's/^ +//; s/ .*//; s/,/\n/' | sort) \
            <(complete_words "$command" model.onnx - | sort) || { echo "command: $command"; return 1; }
    done
}

# A wrong name is answered with the names that the option takes: those are offered.
completes_names() {
    local option command answer offered
    while read -r command option; do
        answer=$("$work/root/usr/bin/equant-cli" "$command" "$option" '?' 2>&1 | sed -n 's/.* is none of \(.*\)\. See .*/\1/p' | sed 's/[,( ][( ]*/\n/g; s/)//g' | sort -u)
        offered=$(complete_words "$command" "$option" '' | sort -u)
        [[ $answer && $answer == "$offered" ]] || { echo "$command $option: takes $answer, but $offered is offered"; return 1; }
    done <<'OPTIONS'
equalize --relu6
plan --solver
quantize --granularity
bench --granularity
quantize --scheme
quantize --encodings-version
encoding --scheme
sensitivity --metric
OPTIONS
}

# The mirror of Debian 12 that this machine's own apt uses.
mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 'Component: main' 2>/dev/null | head -n 1
}

in_debian() {
    chroot "$work/debian" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

# Makes $work/debian; prints why where that is not possible.
make_debian() {
    local kept=${TMPDIR:-/tmp}/equant-debian-12 source
    ((EUID == 0)) || { echo "only root can make a Debian system."; return 1; }
    command -v debootstrap >/dev/null || { echo "debootstrap is not installed."; return 1; }
    if [[ ! -d $kept ]]; then
        source=$(mirror)
        [[ $source ]] || { echo "apt of this machine knows no mirror of Debian 12."; return 1; }
        rm -rf --one-file-system "$kept.new"  # of an interrupted run
        debootstrap --variant=minbase bookworm "$kept.new" "$source" >"$work/debootstrap.log" 2>&1 ||
            { echo "debootstrap failed: $(tail -n 1 "$work/debootstrap.log")"; rm -rf --one-file-system "$kept.new"; return 1; }
        mv "$kept.new" "$kept"
    fi
    [[ -O $kept ]] || { echo "$kept belongs to somebody else."; return 1; }
    cp -a "$kept" "$work/debian" || return
    in_debian apt-get -o APT::Update::Error-Mode=any update >"$work/update.log" 2>&1 || { echo "its mirror does not answer."; return 1; }
}

install_in_debian() {
    echo force-unsafe-io >"$work/debian/etc/dpkg/dpkg.cfg.d/unsafe-io"  # it is thrown away: no need to wait for the disk
    cp "$packages"/*.deb "$work/debian/tmp/" &&
        in_debian sh -c 'apt-get install -y --no-install-recommends /tmp/*.deb'
}

console_runs_in_debian() {
    in_debian sh -c 'cd /tmp && S=/usr/share/equant/sample && equant-cli --version && equant-cli quantize $S/equant_sample.onnx \
        --data $S/images --limit 50 --eval-data $S/images --eval-limit 50 --equalize -o quantized.onnx && test -s quantized.onnx'
}

report_runs_in_debian() {
    in_debian sh -c 'cd /tmp && echo "{\"equant_recipe\": 1, \"steps\": [{\"step\": \"equalize\"}, {\"step\": \"quantize\"}]}" >recipe.json &&
        S=/usr/share/equant/sample && equant report recipe.json --model $S/equant_sample.onnx --data $S/images --limit 50 \
            --eval-limit 50 --no-comparison -o report.pdf && head -c 5 report.pdf | grep -q %PDF-'
}

# The window finds the sample by itself and goes through all its pages.
window_runs_in_debian() {
    in_debian QT_QPA_PLATFORM=offscreen equant --screenshots /tmp/pictures && [[ -s $work/debian/tmp/pictures/overview-light.png ]]
}

check "cpack makes equant and equant-cli" make_packages
if ((failed)); then
    echo "packages: $passed passed, $failed failed, $skipped skipped"
    exit 1
fi
for package in equant equant-cli; do
    # They are not uploaded to Debian, so there is no report of an intent to package that the changelog could close.
    check_with lintian "lintian: $package" lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs \
        "$packages/$package"_[0-9]*.deb
    page=$work/root/usr/share/man/man1/$package.1.gz
    check_with man "man: $package.1" man_is_clean "$page"
    check_with mandoc "mandoc: $package.1" mandoc -Tlint -W warning "$page"
done
share=$work/root/usr/share
check_with desktop-file-validate "desktop-file-validate" desktop-file-validate "$share/applications/$id.desktop"
check_with appstreamcli "appstreamcli" appstreamcli validate-tree --no-net "$work/root"
check_with xmllint "xmllint: MIME types" xmllint --noout "$share/mime/packages/$id.xml"
check_with xmllint "xmllint: icon" xmllint --noout "$share/icons/hicolor/scalable/apps/$id.svg"
check_with update-mime-database "update-mime-database" mime_types_are_found
check "bash -n: completion" bash -n "$share/bash-completion/completions/equant-cli"
check "completion: commands" completes_commands
check "completion: options" completes_options
check "completion: names" completes_names
for program in "equant --version" "equant --help" "equant report --help" "equant-cli --version" "equant-cli --help"; do
    # shellcheck disable=SC2086
    check "without a display: $program" run_without_display "$work/root/usr/bin/"$program
done
if reason=$(make_debian); then
    check "bare Debian 12: installs" install_in_debian
    check "bare Debian 12: equant-cli on the sample" console_runs_in_debian
    check "bare Debian 12: equant report on the sample" report_runs_in_debian
    check "bare Debian 12: the window on the sample" window_runs_in_debian
else
    skip "bare Debian 12: $reason"
fi
echo "packages: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
