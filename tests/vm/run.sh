#!/usr/bin/env bash
# The virtual camera against a real driver: boots a guest with v4l2loopback that runs this very checkout and
# Python environment, reads its results, and says PASS or FAIL for each check. Needs no module on this machine.
# Usage: tests/vm/run.sh [PYTHON]. ONLY=Chromium makes only the checks with that word in their names;
# LIMIT_S is how long the guest may take.
set -euo pipefail
cd "$(dirname "$0")/../.."

LIMIT_S=${LIMIT_S:-480}
repository=$PWD
python=$(cd "$(dirname "${1:-.venv/bin/python}")" && pwd)/$(basename "${1:-python}")
kernel=$repository/build/vm/kernel
out=$repository/build/vm/out

say() { echo "test-virtualcam: $*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Program and the Debian package that has it.
NEEDED=(qemu-system-x86_64:qemu-system-x86 busybox:busybox-static gcc:gcc make:make xz:xz-utils
    ffmpeg:ffmpeg v4l2-ctl:v4l-utils chromium:chromium)

install_missing() {
    local pair missing=()
    for pair in "${NEEDED[@]}"; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}")
    done
    # busybox-static's is the one without libraries.
    if command -v busybox >/dev/null 2>&1 && ldd "$(command -v busybox)" >/dev/null 2>&1; then
        missing+=(busybox-static)
    fi
    if [ ${#missing[@]} = 0 ]; then return; fi
    say "installing ${missing[*]}"
    if as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then return; fi
    say "install what is missing with: sudo apt-get install ${missing[*]}"
    return 1
}

if [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null 2>&1; then
    say "needs a Debian machine on x86-64, for its kernel packages; this is $(uname -sm)"
    exit 1
fi
install_missing
rm -rf "$out"/{results,log,uptime}
mkdir -p "$out"
bash tests/vm/kernel.sh "$kernel"

# Kernels compiled here for any processor, so that the guest, whose processor is another, finds them done.
say "compiling the filter's kernels for the guest"
NUMBA_CPU_NAME=generic NUMBA_CPU_FEATURES='' NUMBA_CACHE_DIR=$out/numba \
    "$python" -m rtfilter run --input demo --output null --emotion happy=1 --duration 0.3 --quiet

# /dev/kvm alone proves nothing: a nested one hangs. A processor without AVX: QEMU 7.2 calculates wrongly with it.
accelerate=(-accel "tcg,thread=multi" -cpu Nehalem)
if [ -w /dev/kvm ] && grep -qE '^kvm_(intel|amd) ' /proc/modules 2>/dev/null; then
    accelerate=(-accel kvm -cpu host)
fi
say "booting (at most $LIMIT_S s)"
timeout --kill-after=5 "$LIMIT_S" qemu-system-x86_64 -M q35 "${accelerate[@]}" -smp 2 -m 2560M \
    -kernel "$kernel/vmlinuz" -initrd "$kernel/initramfs.gz" -nographic -no-reboot -nic none \
    -append "console=ttyS0 quiet panic=-1 repository=$repository out=$out python=$python only=${ONLY:-}" \
    -virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap" \
    -virtfs "local,path=$out,mount_tag=out,security_model=none" >"$out/console" 2>&1 </dev/null || true

cat "$out/results" 2>/dev/null || true
if ! grep -qx DONE "$out/results" 2>/dev/null; then
    tail -n 30 "$out/console" "$out/log" >&2 || true
    say "FAIL: the guest did not finish; see $out/console and $out/log"
    exit 1
fi
if grep -q '^FAIL' "$out/results"; then
    tail -n 60 "$out/log" >&2
    say "FAIL; see $out/log"
    exit 1
fi
grep '^SKIP' "$out/results" >&2 || true
say "PASS: $(grep -c '^PASS' "$out/results") checks"
