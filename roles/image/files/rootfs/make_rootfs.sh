#!/usr/bin/env bash
# make_rootfs.sh SUITE MIRROR SECURITY_MIRROR: a minimal Debian in ./rootfs.tar. Empty mirrors are Debian's own.
set -eu
suite=$1 mirror=$2 security=$3

# Certificates are in from the start: a mirror may speak HTTPS.
debootstrap --variant=minbase --include=ca-certificates "$suite" root ${mirror:+"$mirror"}

# debootstrap writes where it took Debian from. Debian's own mirrors have the security updates beside it.
used=$(awk '$1 == "deb" { print $2; exit }' root/etc/apt/sources.list)
if [ -z "$mirror" ] && [ -z "$security" ]; then
    security=${used%/}-security
fi
{
    echo "deb $used $suite main"
    echo "deb $used $suite-updates main"
    [ -z "$security" ] || echo "deb $security $suite-security main"
} > root/etc/apt/sources.list

# What only fills the image. Licences stay.
rm -rf root/var/cache/apt/archives/*.deb root/var/lib/apt/lists/* root/usr/share/man/* root/usr/share/locale/* root/var/log/*.log
find root/usr/share/doc -type f ! -name copyright -delete
tar --create --file rootfs.tar --numeric-owner --one-file-system --directory root .
rm -rf root
