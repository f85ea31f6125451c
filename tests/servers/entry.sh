#!/bin/sh
# The first process of a server. SERVER_KEY: who may log in. SERVER_INIT: systemd, or sshd (no init at all, as in many containers and small images).

# An engine in a container must be able to write what the engine around it mounts read-only.
mount -o remount,rw /sys
mount -o remount,rw /sys/fs/cgroup
for controller in /sys/fs/cgroup/*; do
    mountpoint -q "$controller" && mount -o remount,bind,rw "$controller"
done
mount --make-rshared /

# As udev has it, which does not run here.
[ ! -e /dev/net/tun ] || chmod 666 /dev/net/tun

echo "$SERVER_KEY" > /etc/ssh/authorized_keys
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
mkdir -p /run/sshd

if [ "$SERVER_INIT" = systemd ]; then
    export container=docker
    exec /sbin/init SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1
fi
[ ! -e /etc/init.d/docker ] || service docker start
# Not as the first process itself: bash buries the dead, whom a service leaves behind.
exec bash -c '/usr/sbin/sshd -D -e & trap "exit 0" RTMIN+3 TERM; while :; do wait; sleep 1; done'
