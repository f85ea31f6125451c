#!/usr/bin/env bash
# by_hand.sh IMAGE DIRECTORY PACKAGE...: what the article has you type, and waiting until the page answers.
set -eu
image=$1 directory=$2
shift 2
docker volume create mlenv-bench-hand >/dev/null
docker run -d \
    --name mlenv-bench-hand \
    -p 127.0.0.1:28892:8888 \
    -v "$directory/hand/work":/home/jovyan/work \
    -v mlenv-bench-hand:/home/jovyan/.local \
    --user root \
    -e GRANT_SUDO=yes \
    -e CHOWN_HOME=yes \
    -e CHOWN_HOME_OPTS='-R' \
    "$image" >/dev/null
until curl -sf http://127.0.0.1:28892/api >/dev/null; do sleep 0.2; done
docker exec -u jovyan mlenv-bench-hand python3 -m pip install --quiet --user "$@"
