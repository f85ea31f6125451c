#!/usr/bin/env bash
# need.sh COMMAND PACKAGE...: if there is no such command on this machine, install these packages of the distribution.
set -eu
command=$1
shift
if ! command -v "$command" >/dev/null; then
    echo "There is no $command on this machine; installing $*"
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get -qq update
    DEBIAN_FRONTEND=noninteractive $sudo apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" >/dev/null </dev/null
fi
