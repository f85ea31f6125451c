#!/bin/sh
# An engine in a container must be able to write what the engine around it mounts read-only.
mount -o remount,rw /sys
mount -o remount,rw /sys/fs/cgroup
for controller in /sys/fs/cgroup/*; do
    mountpoint -q "$controller" && mount -o remount,bind,rw "$controller"
done
mount --make-rshared /
exec "$@"
