#!/usr/bin/env bash
# Installs the programs that some tests drive: browsers and WebRTC clients, from Debian's or Ubuntu's
# packages. Those tests skip without them. `make test-tools` calls it.
set -euo pipefail

declare -A wanted=(
    [chromium]=chromium
    [chromedriver]=chromium-driver
    [firefox-esr]=firefox-esr
    [ffmpeg]=ffmpeg
    [strace]=strace
    [whip-client]=simple-whip-client
    [gst-launch-1.0]=gstreamer1.0-tools
)

packages=()
for program in "${!wanted[@]}"; do
    command -v "$program" >/dev/null 2>&1 || packages+=("${wanted[$program]}")
done
if [ "${#packages[@]}" = 0 ]; then exit 0; fi
# What the WHIP client needs to encode and to send, and letters for the browsers' pages.
packages+=(gstreamer1.0-nice gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-ugly fonts-dejavu-core)

if ! command -v apt-get >/dev/null 2>&1; then
    echo "test-tools: without apt-get, install by hand: ${packages[*]}" >&2
    exit 1
fi
root=()
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "test-tools: run: sudo apt-get install ${packages[*]}" >&2
        exit 1
    fi
    root=(sudo -n)
fi
echo "test-tools: installing ${packages[*]}"
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${packages[@]}" >/dev/null
