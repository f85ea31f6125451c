#!/usr/bin/env bash
# source _docker_stacks_log.sh: how the start scripts and their hooks speak. Everything goes to standard error.
#
#   _log [DEBUG|INFO|WARNING|ERROR|FATAL] WORDS...
#   _log_info, _log_warn, _log_error WORDS...
#   _log_fatal WORDS...      also ends the start

_log() {
    local level=INFO color=
    case ${1:-} in
        DEBUG | INFO | WARNING | ERROR | FATAL)
            level=$1
            shift
            ;;
    esac
    # Who asks for quiet is still told what is wrong.
    if [ -n "${JUPYTER_DOCKER_STACKS_QUIET:-}" ] && [[ "$level" =~ ^(DEBUG|INFO)$ ]]; then
        return 0
    fi
    if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
        case $level in
            DEBUG) color='\e[36m' ;;
            WARNING) color='\e[33m' ;;
            ERROR) color='\e[31m' ;;
            FATAL) color='\e[1;31m' ;;
        esac
    fi
    printf '%b%s[%(%F %T)T] %s%b\n' "$color" "$level" -1 "$*" "${color:+\e[0m}" >&2
}

_log_info() { _log INFO "$@"; }
_log_warn() { _log WARNING "$@"; }
_log_error() { _log ERROR "$@"; }
_log_fatal() {
    _log FATAL "$@"
    exit 1
}
