#!/bin/busybox sh
# The first process of the guest: modules, the host's files (read-only), the result folder, then the checks.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in /modules/[0-9]*.ko; do
    $b insmod "$module" || echo "no $module"
done
options=trans=virtio,version=9p2000.L,msize=524288
$b mount -t 9p -o $options,ro,cache=loose host /host
# "repository=... out=... python=... only=..." of the kernel's command line.
for word in $($b cat /proc/cmdline); do
    case $word in repository=* | out=* | python=* | only=*) eval "$word" ;; esac
done
$b mount -t 9p -o $options out "/host$out"
$b mount -t tmpfs run /host/run
$b cp -r /modules /host/run/modules
$b mount --bind /dev /host/dev
$b mkdir -p /host/dev/shm
$b mount -t tmpfs shm /host/dev/shm
$b mount --bind /proc /host/proc
$b mount --bind /sys /host/sys
$b mkdir -p /host/run/home
$b ifconfig lo 127.0.0.1 up
echo "guest is up after $($b cut -d' ' -f1 /proc/uptime) s"
cd /
$b chroot /host /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run TMP=/run \
    XDG_RUNTIME_DIR=/run XDG_CACHE_HOME=/run PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$repository" \
    NUMBA_CPU_NAME=generic NUMBA_CPU_FEATURES= NUMBA_CACHE_DIR="$out/numba" MPLCONFIGDIR=/run \
    "$python" "$repository/tests/vm/guest.py" "$out" "$only" >"/host$out/log" 2>&1
$b sync
$b poweroff -f
