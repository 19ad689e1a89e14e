#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every relative link of README.md, CONTRIBUTING.md and docs/ leads to a file. Usage: check_doc_links.sh [SOURCE_DIR]
set -uo pipefail
cd "${1:-.}"
failures=0 links=0
while read -r page; do
    while read -r target; do
        [[ $target == *://* || $target == mailto:* || $target == '#'* ]] && continue
        links=$((links + 1))
        [[ -e $(dirname "$page")/${target%%#*} ]] && continue
        echo "links: $page leads to $target, which is not there"
        failures=$((failures + 1))
    done < <(grep -oE '\]\([^) ]+\)' "$page" | sed 's/^](//; s/)$//')
done < <(find README.md CONTRIBUTING.md docs -name '*.md')
# A check that finds nothing to check is broken.
((links > 0)) || { echo 'links: no links found'; exit 1; }
exit $((failures > 0))
