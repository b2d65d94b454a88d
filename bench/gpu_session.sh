#!/usr/bin/env bash
# Everything that needs a GPU, in one command, on a machine that has Python, CuPy, NumPy, ONNX Runtime, OpenCV and
# Numba, and no network. Results: bench/results/gpu-session.json, and $OUT where that is set.
#
#     bash bench/gpu_session.sh --keep PART        only keep a part of what gpu_pack.sh made, for the next call
#     bash bench/gpu_session.sh [PART] [options]   keep that one too, then measure; see python -m bench.gpu_session -h
#
# Without TensorRT among the parts, ONNX Runtime on CUDA is measured, where it is installed; without either, the lane
# with its networks on the processor. `--device tests.host_gpu.on_host` runs all of it there, to see that the script
# works. Set PYTHON to choose one.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-$(command -v python3)}
kept=${GPU_SESSION_KEPT:-${TMPDIR:-/tmp}/rtfilter-gpu}
only_keep=
if [ "${1:-}" = --keep ]; then
    only_keep=yes
    shift
fi
mkdir -p "$kept/cache"
if [ $# -gt 0 ] && [ -d "$1" ]; then
    cp -r "$1/." "$kept/"
    shift
elif [ -z "$only_keep" ] && [ -d .gpu/1 ] && [ ! -d "$kept/cache/onnx" ]; then
    for part in .gpu/[0-9]*; do cp -r "$part/." "$kept/"; done
fi
if [ -n "$only_keep" ]; then
    du -sm "$kept"
    exit 0
fi

# Packages that came in parts.
site=$kept/site
if compgen -G "$kept/site.tar.xz.part*" >/dev/null && [ ! -d "$site" ]; then
    rm -rf "$site.new"  # of an unpacking that was cut off
    mkdir "$site.new"
    if cat "$kept"/site.tar.xz.part* | "$python" -c 'import sys, tarfile
tarfile.open(fileobj=sys.stdin.buffer, mode="r|xz").extractall(sys.argv[1], filter="data")' "$site.new"; then
        mv "$site.new" "$site"
    else
        echo "gpu_session: the packages in $kept cannot be unpacked; going on without them" >&2
        rm -rf "$site.new"
    fi
fi
[ -d "$site" ] || echo "gpu_session: nothing was brought along that runs networks on a GPU" >&2

export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
[ ! -d "$site" ] || PYTHONPATH=$site:$PYTHONPATH
if [ -d "$kept/cache/onnx" ]; then
    export RTFILTER_CACHE=$kept/cache
fi
# ONNX Runtime on CUDA looks for CUDA and cuDNN where the system does, and not in NVIDIA's wheels.
nvidia=$("$python" -c 'import glob, importlib.util as u
spec = u.find_spec("nvidia")
print(":".join(path for place in (spec.submodule_search_locations if spec else ()) for path in sorted(glob.glob(place + "/*/lib"))))')
[ -z "$nvidia" ] || export LD_LIBRARY_PATH=$nvidia${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PYTHONUNBUFFERED=1 NUMBA_CACHE_DIR=$kept/numba
exec "$python" -m bench.gpu_session "$@"
