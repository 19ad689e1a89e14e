#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make_page.sh PROGRAM TEMPLATE CHANGELOG: prints a man page. In the template, @version@ and @date@ are those of the program
# and of the changelog; a line "@options [COMMAND]" becomes the options that `PROGRAM [COMMAND] --help` lists, and a line
# "@commands" a subsection with the options of each of the program's subcommands.
set -eu
program=$1 template=$2 changelog=$3
export LC_ALL=C.UTF-8

# The lines below "Options:" of a help text (CLI11's or Qt's) as tagged paragraphs.
options() {
    "$program" "$@" --help | awk '
        function escape(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); gsub(/^[.\x27]/, "\\\\\\&&", text); return text }
        function flush(   count, words, i, word, tag) {
            if (head == "") return
            gsub(/,/, " , ", head); gsub(/[<>]/, "", head)
            count = split(head, words, " ")
            for (i = 1; i <= count; ++i) {
                word = words[i]
                if (word == ",") tag = tag ", "
                else if (word == "REQUIRED") text = text " (required)"
                else if (word ~ /^-/) tag = tag (tag ~ /[^ ]$/ ? " " : "") "\\fB" escape(word) "\\fR"
                else tag = tag " \\fI" escape(word) "\\fR"
            }
            print ".TP"; print tag; print escape(text)
            head = ""; text = ""
        }
        /^Options:/ { inside = 1; next }
        inside && /^ +-/ {
            flush()
            sub(/^ +/, "")
            if (match($0, / REQUIRED /) || match($0, /  +/)) {
                head = substr($0, 1, RSTART + (/ REQUIRED / ? RLENGTH : 0))
                text = substr($0, RSTART + RLENGTH)
            } else head = $0
            next
        }
        inside && /^  +[^ ]/ { sub(/^ +/, ""); text = (text == "" ? $0 : text " " $0); next }
        { flush(); inside = 0 }
        END { flush() }'
}

commands() {
    "$program" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' | while read -r command; do
        "$program" "$command" --help | awk '
            function escape(text) { gsub(/-/, "\\-", text); return text }
            NR == 1 { summary = $0 }
            NR == 2 { sub(/^Usage: /, ""); print ".SS \"" escape($0) "\""; print escape(summary) "." }'
        options "$command"
    done
}

version=$("$program" --version)
version=${version##* }
date=$(date -u -d "$(sed -n 's/^ -- .*>  //p' "$changelog" | head -n 1)" +%Y-%m-%d)
while IFS= read -r line; do
    case $line in
    '@commands') commands ;;
    '@options '*) options "${line#@options }" ;;
    '@options') options ;;
    *) printf '%s\n' "$line" | sed "s/@version@/$version/; s/@date@/$date/" ;;
    esac
done <"$template"
