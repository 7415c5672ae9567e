#!/bin/sh
# Make the image localhost/drystone-example:VERSION without any registry.
#
#     sudo ./build-image.sh VERSION
#
# The base is a minimal Debian with Python, made by debootstrap from the mirror that apt uses here. It is made
# once (about 45 seconds); every further version adds one file to it (about a second).
set -eu

version=${1:?usage: build-image.sh VERSION}
here=$(cd "$(dirname "$0")" && pwd)
base=localhost/drystone-example-base

if ! podman image exists "$base"; then
    # The first target of apt's own list is the main archive: "http://deb.debian.org/debian bookworm".
    target=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Identifier: Packages' 'Component: main' | head -n 1)
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    debootstrap --variant=minbase --include=python3 "${target#* }" "$root" "${target% *}"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* \
        "$root"/usr/share/man/* "$root"/usr/share/locale/*
    tar --create --directory "$root" . | podman import - "$base"
fi
# podman 4.3's cache of layers takes no notice of VERSION and would hand out the image of another version.
podman build --no-cache --build-arg "VERSION=$version" --tag "localhost/drystone-example:$version" "$here"
