#!/usr/bin/env bash
# source run-hooks.sh DIRECTORY: run what lies there, in the order of the names: *.sh in this shell, so that it can set
# variables, executables as commands. One that fails is reported and passed over; one that calls exit, or fails under
# its own set -e, ends the start (so no `source ... ||` here: in such a context set -e means nothing).
# No function: in one, what a hook declares would end with it.

if ! declare -F _log > /dev/null; then
    # shellcheck source=roles/image/files/context/_docker_stacks_log.sh
    source /usr/local/bin/_docker_stacks_log.sh
fi
if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    _log_error "run-hooks.sh takes one directory, and was given: $*"
    return 1
fi

_hooks_strict=$-
set +e
for _hook in "$1"/*; do
    _hook_status=0
    if [ -d "$_hook" ] || [ ! -e "$_hook" ]; then
        continue
    elif [[ "$_hook" == *.sh ]]; then
        _log_info "sourcing $_hook"
        # shellcheck source=/dev/null
        source "$_hook"
        _hook_status=$?
        set +e
    elif [ -x "$_hook" ]; then
        _log_info "running $_hook"
        "$_hook"
        _hook_status=$?
    else
        _log_info "ignoring $_hook: neither executable nor *.sh"
    fi
    [ "$_hook_status" = 0 ] || _log_error "$_hook failed with status $_hook_status, going on without it"
done
if [[ "$_hooks_strict" == *e* ]]; then
    set -e
fi
unset _hooks_strict _hook _hook_status
