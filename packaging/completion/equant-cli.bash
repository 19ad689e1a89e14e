# SPDX-License-Identifier: Apache-2.0
# Bash completion for equant-cli. Commands and options are read from the program's own --help, so that they are always
# those of the installed version; only the names that an option takes are listed here. Where nothing fits, files.
_equant_cli() {
    local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local help commands command='' word
    COMPREPLY=()
    help=$("$program" --help 2>/dev/null) || return 0
    commands=$(sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' <<<"$help")
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if grep -qxF -e "$word" <<<"$commands"; then
            command=$word
            help+=$'\n'$("$program" "$command" --help 2>/dev/null)
            break
        fi
    done

    local names=''
    case $previous in
    --relu6) names='exact replace skip' ;;
    --method) names='spatial-svd weight-svd channel-pruning' ;;
    --metric) names='auto top1 agreement sqnr' ;;
    --solver) names='exact greedy' ;;
    --granularity) names='per-tensor per-channel' ;;
    --scheme) names='minmax tf sqnr tf-enhanced percentile mse entropy' ;;
    --encodings-version) names='0.6.1 1.0.0 2.0.0' ;;
    --preprocess)
        names='imagenet unit signed none'
        compopt -o plusdirs 2>/dev/null
        ;;
    *)
        if [[ $current == -* ]]; then
            names="--help $(sed -n 's/^  \(-[^ ]*\).*/\1/p' <<<"$help" | tr ',' '\n')"
            [[ $command ]] || names+=' --version'
        elif [[ ! $command && $previous != --@(threads|seed|json) ]]; then
            names=$commands
        fi
        ;;
    esac
    # shellcheck disable=SC2207 # the names hold no spaces
    COMPREPLY=($(compgen -W "$names" -- "$current"))
}
complete -o bashdefault -o default -F _equant_cli equant-cli
