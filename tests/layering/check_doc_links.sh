#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every relative link of README.md, CONTRIBUTING.md and docs/ leads to a file. Usage: check_doc_links.sh [SOURCE_DIR]
# Pictures in docs/screenshots are made by the program: while that folder is absent, links to it are only counted.
set -uo pipefail
cd "${1:-.}"
failures=0 links=0 pictures=0
while read -r page; do
    while read -r target; do
        [[ $target == *://* || $target == mailto:* || $target == '#'* ]] && continue
        links=$((links + 1))
        [[ -e $(dirname "$page")/${target%%#*} ]] && continue
        if [[ $target == *screenshots/* && ! -d docs/screenshots ]]; then
            pictures=$((pictures + 1))
            continue
        fi
        echo "links: $page leads to $target, which is not there"
        failures=$((failures + 1))
    done < <(grep -oE '\]\([^) ]+\)' "$page" | sed 's/^](//; s/)$//')
done < <(find README.md CONTRIBUTING.md docs -name '*.md')
((pictures == 0)) || echo "links: docs/screenshots is absent, $pictures links to pictures not checked"
# A check that finds nothing to check is broken.
((links > 0)) || { echo 'links: no links found'; exit 1; }
exit $((failures > 0))
