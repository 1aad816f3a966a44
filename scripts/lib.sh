# Messages, clean-up and waiting, shared by the scripts beside this file. Source it; it runs nothing by itself.
# shellcheck shell=bash

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$SCRIPTS")
# The program that demo and bench run: the release build, or the one that FAIRLEAD_BINARY names.
FAIRLEAD=${FAIRLEAD_BINARY:-$ROOT/.build/release/fairlead}
# Swift's own backtracer attaches to a process that traps, and waits for ever where it may not.
export SWIFT_BACKTRACE=${SWIFT_BACKTRACE:-enable=no}
export SCRIPTS ROOT FAIRLEAD

# ---- messages ---------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { warn "$*"; exit 1; }

# A heading with the time since the script began, so that a reader sees what is going on and how long it took.
step() { printf '\n== [%d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

# The comment at the head of a script is its help text.
usage_of() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"; }

# ---- clean-up ---------------------------------------------------------------------------------------------------

CLEANUPS=()

# at_exit COMMAND...: run COMMAND when the script ends, however it ends; the last one registered runs first.
at_exit() {
    CLEANUPS+=("$(printf '%q ' "$@")")
    trap run_cleanups EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

run_cleanups() {
    local status=$? index
    trap - EXIT
    trap '' HUP INT TERM
    set +e
    for ((index = ${#CLEANUPS[@]} - 1; index >= 0; index--)); do
        eval "${CLEANUPS[index]}"
    done
    exit "$status"
}

# A scratch directory that goes when the script ends. Sets SCRATCH.
make_scratch() {
    SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/fairlead-XXXXXX")
    export SCRATCH
    at_exit rm -rf "$SCRATCH"
}

# ---- waiting ----------------------------------------------------------------------------------------------------

# nap SECONDS: sleep without a child process that could be left behind.
nap() { read -rt "$1" <> <(:) || :; }

# wait_until SECONDS COMMAND...: true as soon as COMMAND is, false after SECONDS.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        nap 0.1
    done
}

# with_heartbeat LABEL COMMAND...: run COMMAND and say every 20 seconds that it is still going.
with_heartbeat() {
    local label=$1 pid status=0
    shift
    heartbeat "$label" $$ &
    pid=$!
    "$@" || status=$?
    kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
    return "$status"
}

# build_benchmark PRODUCT: a program of Benchmarks, in release. Traffic holds a director: SwiftPM has been seen not to compile it
# anew when that had changed its size, and the program then hung.
build_benchmark() {
    touch "$ROOT"/Benchmarks/Sources/*/*.swift
    with_heartbeat "release build" swift build --package-path "$ROOT/Benchmarks" -c release --product "$1"
}

# Ends by itself within 20 seconds of its script's end, even when that was killed.
heartbeat() {
    local label=$1 owner=$2 since=$SECONDS
    trap 'exit 0' TERM
    while nap 20; kill -0 "$owner" 2>/dev/null; do
        printf '   ... %s: %d s\n' "$label" $((SECONDS - since))
    done
}

# stop_process PID [SECONDS]: SIGTERM a child of this script, SIGKILL it after SECONDS (5), and reap it.
stop_process() {
    local pid=$1 patience=${2:-5}
    kill -TERM "$pid" 2>/dev/null || return 0
    wait_until "$patience" process_gone "$pid" || kill -KILL "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
}

# A zombie counts as gone: its parent has yet to reap it, but it holds nothing any more.
process_gone() {
    local state
    state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 0
    [[ -z $state || $state == Z ]]
}

# ---- what this machine allows -----------------------------------------------------------------------------------

is_root() { [[ $(id -u) -eq 0 ]]; }

# Whether network namespaces can be made here, as root or in a user namespace. Says why not on standard error.
can_make_namespaces() {
    local reason
    if is_root; then
        reason=$(unshare -nm true 2>&1) && return 0
    else
        reason=$(unshare -Urnm true 2>&1) && return 0
    fi
    warn "this machine does not allow network namespaces: ${reason#unshare: }"
    return 1
}

# as_namespace_root COMMAND...: run COMMAND where it may make namespaces: as it is for root, otherwise as the root of
# a user namespace of its own, with a private /run for `ip netns`.
as_namespace_root() {
    if is_root; then
        "$@"
    else
        # shellcheck disable=SC2016
        unshare -Urnm sh -c 'mount -t tmpfs none /run && mkdir /run/netns && exec "$@"' sh "$@"
    fi
}
