#!/bin/sh
# Chromium drops all its connections whenever a network of this machine changes, and each container that comes or goes
# changes one. So it gets a network of its own, in which there is nothing but the lab's port: LAB_PORT.
set -eu

relay() { setpriv --pdeathsig KILL socat "$@" 3<&- 4>&- & }

if [ "${1:-}" != --inside ]; then
    LAB_SOCKET=$(mktemp --dry-run)
    export LAB_SOCKET
    trap 'rm -f "$LAB_SOCKET"' EXIT
    relay "UNIX-LISTEN:$LAB_SOCKET,fork" "TCP:127.0.0.1:$LAB_PORT"
    unshare --map-root-user --net "$0" --inside "$@"
else
    shift
    ip link set lo up
    relay "TCP-LISTEN:$LAB_PORT,bind=127.0.0.1,fork" "UNIX-CONNECT:$LAB_SOCKET"
    chromium "$@"
fi
