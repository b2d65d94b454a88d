#!/usr/bin/env bash
# Makes what the guest boots: Debian's kernel and an initramfs with v4l2loopback. Needs no root.
# Usage: tests/vm/kernel.sh FOLDER. Leaves FOLDER/vmlinuz and FOLDER/initramfs.gz; does nothing when they exist.
set -euo pipefail

folder=$(realpath -m "$1")
here=$(realpath "$(dirname "$0")")
# The release whose v4l2loopback is tried beside this one's.
NEWER=trixie
# In the order in which they need each other; one that is built into the kernel is not there.
MODULES=(virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio virtio_pci 9pnet 9pnet_virtio
    netfs fscache 9p mc videodev)

say() { echo "test-virtualcam: $*" >&2; }

# apt with lists of its own: `apt-get update` then needs no root and changes nothing of the machine.
apt_here() {
    local suite=$1 options
    shift
    mkdir -p "$folder/apt/$suite/lists/partial" "$folder/apt/$suite/cache/archives/partial"
    options=(-o "Dir::State::lists=$folder/apt/$suite/lists" -o "Dir::Cache=$folder/apt/$suite/cache"
        -o APT::Sandbox::User=)
    if [ "$suite" != own ]; then
        options+=(-o "Dir::Etc::sourcelist=$folder/apt/$suite/sources.list" -o Dir::Etc::sourceparts=-)
    fi
    "$@" "${options[@]}"
}

apt_get() { apt_here "$1" apt-get -qq "${@:2}"; }
depends() { apt_here own apt-cache depends "$1" | sed -n "s/^ *Depends: \($2\)$/\1/p" | head -n 1; }

download() { # SUITE TREE PACKAGE...
    local suite=$1 tree=$2
    shift 2
    mkdir -p "$folder/debs/$suite"
    (cd "$folder/debs/$suite" && apt_get "$suite" download "$@")
    local package
    for package in "$@"; do
        dpkg -x "$folder/debs/$suite/${package}"_*.deb "$tree"
    done
}

build_loopback() { # TREE, which has its source; prints the path of the module
    local source
    source=$(echo "$1"/usr/src/v4l2loopback-*)
    make -s -C "$headers" M="$source" modules >"$folder/build.log" 2>&1 || {
        tail -n 20 "$folder/build.log" >&2
        return 1
    }
    echo "$source/v4l2loopback.ko"
}

if [ -e "$folder/vmlinuz" ] && [ -e "$folder/initramfs.gz" ] &&
    [ "$folder/initramfs.gz" -nt "$here/init.sh" ] && [ "$folder/initramfs.gz" -nt "$0" ]; then
    exit 0
fi

say "getting Debian's kernel (about 90 MB, once)"
rm -rf "$folder"
mkdir -p "$folder"/ramdisk/bin "$folder"/ramdisk/{modules,dev,proc,sys,host}
apt_get own update
image=$(depends linux-image-amd64 'linux-image-[0-9].*')
version=${image#linux-image-}
common=$(depends "linux-headers-$version" 'linux-headers-.*-common')
kbuild=$(depends "linux-headers-$version" 'linux-kbuild-.*')
tree=$folder/tree
download own "$tree" "$image" "linux-headers-$version" "$common" "$kbuild" v4l2loopback-dkms
headers=$tree/usr/src/linux-headers-$version
sed -i "s|/usr/src/|$tree/usr/src/|" "$headers/Makefile"

say "building v4l2loopback for $version"
cp "$(build_loopback "$tree")" "$folder/ramdisk/modules/v4l2loopback.ko"

mirror=$(apt_here own apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    sed -n '/security/d; s/ main$//p' | head -n 1)
key=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$folder/apt/$NEWER"
echo "deb [signed-by=$key] $mirror $NEWER main" >"$folder/apt/$NEWER/sources.list"
if apt_get "$NEWER" update && download "$NEWER" "$folder/newer" v4l2loopback-dkms &&
    module=$(build_loopback "$folder/newer"); then
    cp "$module" "$folder/ramdisk/modules/newer.ko"
else
    say "note: $NEWER's v4l2loopback could not be had; only this release's is tried"
fi

number=10
for name in "${MODULES[@]}"; do
    module=$(find "$tree" -path '*/lib/modules/*' -name "$name.ko*" | head -n 1)
    case $module in
    '') continue ;;
    *.xz) xz -dc "$module" >"$folder/ramdisk/modules/$number-$name.ko" ;;
    *) cp "$module" "$folder/ramdisk/modules/$number-$name.ko" ;;
    esac
    number=$((number + 1))
done

busybox=$(command -v busybox)
cp "$busybox" "$folder/ramdisk/bin/busybox"
cp "$here/init.sh" "$folder/ramdisk/init"
chmod 755 "$folder/ramdisk/init"
(cd "$folder/ramdisk" && find . | "$busybox" cpio -o -H newc 2>/dev/null) | gzip -1 >"$folder/initramfs.gz"
cp "$tree"/boot/vmlinuz-* "$folder/vmlinuz"
rm -rf "$tree" "$folder/newer" "$folder/debs" "$folder/apt" "$folder/ramdisk"
