#!/bin/sh
# make_repository.sh DIRECTORY: a signed apt repository laid out as NVIDIA's, with a package that stands in for its Container Toolkit.
set -eu
here=$(dirname "$0")
packages=$1/stable/deb/$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$packages" "$tree/keys" "$tree/package/DEBIAN" "$tree/package/usr/bin" "$tree/package/usr/lib/nvidia-container-toolkit"
chmod 700 "$tree/keys"

cp "$here/toolkit.py" "$tree/package/usr/lib/nvidia-container-toolkit/"
for program in nvidia-ctk nvidia-container-runtime nvidia-container-runtime-hook; do
    # shellcheck disable=SC2016 # it is that script's own "$@"
    printf '#!/bin/sh\nexec python3 /usr/lib/nvidia-container-toolkit/toolkit.py %s "$@"\n' "$program" > "$tree/package/usr/bin/$program"
    chmod 755 "$tree/package/usr/bin/$program"
done
cat > "$tree/package/DEBIAN/control" <<END
Package: nvidia-container-toolkit
Version: 1.99.0-1
Architecture: all
Maintainer: Nobody <nobody@example.com>
Description: Stands in for NVIDIA's Container Toolkit
END
dpkg-deb --root-owner-group --build "$tree/package" "$packages/toolkit.deb" > /dev/null

cd "$packages"
{
    cat "$tree/package/DEBIAN/control"
    echo "Filename: ./toolkit.deb"
    echo "Size: $(stat --format %s toolkit.deb)"
    echo "SHA256: $(sha256sum toolkit.deb | cut --delimiter ' ' --fields 1)"
} > Packages
{
    echo "Date: $(date --utc --rfc-email)"
    echo "SHA256:"
    echo " $(sha256sum Packages | cut --delimiter ' ' --fields 1) $(stat --format %s Packages) Packages"
} > Release

export GNUPGHOME="$tree/keys"
gpg --quiet --batch --passphrase '' --quick-generate-key 'Nobody <nobody@example.com>' rsa2048 sign
gpg --quiet --batch --clearsign --output InRelease Release
gpg --armor --export > "$1/gpgkey"
gpg --list-keys --with-colons | awk -F: '$1 == "fpr" { print $10; exit }' > "$1/fingerprint"
gpgconf --kill all
