# bash completion for Fairlead's ipvsadm: options, schedulers and flags as the program's own help lists them, and the
# services and servers that the running daemon has.
# shellcheck shell=bash

# What `-S -n` says of one option, e.g. every address after -t.
_fairlead_ipvsadm_rules() {
    local option=$1
    shift
    "$@" -S -n 2>/dev/null | sed -n "s/^-A.* ${option} \([^ ]*\).*/\1/p"
}

# The servers of the service that the line names; of all services when it names none.
_fairlead_ipvsadm_servers() {
    local program=$1 index service=
    shift
    for ((index = 1; index < $#; index++)); do
        case ${!index} in
            -t | -u | -f | --tcp-service | --udp-service | --sctp-service | --fwmark-service)
                ((index++))
                service=${!index}
                ;;
        esac
    done
    "$program" -S -n 2>/dev/null |
        awk -v service="$service" '$1 == "-a" && (service == "" || $3 == service) {
            for (i = 4; i < NF; i++) if ($i == "-r") print $(i + 1)
        }'
}

# The words behind an option in the program's help, e.g. the schedulers behind `--scheduler NAME`.
_fairlead_ipvsadm_help() {
    "$1" --help 2>/dev/null | sed -n "s/^.*$2 *//p" | tr -d ';'
}

# Every option that the help names, and those that are commands: behind the program's name, or in the list of long names.
_fairlead_ipvsadm_options() { "$1" --help 2>/dev/null | grep -oE -- '(^|[ ,(|[])--?[A-Za-z0-9][a-z0-9-]*' | tr -d ' ,(|['; }
_fairlead_ipvsadm_commands() {
    "$1" --help 2>/dev/null |
        sed -n '/^ *ipvsadm /s/^ *ipvsadm \[\{0,1\}\(-[^] ,]*\).*/\1/p; /^Long names/,$p' | grep -oE -- '(^| )-[^ ]*'
    printf '%s\n' --help --version
}

_fairlead_ipvsadm() {
    local program=$1 line=${COMP_LINE:0:COMP_POINT} words word candidates=
    read -ra words <<<"$line"
    [[ $line != *[[:space:]] ]] || words+=("")
    word=${words[${#words[@]} - 1]}
    COMPREPLY=()
    if ((${#words[@]} == 2)); then
        candidates=$(_fairlead_ipvsadm_commands "$program")
    else
        case ${words[${#words[@]} - 2]} in
            -t | --tcp-service) candidates=$(_fairlead_ipvsadm_rules -t "$program") ;;
            -u | --udp-service) candidates=$(_fairlead_ipvsadm_rules -u "$program") ;;
            --sctp-service) candidates=$(_fairlead_ipvsadm_rules --sctp-service "$program") ;;
            -f | --fwmark-service) candidates=$(_fairlead_ipvsadm_rules -f "$program") ;;
            -r | --real-server) candidates=$(_fairlead_ipvsadm_servers "$program" "${words[@]}") ;;
            -s | --scheduler) candidates=$(_fairlead_ipvsadm_help "$program" "--scheduler NAME") ;;
            -b | --sched-flags) candidates=$(_fairlead_ipvsadm_help "$program" "--sched-flags LIST") ;;
            --tun-type) candidates="ipip gue gre" ;;
            --start-daemon | --stop-daemon) candidates="master backup" ;;
            --mcast-interface) candidates=$(ls /sys/class/net) ;;
            -w | --weight | -x | --u-threshold | -y | --l-threshold | -M | --netmask | --set | --syncid | --tun-port) ;;
            *) candidates=$(_fairlead_ipvsadm_options "$program") ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word")
    # readline takes what follows the last colon for the word to complete.
    if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*:}"}"}")
    fi
}

complete -F _fairlead_ipvsadm ipvsadm
